// Package website reaches the static website of a running server as browsers do.
package website

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/test/harness"
)

// TestWebsite reaches a website in every way there is: by a port of its own, by a name of
// this machine, and by the public name through the proxy and TLS.
func TestWebsite(t *testing.T) {
	s := harness.Start(t, &harness.Options{Dev: true, Args: []string{"--web-listen", "127.0.0.1:0"}})
	s.NeedOwn()
	client, err := azblob.NewClientFromConnectionString(s.ConnectionString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ServiceClient().SetProperties(t.Context(), &service.SetPropertiesOptions{StaticWebsite: &service.StaticWebsite{
		Enabled: to.Ptr(true), IndexDocument: to.Ptr("index.html"), ErrorDocument404Path: to.Ptr("404.html"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"index.html": "home", "404.html": "lost"} {
		if _, err := client.UploadBuffer(t.Context(), "$web", name, []byte(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	var at struct{ Website, Proxy, CA string }
	text, err := os.ReadFile(filepath.Join(s.Data, "run.json"))
	if err == nil {
		err = json.Unmarshal(text, &at)
	}
	if err != nil || at.Website == "" {
		t.Fatalf("%v in %s", err, text)
	}
	browser := throughProxy(t, at.Proxy, at.CA)
	for _, site := range []struct {
		by         *http.Client
		base, host string
	}{
		{http.DefaultClient, "http://" + at.Website, ""},
		{http.DefaultClient, "http://" + s.Addr, harness.Account + ".web.localhost"},
		{browser, "https://" + harness.Account + ".web.core.windows.net", ""},
		{browser, "https://" + harness.Account + ".z6.web.core.windows.net", ""},
	} {
		for path, want := range map[string]string{"/": "200 home", "/none": "404 lost"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", site.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if site.host != "" {
				r.Host = site.host
			}
			a, err := site.by.Do(r)
			if err != nil {
				t.Errorf("%s%s: %v", site.base, path, err)
				continue
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if got := a.Status[:4] + string(body); err != nil || got != want || !strings.HasPrefix(a.Header.Get("Server"), "Windows-Azure-Web") {
				t.Errorf("%s%s: %s, %v, %v, want %s", site.base, path, got, err, a.Header, want)
			}
		}
	}
}

// throughProxy returns a client in the environment of "leasehold env".
func throughProxy(t *testing.T, proxy, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s: %v", ca, err)
	}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
