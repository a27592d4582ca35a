package tunnel

import (
	"bufio"
	"net"
	"sync"
)

// Exit is a listener of the connections that come through a tunnel of the same process. They take one descriptor each in place
// of three, and end when the server ends them.
type Exit struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewExit returns a listener that calls itself addr.
func NewExit(addr net.Addr) *Exit {
	return &Exit{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next connection.
func (e *Exit) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept, and connections that come later.
func (e *Exit) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// Addr returns the address that the listener calls itself.
func (e *Exit) Addr() net.Addr { return e.addr }

// hand gives a connection, of which in may have read something, to whoever accepts.
func (e *Exit) hand(c net.Conn, in *bufio.Reader) {
	if in.Buffered() > 0 {
		c = &begun{c, in}
	}
	select {
	case e.conns <- c:
	case <-e.closed:
		c.Close()
	}
}

// begun is a connection of which something has been read.
type begun struct {
	net.Conn
	in *bufio.Reader
}

// Read reads what the peer sends.
func (b *begun) Read(p []byte) (int, error) { return b.in.Read(p) }

// CloseWrite ends the direction to the peer, or the connection if its directions can't end apart.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return b.Close()
}
