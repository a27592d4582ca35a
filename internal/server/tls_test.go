package server

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/internal/wire"
)

// writeCertificate writes a self-signed certificate for a name and its key into two files.
func writeCertificate(t *testing.T, certFile, keyFile, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// certificate returns one that was loaded from files.
func certificate(t *testing.T) *Certificate {
	t.Helper()
	cert, key := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	writeCertificate(t, cert, key, "first")
	c, err := LoadCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTLS(t *testing.T) {
	type exchange struct {
		Meta wire.Metadata `meta:"x-ms-meta-"`
	}
	decode, encode := wire.CompileArgs[exchange](), wire.CompileResults[exchange]()
	l := loopback(t)
	run(t, New(func(r *wire.Request) {
		var e exchange
		if err := decode.Decode(r, &e); err != nil || r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Errorf("%v, %+v", err, r.TLS)
		}
		encode.Write(r, 200, &e)
	}, nil), TLS(l, &tls.Config{GetCertificate: certificate(t).Get}))
	raw, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if p := raw.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("negotiated %q", p)
	}
	c := &client{t, raw, bufio.NewReader(raw)}
	for range 2 {
		c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 0\nx-ms-meta-fooBar: 1\n\n")
		if head, err := rawHead(c.in); err != nil || !strings.Contains(head, "\r\nx-ms-meta-fooBar: 1\r\n") {
			t.Errorf("%v\n%s", err, head)
		}
	}
}

func TestPeersThatDoNotSpeakTLSAreCutOff(t *testing.T) {
	l := loopback(t)
	run(t, New(answer, nil), TLS(l, &tls.Config{GetCertificate: certificate(t).Get}))
	c := dial(t, l)
	c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

func TestSlowHandshakesAreCutOff(t *testing.T) {
	cert := certificate(t)
	for _, secure := range []func(net.Listener, *tls.Config) net.Listener{TLS, HTTP2} {
		synctest.Test(t, func(t *testing.T) {
			l := pipes{make(chan net.Conn), make(chan struct{})}
			done := make(chan error)
			go func() { done <- New(answer, nil).Serve(t.Context(), secure(l, &tls.Config{GetCertificate: cert.Get})) }()
			near, far := net.Pipe()
			l.accept <- far
			c := &client{t, near, bufio.NewReader(near)}
			if took := c.closes(); took < headTimeout || took > headTimeout+10*time.Second {
				t.Errorf("after %v", took)
			}
			t.Cleanup(func() { <-done })
		})
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	c := certificate(t)
	name := func() string {
		t.Helper()
		pair, err := c.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.DNSNames[0]
	}
	writeCertificate(t, c.certFile, c.keyFile, "second")
	if err := c.Reload(); err != nil || name() != "second" {
		t.Errorf("%v, still %s", err, name())
	}
	if err := os.WriteFile(c.certFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil || name() != "second" {
		t.Errorf("after broken files: %v, %s", err, name())
	}
	if _, err := LoadCertificate(c.certFile, c.keyFile); err == nil {
		t.Error("broken files were loaded")
	}
	if _, err := LoadCertificate(c.certFile+"x", c.keyFile); err == nil {
		t.Error("missing files were loaded")
	}
}
