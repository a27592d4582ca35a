package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// conn is a connection that keeps the head of the request it carries and cuts off peers that stall.
//
// It is in one of two states. While it waits for a request and reads its head, net/http sets the
// deadlines and the bytes are kept. From the moment the handler runs until the answer is complete,
// the bytes are those of a body: they pass, and every read has a deadline of its own.
type conn struct {
	net.Conn
	head    head
	serving atomic.Bool  // the second state
	stalled atomic.Bool  // a body stalled: it gets no second chance when it is drained
	website bool         // accepted by a listener of Website
	idle    atomic.Int64 // since when it has carried no request, see connLimiter
	reading deadline
	writing deadline
	peer    *peer // nil where addresses are not told apart
	body    arrival

	reason atomic.Pointer[reason] // of the answer that is written next; nil unless it is a failure

	// metaNames is head.sent and failed is fail, made once per connection.
	metaNames func(canonical string) string
	failed    func(status int, sentence string)
}

// fileConn is a conn over a transport that can send files. net/http passes files to it through
// io.ReaderFrom.
type fileConn struct {
	conn
	transport fileTransport
}

// fileTransport holds the methods of *net.TCPConn that net/http looks for.
type fileTransport interface {
	io.ReaderFrom
	CloseWrite() error
}

// wrap returns c as a conn or fileConn. A connection that a TLS listener accepted is one already,
// or speaks HTTP/2 and is returned as it is.
func wrap(c net.Conn) net.Conn {
	if _, ok := c.(*tls.Conn); ok || tracked(c) != nil {
		return c
	}
	if t, ok := c.(fileTransport); ok {
		w := &fileConn{conn: conn{Conn: c}, transport: t}
		w.bind()
		return w
	}
	w := &conn{Conn: c}
	w.bind()
	return w
}

// bind makes the functions that are handed to requests.
func (c *conn) bind() { c.metaNames, c.failed = c.head.sent, c.fail }

// tracked returns the conn in what wrap returned, or nil.
func tracked(c net.Conn) *conn {
	switch c := c.(type) {
	case *fileConn:
		return &c.conn
	case *secureConn:
		return &c.conn
	case *conn:
		return c
	}
	return nil
}

// listener wraps the connections that it accepts.
type listener struct{ net.Listener }

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrap(c), nil
}

// Website returns l as a listener whose requests are read with Options.Websites.
func Website(l net.Listener) net.Listener { return website{l} }

// website marks the connections that it accepts.
type website struct{ net.Listener }

// Accept waits for the next connection.
func (l website) Accept() (net.Conn, error) {
	c, err := listener(l).Accept()
	if err == nil {
		tracked(c).website = true
	}
	return c, err
}

// connKey is the key of the conn in the context of its requests.
type connKey struct{}

// withConn is the ConnContext of the HTTP server.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t := tracked(c); t != nil {
		return context.WithValue(ctx, connKey{}, t)
	}
	return ctx
}

// connOf returns the conn that a request came on, or nil.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// follow is the ConnState hook of the HTTP server: a connection that becomes idle waits for a head
// again. The body of the previous request has been read to its end by then.
func (s *Server) follow(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.metrics.connections.Inc()
		s.admit(c, s.limiter.idle(c))
	case http.StateActive:
		s.limiter.idle(c).Store(0)
	case http.StateIdle:
		s.limiter.idle(c).Store(time.Now().UnixNano())
	case http.StateClosed:
		s.metrics.connections.Dec()
		s.limiter.remove(c)
		if t := tracked(c); t != nil {
			s.limiter.leave(t.peer)
		}
	}
	t := tracked(c)
	if t == nil || state != http.StateIdle && state != http.StateClosed {
		return
	}
	t.head.reset()
	t.reason.Store(nil)
	t.body.reset()
	t.serving.Store(false)
}

// admit counts a connection in, and closes one if there are too many.
func (s *Server) admit(c net.Conn, idle *atomic.Int64) {
	if t := tracked(c); t != nil {
		t.peer = s.limiter.peer(c)
	}
	if excess := s.limiter.add(c, idle); excess != nil {
		s.dismiss(excess)
	}
}

