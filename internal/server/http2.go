package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// HTTP2 returns a listener for Serve as TLS does, but its clients may choose HTTP/2 as well. In
// HTTP/2 the names of metadata are in lower case both ways, since it has no other header names. The
// configuration needs certificates; it is not changed.
//
// Accept returns a connection once it has agreed on a protocol, because the protocol decides what
// serves the connection.
func HTTP2(l net.Listener, config *tls.Config) net.Listener {
	c := config.Clone()
	c.NextProtos = []string{"h2", "http/1.1"}
	return &negotiator{Listener: l, config: c, ready: make(chan accepted), closed: make(chan struct{})}
}

// negotiator does the handshakes of the connections that it accepts, each in a goroutine of its
// own.
type negotiator struct {
	net.Listener
	config *tls.Config
	ready  chan accepted
	closed chan struct{}
	once   sync.Once
	server *Server // its bound on connections includes connections in their handshake
}

// negotiate begins to accept. Serve calls it, once.
func (s *Server) negotiate(l net.Listener) {
	if n, ok := l.(*negotiator); ok {
		n.server = s
		go n.run()
	}
}

// accepted is a result of Accept.
type accepted struct {
	conn net.Conn
	err  error
}

// run accepts until the listener is closed.
func (n *negotiator) run() {
	for {
		c, err := n.Listener.Accept()
		if err == nil {
			n.server.admit(c, new(atomic.Int64))
			go n.negotiate(c)
			continue
		}
		if !n.hand(accepted{err: err}) || errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// negotiate does the handshake, which has to be over in the time for a head.
func (n *negotiator) negotiate(c net.Conn) {
	t := tls.Server(c, n.config)
	s := newSecureConn(t)
	var ready net.Conn = s
	state := s.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		ready = t
	}
	n.server.limiter.remove(c) // from here on it counts as ready
	if !state.HandshakeComplete || !n.hand(accepted{conn: ready}) {
		c.Close()
	}
}

// hand hands a to a call of Accept; it reports false once the listener is closed.
func (n *negotiator) hand(a accepted) bool {
	select {
	case n.ready <- a:
		return true
	case <-n.closed:
		return false
	}
}

// Accept waits for the next connection that has agreed on a protocol.
func (n *negotiator) Accept() (net.Conn, error) {
	select {
	case a := <-n.ready:
		return a.conn, a.err
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (n *negotiator) Close() error {
	n.once.Do(func() { close(n.closed) })
	return n.Listener.Close()
}

// stream is one request of an HTTP/2 connection and its answer, under the deadlines that conn has
// for HTTP/1.1.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
	body    io.ReadCloser
	reading deadline
	writing deadline
}

// guard puts deadlines on the bodies of an HTTP/2 request. It returns the writer to answer with.
func guard(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	s := &stream{ResponseWriter: w, control: http.NewResponseController(w), body: r.Body}
	r.Body = streamBody{s}
	return s
}

// Unwrap is for http.ResponseController.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write writes in pieces, each of which the peer must accept in time.
func (s *stream) Write(p []byte) (written int, err error) {
	for {
		if err = s.writing.extend(s.control.SetWriteDeadline); err != nil {
			return written, err
		}
		n, err := s.ResponseWriter.Write(p[:min(len(p), writeChunk)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// streamBody is the body of the request of a stream.
type streamBody struct{ *stream }

// Read reads bytes, which must arrive in time.
func (b streamBody) Read(p []byte) (int, error) {
	if err := b.reading.extend(b.control.SetReadDeadline); err != nil {
		return 0, err
	}
	return b.body.Read(p)
}

// Close gives up the rest of the body.
func (b streamBody) Close() error { return b.body.Close() }

// http2Limits returns the limits of a connection. Streams count against Options.MaxRequests as
// well, and a peer that answers no ping is taken to be gone.
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: 250, // what clients expect of a server; more connections carry more
		SendPingTimeout:      idleTimeout / 10,
		PingTimeout:          15 * time.Second,
		WriteByteTimeout:     stallTimeout,
	}
}
