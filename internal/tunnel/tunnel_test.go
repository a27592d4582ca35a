package tunnel

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// through returns a client that goes through a tunnel, for the names below
// blob.core.windows.net only, to an address, and the URL of the tunnel.
func through(t *testing.T, target string) (*http.Client, string) {
	t.Helper()
	proxy := httptest.NewServer(&Tunnel{Routes: []Route{{Host: "*.blob.core.windows.net", Target: target}}})
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
	tunnel := &Tunnel{Routes: []Route{{Host: "*.blob.core.windows.net", Target: "tls"}, {Host: "login.leasehold.internal", Target: "login"}}}
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
		if r, _ := tunnel.route(host); r.Target != want {
			t.Errorf("%s leads to %q, want %q", host, r.Target, want)
		}
	}
}

// halves is a connection in memory whose directions end separately.
type halves struct{ net.Conn }

func (halves) CloseWrite() error { return nil }

func TestClientsThatDoNotEndAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, client := net.Pipe()
		server, far := net.Pipe()
		defer near.Close()
		start := time.Now()
		far.Close()
		Pipe(halves{client}, client, halves{server})
		if took := time.Since(start); took != lingerTimeout {
			t.Errorf("after %v", took)
		}
	})
}

func TestExit(t *testing.T) {
	exit := NewExit(&net.UnixAddr{Name: "exit"})
	proxy := httptest.NewServer(&Tunnel{Routes: []Route{{Host: "*.blob.core.windows.net", Exit: exit}}})
	defer proxy.Close()
	connect := func() *bufio.Reader {
		c, err := net.Dial("tcp", proxy.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		// The client speaks at once, and later.
		io.WriteString(c, "CONNECT a.blob.core.windows.net:443 HTTP/1.1\r\nHost: a\r\n\r\nearly,")
		in := bufio.NewReader(c)
		if resp, err := http.ReadResponse(in, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		io.WriteString(c, "late\n")
		return in
	}
	client := connect()
	server, err := exit.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(server).ReadString('\n'); line != "early,late\n" {
		t.Errorf("%q, %v", line, err)
	}
	io.WriteString(server, "answer")
	server.Close()
	if text, err := io.ReadAll(client); string(text) != "answer" {
		t.Errorf("%q, %v", text, err)
	}
	exit.Close()
	if _, err := exit.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if text, err := io.ReadAll(connect()); len(text) != 0 {
		t.Errorf("after the end: %q, %v", text, err)
	}
}
