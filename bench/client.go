package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// client sends calls one after the other and reads their answers. It belongs to one worker.
type client interface {
	// do sends the call and fills the answer. An error means that no whole answer arrived.
	do(c *call, a *answer) error
	// deadline bounds everything that is sent until the next deadline.
	deadline(t time.Time)
	close()
}

// The kinds of clients.
const (
	rawKind = "raw"  // hand-written HTTP/1.1 over a TCP connection: the least the client side can cost
	netKind = "http" // net/http with keep-alive: what a Go program uses
)

// chunkSize is the size of the pieces in which bodies are read.
const chunkSize = 256 << 10

// dial returns a client of the given kind for the target. Each client keeps one connection.
func dial(kind string, t *target) (client, error) {
	s, err := newSigner(t.account, t.key)
	if err != nil {
		return nil, err
	}
	if kind == netKind {
		return newHTTPClient(t, s), nil
	}
	return dialRaw(t, s)
}

// rawClient writes requests and parses responses by hand.
type rawClient struct {
	conn   net.Conn
	br     *bufio.Reader
	signer *signer
	host   string
	out    []byte
	chunk  []byte
	closed bool
}

func dialRaw(t *target, s *signer) (*rawClient, error) {
	conn, err := net.DialTimeout("tcp", t.addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &rawClient{conn: conn, br: bufio.NewReaderSize(conn, 16<<10), signer: s, host: t.addr, chunk: make([]byte, chunkSize)}, nil
}

func (r *rawClient) do(c *call, a *answer) error {
	if r.closed {
		return fmt.Errorf("%w by the server", net.ErrClosed)
	}
	r.out = r.request(r.out[:0], c)
	var err error
	if len(c.body) <= 16<<10 {
		r.out = append(r.out, c.body...)
		_, err = r.conn.Write(r.out)
	} else {
		pieces := net.Buffers{r.out, c.body}
		_, err = pieces.WriteTo(r.conn)
	}
	if err != nil {
		return err
	}
	keep, err := readAnswer(r.br, c.method == "HEAD", a, r.chunk)
	r.closed = !keep
	return err
}

// request appends the request line and the header.
func (r *rawClient) request(b []byte, c *call) []byte {
	authorization := r.signer.sign(c, time.Now())
	b = append(b, c.method...)
	b = append(b, ' ')
	b = append(b, c.path...)
	if c.query != "" {
		b = append(b, '?')
		b = append(b, c.query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.host...)
	b = append(b, "\r\nAuthorization: "...)
	b = append(b, authorization...)
	for i := range c.fields {
		b = append(b, '\r', '\n')
		b = append(b, c.fields[i].name...)
		b = append(b, ':', ' ')
		b = append(b, c.fields[i].value...)
	}
	if c.method == "PUT" {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(c.body)), 10)
	}
	return append(b, "\r\n\r\n"...)
}

func (r *rawClient) deadline(t time.Time) { r.conn.SetDeadline(t) }
func (r *rawClient) close()               { r.conn.Close() }

// httpClient is net/http with a transport of its own, tuned to one connection that stays open.
type httpClient struct {
	client *http.Client
	signer *signer
	host   string
	chunk  []byte
}

func newHTTPClient(t *target, s *signer) *httpClient {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 1,
		DisableCompression:  true,
		ReadBufferSize:      16 << 10,
		WriteBufferSize:     64 << 10,
	}
	return &httpClient{client: &http.Client{Transport: transport}, signer: s, host: t.addr, chunk: make([]byte, chunkSize)}
}

func (h *httpClient) do(c *call, a *answer) error {
	res, err := h.send(c)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	a.reset()
	a.status, a.length = res.StatusCode, res.ContentLength
	a.etag = res.Header.Get("Etag") != ""
	a.lease = append(a.lease, res.Header.Get("X-Ms-Lease-Id")...)
	a.code = append(a.code, res.Header.Get("X-Ms-Error-Code")...)
	for {
		n, err := res.Body.Read(h.chunk)
		a.take(h.chunk[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (h *httpClient) send(c *call) (*http.Response, error) {
	authorization := h.signer.sign(c, time.Now())
	header := make(http.Header, len(c.fields)+1)
	header["Authorization"] = []string{string(authorization)}
	for i := range c.fields {
		header[c.fields[i].canonical] = []string{c.fields[i].value}
	}
	req := &http.Request{
		Method: c.method,
		URL:    &url.URL{Scheme: "http", Host: h.host, Opaque: c.path, RawQuery: c.query},
		Header: header, Host: h.host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(c.body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	}
	return h.client.Do(req)
}

func (h *httpClient) deadline(t time.Time) { h.client.Timeout = time.Until(t) }
func (h *httpClient) close()               { h.client.CloseIdleConnections() }