// dismiss closes a connection because too many are open. It does not wait: closing TLS sends a
// message first.
func (s *Server) dismiss(c net.Conn) {
	go c.Close()
	if n := s.dismissed.count(time.Now()); n > 0 {
		s.o.Log.Warn("connections closed because too many were open", "closed", n, "limit", s.o.MaxConnections)
	}
}

// Read reads bytes of the peer.
func (c *conn) Read(p []byte) (int, error) {
	if !c.serving.Load() {
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.head.record(p[:n])
		}
		return n, err
	}
	if len(p) == 1 {
		// net/http watches the peer with reads of one byte while a handler runs, for as long as it
		// runs; bodies are read through a buffer.
		return c.Conn.Read(p)
	}
	if c.stalled.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	if until := c.body.until.Load(); until != 0 {
		c.reading.forget()
		if err := c.Conn.SetReadDeadline(time.Unix(0, until)); err != nil {
			return 0, err
		}
	} else if err := c.reading.extend(c.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) || c.body.tooSlow(n, time.Since(began)) {
		c.stalled.Store(true)
	}
	return n, err
}

// boundBody cuts off the rest of the request's body after d.
func (c *conn) boundBody(d time.Duration) { c.body.until.Store(time.Now().Add(d).UnixNano()) }

// arrival measures how the body of a request arrives.
type arrival struct {
	waited atomic.Int64 // nanoseconds of reads that waited for the peer
	bytes  atomic.Int64
	until  atomic.Int64 // when the rest is cut off, in Unix nanoseconds; 0 for never
}

// tooSlow notes a read of n bytes and the time it took, and reports whether the body arrives too
// slowly.
func (a *arrival) tooSlow(n int, took time.Duration) bool {
	bytes, waited := a.bytes.Add(int64(n)), time.Duration(a.waited.Add(int64(took)))
	return waited > stallTimeout && bytes < int64((waited-stallTimeout).Seconds()*minBodyRate)
}

func (a *arrival) reset() {
	a.waited.Store(0)
	a.bytes.Store(0)
	a.until.Store(0)
}

// SetReadDeadline is called by net/http for heads, for idle connections, and to end its background
// read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reading.forget()
	return c.Conn.SetReadDeadline(t)
}

// Write writes in pieces, each of which the peer must accept in time.
func (c *conn) Write(p []byte) (written int, err error) {
	if r := c.reason.Load(); r != nil {
		return c.writeReason(r, p)
	}
	for {
		if err = c.writing.extend(c.Conn.SetWriteDeadline); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), writeChunk)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// SetWriteDeadline sets a deadline, until the next write sets its own. Clearing the deadline, as
// net/http does after every request, needs no system call for the same reason.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	c.writing.forget()
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// ReadFrom sends the content of src. A limited file, which is what io.CopyN passes, goes out by
// sendfile, piece by piece.
func (c *fileConn) ReadFrom(src io.Reader) (sent int64, err error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return io.Copy(struct{ io.Writer }{&c.conn}, src)
	}
	for limited.N > 0 {
		if err = c.writing.extend(c.Conn.SetWriteDeadline); err != nil {
			return sent, err
		}
		piece := io.LimitedReader{R: limited.R, N: min(limited.N, writeChunk)}
		asked := piece.N
		n, err := c.transport.ReadFrom(&piece)
		sent += n
		limited.N -= asked - piece.N
		if err != nil || n < asked {
			return sent, err
		}
	}
	return sent, nil
}

// CloseWrite ends the answer, so that a peer that still sends can read it.
func (c *fileConn) CloseWrite() error { return c.transport.CloseWrite() }

// deadline keeps a deadline about stallTimeout away, within an eighth, without a system call for
// every use.
type deadline struct{ set atomic.Int64 } // when it was last set, in Unix nanoseconds; 0 if other code set it

// extend moves the deadline if it is time to.
func (d *deadline) extend(setDeadline func(time.Time) error) error {
	now := time.Now()
	if last := d.set.Load(); last != 0 && now.UnixNano()-last < int64(stallTimeout/8) && now.UnixNano() >= last {
		return nil
	}
	d.set.Store(now.UnixNano())
	return setDeadline(now.Add(stallTimeout))
}

// forget notes that other code set the deadline.
func (d *deadline) forget() { d.set.Store(0) }
