package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/tunnel"
)

// echo is a plain server that answers every connection with the request head
// it received, byte for byte, as the body.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var head strings.Builder
				r := bufio.NewReader(conn)
				for !strings.HasSuffix(head.String(), "\r\n\r\n") {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					head.WriteString(line)
				}
				io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"+head.String())
			}()
		}
	}()
	return ln.Addr().String()
}

func newFront(t *testing.T) *Front {
	t.Helper()
	f, err := NewFront(FrontOptions{
		Plain: echo(t),
		Extra: []tunnel.Route{{Host: "login.leasehold.internal", Target: echo(t)}},
		Dir:   t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// roots returns a pool that trusts the authority of the front alone.
func roots(f *Front) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.CA.PEM())
	return pool
}

func client(t *testing.T, f *Front) *http.Client {
	t.Helper()
	u, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(u),
		TLSClientConfig: &tls.Config{RootCAs: roots(f)},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestFrontHandsOnTheRequestUnchanged(t *testing.T) {
	c := client(t, newFront(t))
	for _, host := range []string{"acct.blob.core.windows.net", "acct-secondary.blob.core.windows.net", "login.leasehold.internal"} {
		req, err := http.NewRequest("PUT", "https://"+host+"/box/a%2Fb//..%20c?comp=lease&x=%2b", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["x-ms-meta-fooBar"] = []string{"one  two"}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"PUT /box/a%2Fb//..%20c?comp=lease&x=%2b HTTP/1.1\r\n",
			"\r\nHost: " + host + "\r\n",
			"\r\nx-ms-meta-fooBar: one  two\r\n",
		} {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s: %q is not in the request as it arrived:\n%s", host, want, body)
			}
		}
	}
}

func TestCertificateIsTrustedForItsNamesOnly(t *testing.T) {
	f := newFront(t)
	u, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	stranger := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}}
	if res, err := stranger.Get("https://acct.blob.core.windows.net/"); err == nil {
		res.Body.Close()
		t.Error("a client without the authority trusted the certificate")
	}
	// Two labels before the suffix reach the listener, but no wildcard covers them.
	if res, err := client(t, f).Get("https://a.b.blob.core.windows.net/"); err == nil {
		res.Body.Close()
		t.Error("the wildcard covered two labels")
	}
}

func TestFrontTellsWhyAServerIsNotReached(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().String()
	ln.Close()
	f, err := NewFront(FrontOptions{Plain: dead, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{0, 4 << 20} {
		res, err := client(t, f).Post("https://acct.blob.core.windows.net/", "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "refused") {
			t.Errorf("%s, %v: %s", res.Status, err, body)
		}
	}
}

// failing is a listener whose first Accept fails.
type failing struct {
	net.Listener
	failed bool
}

func (l *failing) Accept() (net.Conn, error) {
	if !l.failed {
		l.failed = true
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func TestTerminateOutlivesAFailedAccept(t *testing.T) {
	f := newFront(t)
	cert, err := f.CA.Issue(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Terminate(&failing{Listener: ln}, &tls.Config{Certificates: []tls.Certificate{*cert}}, echo(t))
	}()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots(f), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	ln.Close()
	<-done
}
