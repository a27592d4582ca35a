package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// TLS returns a listener for Serve whose connections speak TLS below HTTP/1.1. There is no HTTP/2: the service has none, and
// it would lose the case of metadata names. The configuration needs certificates; it is not changed.
func TLS(l net.Listener, config *tls.Config) net.Listener {
	c := config.Clone()
	c.NextProtos = []string{"http/1.1"}
	return tlsListener{l, c}
}

// tlsListener makes secureConns of what it accepts.
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
	s := &secureConn{conn: conn{Conn: tls.Server(c, l.config)}}
	s.metaNames = s.head.sent
	return s, nil
}

// secureConn is a conn over TLS. It is no *tls.Conn to net/http, which asks for its state before anything else.
type secureConn struct{ conn }

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

// certificateCheck is how often the files of a certificate are looked at.
const certificateCheck = time.Minute

// Certificate is a certificate in files, which is read again when they change, so that it can be renewed while the server
// runs.
type Certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	current *tls.Certificate
	read    time.Time // modification time of the newer file
	checked time.Time
}

// LoadCertificate reads a certificate chain and its key, both in PEM form.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile}
	return c, c.reload(time.Now())
}

// Get is for the GetCertificate field of a tls.Config. If new files can't be read, the certificate stays what it was.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= certificateCheck {
		c.reload(now)
	}
	return c.current, nil
}

// reload reads the files if they are not those that were read last.
func (c *Certificate) reload(now time.Time) error {
	c.checked = now
	var newest time.Time
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if newest.Equal(c.read) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading the certificate %s: %w", c.certFile, err)
	}
	c.current, c.read = &pair, newest
	return nil
}
