package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// TLS returns a listener for Serve whose connections speak HTTP/1.1 over TLS, as the service does.
// See HTTP2 for HTTP/2. The configuration needs certificates; it is not changed.
func TLS(l net.Listener, config *tls.Config) net.Listener {
	c := config.Clone()
	c.NextProtos = []string{"http/1.1"}
	return tlsListener{l, c}
}

// tlsListener makes a secureConn of each connection that it accepts.
type tlsListener struct {
	net.Listener
	config *tls.Config
}

// Accept waits for the next connection. The handshake is left to the goroutine that serves it.
func (l tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newSecureConn(tls.Server(c, l.config)), nil
}

// secureConn is a conn over TLS. net/http does not take it for a *tls.Conn, and asks for its
// ConnectionState before anything else.
type secureConn struct{ conn }

func newSecureConn(c *tls.Conn) *secureConn {
	s := &secureConn{conn: conn{Conn: c}}
	s.bind()
	return s
}

// ConnectionState does the handshake and returns its result. If it fails, so will the first read.
func (c *secureConn) ConnectionState() tls.ConnectionState {
	t := c.Conn.(*tls.Conn)
	deadline := time.Now().Add(headTimeout)
	t.SetDeadline(deadline)
	if err := t.Handshake(); err == nil {
		t.SetDeadline(time.Time{})
	}
	return t.ConnectionState()
}

// Certificate is a certificate in files. It can be reloaded, so that it can be renewed while the
// server runs.
type Certificate struct {
	certFile, keyFile string

	current atomic.Pointer[tls.Certificate]
}

// LoadCertificate reads a certificate chain and its key, both in PEM form.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Get is for the GetCertificate field of a tls.Config.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Expiry returns the end of the certificate's validity.
func (c *Certificate) Expiry() time.Time { return c.current.Load().Leaf.NotAfter }

// Reload reads the files again. If they can't be read or don't belong together, the previous
// certificate stays in use.
func (c *Certificate) Reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", c.certFile, err)
	}
	c.current.Store(&pair)
	return nil
}
