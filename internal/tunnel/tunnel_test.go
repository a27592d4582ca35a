package tunnel

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// through returns a client that goes through a tunnel, for the names below
// blob.core.windows.net only, to an address, and the URL of the tunnel.
func through(t *testing.T, target string) (*http.Client, string) {
	t.Helper()
	proxy := httptest.NewServer(&Tunnel{Routes: []Route{{"*.blob.core.windows.net", target}}})
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	// TLS is not the matter of the tunnel: the server's certificate has another name.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(u)
	transport.TLSClientConfig.InsecureSkipVerify = true
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, proxy.URL
}

func TestTunnelConnects(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer server.Close()
	c, _ := through(t, server.Listener.Addr().String())
	text := strings.Repeat("text ", 1<<18)
	res, err := c.Post("https://acct.blob.core.windows.net/", "text/plain", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if back, err := io.ReadAll(res.Body); err != nil || string(back) != text {
		t.Errorf("%d bytes came back (%v), want %d", len(back), err, len(text))
	}
}

func TestTunnelRefuses(t *testing.T) {
	c, proxy := through(t, "127.0.0.1:1")
	for _, target := range []string{
		"https://example.com/", "https://blob.core.windows.net/", "https://acct.blob.core.windows.net:8443/",
		"https://acct.blob.core.windows.net.example.com/",
	} {
		if res, err := c.Get(target); err == nil {
			res.Body.Close()
			t.Errorf("%s: connected, want a refusal", target)
		} else if !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v, want Forbidden", target, err)
		}
	}
	res, err := http.Get(proxy + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET at the proxy: %s, want 405", res.Status)
	}
}

func TestTunnelReportsADeadServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().String()
	ln.Close()
	c, _ := through(t, dead)
	if res, err := c.Get("https://acct.blob.core.windows.net/"); err == nil {
		res.Body.Close()
		t.Errorf("a dead server answered %s", res.Status)
	} else if !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("%v, want Bad Gateway", err)
	}
}

func TestTunnelFindsItsRoutes(t *testing.T) {
	tunnel := &Tunnel{Routes: []Route{{"*.blob.core.windows.net", "tls"}, {"login.leasehold.internal", "login"}}}
	for host, want := range map[string]string{
		"acct.blob.core.windows.net:443":      "tls",
		"ACCT.blob.core.windows.net:443":      "tls",
		"login.leasehold.internal:443":        "login",
		"acct.blob.core.windows.net":          "",
		"acct.blob.core.windows.net:80":       "",
		"blob.core.windows.net:443":           "",
		"acct.blob.core.windows.net.evil:443": "",
		"xlogin.leasehold.internal:443":       "",
		"169.254.169.254:80":                  "",
	} {
		if got, _ := tunnel.target(host); got != want {
			t.Errorf("%s leads to %q, want %q", host, got, want)
		}
	}
}
