package tunnel

import (
	"bufio"
	"net"
	"sync"
)

// Exit is a listener for connections that arrive through a tunnel in the same process. Each takes
// one descriptor instead of three, and ends when the server closes it.
type Exit struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewExit returns a listener whose address is reported as addr.
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

// Close makes Accept fail and closes connections that arrive later.
func (e *Exit) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// Addr returns the reported address.
func (e *Exit) Addr() net.Addr { return e.addr }

// hand passes a connection to Accept. The reader in may have buffered its first bytes.
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

// begun is a connection whose first bytes are in a buffer.
type begun struct {
	net.Conn
	in *bufio.Reader
}

// Read reads from the buffer, then from the peer.
func (b *begun) Read(p []byte) (int, error) { return b.in.Read(p) }

// CloseWrite closes the direction to the peer, or the whole connection if its directions can't be
// closed separately.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return b.Close()
}
