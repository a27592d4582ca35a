package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// echo answers with the body of the request and its metadata.
func echo(r *wire.Request) {
	type exchange struct {
		Meta wire.Metadata `meta:"x-ms-meta-"`
		Body wire.Body     `body:"stream"`
	}
	var e exchange
	err := wire.CompileArgs[exchange]().Decode(r, &e)
	var sent []byte
	if err == nil {
		sent, err = io.ReadAll(e.Body)
	}
	if err != nil {
		wire.WriteError(r, err)
		return
	}
	for name, value := range e.Meta {
		r.Writer.Header()["x-ms-meta-"+name] = []string{value}
	}
	r.Writer.Write(sent)
}

// speaking returns a client that speaks one protocol.
func speaking(dial func(context.Context, string, string) (net.Conn, error), http2 bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!http2)
	p.SetHTTP2(http2)
	return &http.Client{Transport: &http.Transport{Protocols: p, DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func TestHTTP2(t *testing.T) {
	l := loopback(t)
	run(t, New(echo, nil), HTTP2(l, &tls.Config{GetCertificate: certificate(t).Get}))
	body := strings.Repeat("0123456789abcdef", writeChunk/8)
	for _, http2 := range []bool{true, false} {
		c := speaking(new(net.Dialer).DialContext, http2)
		for range 2 {
			req, _ := http.NewRequest("PUT", "https://"+l.Addr().String()+"/a/c/b", strings.NewReader(body))
			req.Header["x-ms-meta-fooBar"] = []string{"1"}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(got) != body || (resp.ProtoMajor == 2) != http2 {
				t.Errorf("%v, %d of %d bytes, %v", resp.Proto, len(got), len(body), err)
			}
			if resp.Header.Get("x-ms-meta-fooBar") != "1" {
				t.Errorf("%v: %v", resp.Proto, resp.Header)
			}
		}
		c.CloseIdleConnections()
	}
	raw, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := &client{t, raw, bufio.NewReader(raw)}
	c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 0\nx-ms-meta-fooBar: 1\n\n")
	if head, err := rawHead(c.in); err != nil || !strings.Contains(head, "\r\nx-ms-meta-fooBar: 1\r\n") {
		t.Errorf("%v\n%s", err, head)
	}
}

// TestHandshakesCount: who says nothing gives way before it has agreed on a protocol, too.
func TestHandshakesCount(t *testing.T) {
	cert := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		s := New(answer, &Options{MaxConnections: 1}) // and as many new ones again
		go func() { done <- s.Serve(ctx, HTTP2(l, &tls.Config{GetCertificate: cert.Get})) }()
		connect := func() *client {
			near, far := net.Pipe()
			l.accept <- far
			time.Sleep(time.Second)
			return &client{t, near, bufio.NewReader(near)}
		}
		first, second := connect(), connect()
		third := connect()
		if took := first.closes(); took != 0 {
			t.Errorf("the first was closed after %v", took)
		}
		if took := second.closes(); took != headTimeout-2*time.Second {
			t.Errorf("the second was closed after %v", took)
		}
		third.closes()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestStalledStreamsAreCutOff(t *testing.T) {
	cert := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- New(store, nil).Serve(ctx, HTTP2(l, &tls.Config{GetCertificate: cert.Get})) }()
		near, far := net.Pipe()
		l.accept <- far
		c := speaking(func(context.Context, string, string) (net.Conn, error) { return near, nil }, true)
		some, rest := io.Pipe()
		go rest.Write([]byte("some"))
		start := time.Now()
		req, _ := http.NewRequest("PUT", "https://h/a/c/b", some)
		req.ContentLength = 100
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < stallTimeout*7/8 || took > stallTimeout {
			t.Errorf("answered after %v", took)
		}
		if got, err := io.ReadAll(resp.Body); resp.StatusCode != 500 || !strings.Contains(string(got), string(fault.OperationTimedOut)) {
			t.Errorf("%v %s %v", resp, got, err)
		}
		resp.Body.Close()
		rest.Close()
		c.CloseIdleConnections()
		near.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
