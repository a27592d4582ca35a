package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
)

// TestProxyLeadsToBlobsAndWebsites runs the command beside a folder whose server is a listener of
// the test.
func TestProxyLeadsToBlobsAndWebsites(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	data := t.TempDir()
	folder, err := datadir.Open(t.Context(), data, engines, datadir.KVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	state := &runState{Secure: server.Addr().String()}
	if err := datadir.WriteState(data, state); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runProxy(ctx, data, "127.0.0.1:0", in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	proxy := strings.TrimPrefix(regexp.MustCompile(`http://\S+`).FindString(line), "http://")
	for host, want := range map[string]int{
		"acct.blob.core.windows.net": 200, "acct.z6.web.core.windows.net": 200, "acct.dfs.core.windows.net": 200, "acct.queue.core.windows.net": 403,
		config.AuthorityHost: 403, config.PublicAuthorities[0]: 403,
	} {
		c, err := net.Dial("tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", host)
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v, want %d", host, resp, err, want)
		}
		c.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestProgramsOfDevelopmentReachAllTheyAsk: through the proxy, with the certificates that env
// tells: the public authority, the description of the cloud, the Data Lake's name, and plain HTTP.
func TestProgramsOfDevelopmentReachAllTheyAsk(t *testing.T) {
	t.Setenv(config.AccountsVariable, "")
	data := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, &serveOptions{dev: true, data: data, listen: "127.0.0.1:0", logLevel: "error", logFormat: "text"}, w)
		w.Close()
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	lines := bufio.NewReader(r)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	state, err := readState(data)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	bundle, err := os.ReadFile(state.Bundle)
	if err != nil || !roots.AppendCertsFromPEM(bundle) {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: state.Proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	send := func(want int, method, address, body string, headers ...string) map[string]any {
		t.Helper()
		r, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		if w.StatusCode != want {
			t.Fatalf("%s %s: %s, want %d", method, address, w.Status, want)
		}
		answer := map[string]any{}
		if strings.HasPrefix(w.Header.Get("Content-Type"), "application/json") {
			if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
				t.Fatal(err)
			}
		}
		return answer
	}
	// A service principal as OpenTofu is one, which asks the public authority.
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {state.Client}, "client_secret": {state.Secret},
		"scope": {"https://storage.azure.com/.default"}}.Encode()
	for _, at := range []string{
		"https://login.microsoftonline.com/" + config.TenantID + "/oauth2/v2.0/token", "https://" + config.AuthorityHost + "/adfs/" + config.TenantID + "/oauth2/v2.0/token",
	} {
		token, _ := send(200, "POST", at, form, "Content-Type", "application/x-www-form-urlencoded")["access_token"].(string)
		send(200, "GET", "https://devstoreaccount1.blob.core.windows.net/?comp=list", "", "Authorization", "Bearer "+token, "x-ms-version", "2023-11-03")
	}
	const publicName = "https://login.microsoftonline.com/"
	discovery := send(200, "GET", publicName+config.TenantID+"/v2.0/.well-known/openid-configuration", "")
	for _, name := range []string{"issuer", "token_endpoint", "jwks_uri"} {
		if text, _ := discovery[name].(string); !strings.HasPrefix(text, publicName) {
			t.Errorf("%s is %q", name, text)
		}
	}
	if cloud := send(200, "GET", "https://"+config.AuthorityHost+"/metadata/endpoints?api-version=2023-11-01", ""); cloud["name"] != "Leasehold" {
		t.Errorf("cloud %v", cloud)
	}
	// The Data Lake's name is asked whether there are folders; the refusal says that there are
	// none.
	send(400, "HEAD", "https://devstoreaccount1.dfs.core.windows.net/box/?action=getAccessControl", "")
	// Plain HTTP, with what a client has signed.
	signed := signature(t, "", "rwdlac")
	send(201, "PUT", "http://devstoreaccount1.blob.core.windows.net/box?restype=container&"+signed, "", "x-ms-version", "2023-11-03")
	send(201, "PUT", "http://devstoreaccount1.blob.core.windows.net/box/a%20b?"+signed, "x", "x-ms-version", "2023-11-03", "x-ms-blob-type", "BlockBlob")
	send(200, "GET", "https://devstoreaccount1.blob.core.windows.net/box/a%20b?"+signed, "", "x-ms-version", "2023-11-03")
	transport.CloseIdleConnections()
	send(403, "GET", "http://example.com/", "")
}
