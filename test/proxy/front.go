// Package proxy puts a server that speaks plain HTTP, of whatever make, in the place of
// the public Blob service for unmodified clients: a [Front] is a tunnel with a TLS end and
// a certificate authority of its own. A server of this tree has all that itself.
package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/tunnel"
)

// blobSuffix is the public suffix behind which clients that have no endpoint
// setting expect an account's blobs.
const blobSuffix = "blob.core.windows.net"

const (
	// acceptPause is how long nothing is accepted after that failed.
	acceptPause = 50 * time.Millisecond
	// refusedBytes is how much of what a client sends is read although its server can't be reached.
	refusedBytes = 16 << 20
)

// FrontOptions says what stands behind a Front.
type FrontOptions struct {
	Listen string         // address of the proxy; empty for any free port of 127.0.0.1
	Plain  string         // host:port that speaks plain HTTP and serves *.blob.core.windows.net
	Extra  []tunnel.Route // further public names, served by local plain ports the same way
	Dir    string         // existing folder for the authority's certificate, ca.pem
}

// A Front is a running tunnel with a TLS end of its own. Its listeners are on the
// loopback interface only.
type Front struct {
	URL    string                 // of the proxy, for HTTPS_PROXY
	CAFile string                 // certificate of the authority
	CA     *certificate.Authority // the authority itself

	proxy     *http.Server
	listeners []net.Listener
}

// NewFront starts a proxy and, for each public name, a TLS listener before the
// plain port.
func NewFront(o FrontOptions) (_ *Front, err error) {
	ca, err := certificate.NewAuthority(time.Now())
	if err != nil {
		return nil, err
	}
	f := &Front{CA: ca, CAFile: filepath.Join(o.Dir, "ca.pem")}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := os.WriteFile(f.CAFile, ca.PEM(), 0o644); err != nil {
		return nil, err
	}
	t := &tunnel.Tunnel{}
	for _, r := range append([]tunnel.Route{{Host: "*." + blobSuffix, Target: o.Plain}}, o.Extra...) {
		secure, err := f.terminate(r)
		if err != nil {
			return nil, err
		}
		t.Routes = append(t.Routes, tunnel.Route{Host: r.Host, Target: secure})
	}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	f.URL = "http://" + ln.Addr().String()
	f.proxy = &http.Server{Handler: t, ReadHeaderTimeout: tunnel.HeaderTimeout}
	go f.proxy.Serve(ln)
	return f, nil
}

// terminate starts the TLS listener for a route and returns its address.
func (f *Front) terminate(r tunnel.Route) (string, error) {
	cert, err := f.CA.Issue(time.Now(), r.Host)
	if err != nil {
		return "", err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.listeners = append(f.listeners, ln)
	// The bytes go to a plain HTTP/1.1 port, so nothing newer may be negotiated.
	config := &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"http/1.1"}}
	go Terminate(ln, config, r.Target)
	return ln.Addr().String(), nil
}

// Env returns the environment that sends the common SDKs and tools through the
// front and has them trust it. Plain HTTP to anything but the loopback interface
// goes to the front as well, which refuses it, so that probes for cloud services
// fail at once and never leave the machine.
func (f *Front) Env() []string {
	return []string{
		"HTTP_PROXY=" + f.URL,
		"http_proxy=" + f.URL,
		"HTTPS_PROXY=" + f.URL,
		"https_proxy=" + f.URL,
		"NO_PROXY=127.0.0.1,localhost",
		"no_proxy=127.0.0.1,localhost",
		"SSL_CERT_FILE=" + f.CAFile,
		"REQUESTS_CA_BUNDLE=" + f.CAFile,
		"NODE_EXTRA_CA_CERTS=" + f.CAFile,
	}
}

// Close stops accepting; connections that stand are left to end by themselves.
func (f *Front) Close() error {
	var errs []error
	if f.proxy != nil {
		errs = append(errs, f.proxy.Close())
	}
	for _, ln := range f.listeners {
		errs = append(errs, ln.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close proxy: %w", err)
	}
	return nil
}

// Terminate accepts TLS connections on ln and copies their decrypted bytes to and
// from target, so that the request line and every header arrive as they were sent.
// It returns after ln is closed.
func Terminate(ln net.Listener, config *tls.Config, target string) {
	for {
		conn, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			<-time.After(acceptPause) // such as for want of descriptors, until others are done
		default:
			go terminate(tls.Server(conn, config), target)
		}
	}
}

func terminate(client *tls.Conn, target string) {
	// A client that doesn't trust the certificate ends here, before the
	// server has seen anything of it.
	client.SetDeadline(time.Now().Add(tunnel.HeaderTimeout))
	if err := client.Handshake(); err != nil {
		client.Close()
		return
	}
	client.SetDeadline(time.Time{})
	server, err := net.DialTimeout("tcp", target, tunnel.DialTimeout)
	if err != nil {
		refuse(client, err)
		return
	}
	tunnel.Pipe(client, client, server)
}

// refuse answers the request of a client, whatever it is, so that its error tells the
// cause.
func refuse(client *tls.Conn, cause error) {
	defer client.Close()
	client.SetDeadline(time.Now().Add(tunnel.HeaderTimeout))
	if _, err := client.Read(make([]byte, 1)); err != nil {
		return // clients take an answer without a request for none
	}
	text := cause.Error() + "\n"
	fmt.Fprintf(client, "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	client.CloseWrite()
	io.CopyN(io.Discard, client, refusedBytes) // a reset would take the answer away
}
