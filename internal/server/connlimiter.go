package server

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// connLimiter is the open connections, which it keeps to a number: clients leave connections open that they may never use again,
// and every one takes a descriptor, of which the process has only so many.
type connLimiter struct {
	limit int
	mu    sync.Mutex
	open  map[net.Conn]*atomic.Int64 // since when each has carried no request, in Unix nanoseconds; 0 for one that does
	peers map[netip.Addr]*peer
}

// peer is an address that has connections.
type peer struct {
	address netip.Addr
	open    int // connections
	serving atomic.Int64
}

// peer returns the peer of a connection, which leave takes it from; nil if it has no IP address.
func (o *connLimiter) peer(c net.Conn) *peer {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	address := at.AddrPort().Addr().Unmap()
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.peers[address]
	if p == nil {
		if o.peers == nil {
			o.peers = map[netip.Addr]*peer{}
		}
		p = &peer{address: address}
		o.peers[address] = p
	}
	p.open++
	return p
}

// leave takes a connection from its peer.
func (o *connLimiter) leave(p *peer) {
	if p == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.open--; p.open == 0 {
		delete(o.peers, p.address)
	}
}

// add takes in a connection that waits for its first request, and counts as idle only after firstRequest: a client that made it
// to ask something does not ask again elsewhere when it is closed, as one does with a connection that it has kept. If there are
// too many now it returns the one to close: that which has been idle longest, or else c itself. As long as all that could be
// closed are new, there may be twice as many: most are gone or busy soon.
func (o *connLimiter) add(c net.Conn, idle *atomic.Int64) (excess net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if len(o.open) >= o.limit {
		longest, since := o.idlest()
		if longest == nil {
			return c
		}
		if since <= now.UnixNano() || len(o.open) >= 2*o.limit {
			delete(o.open, longest)
			excess = longest
		}
	}
	if o.open == nil {
		o.open = map[net.Conn]*atomic.Int64{}
	}
	idle.Store(now.Add(firstRequest).UnixNano())
	o.open[c] = idle
	return excess
}

// idlest returns the connection that has been idle longest and since when, nil if none is.
func (o *connLimiter) idlest() (longest net.Conn, oldest int64) {
	for c, idle := range o.open {
		if since := idle.Load(); since != 0 && (longest == nil || since < oldest) {
			longest, oldest = c, since
		}
	}
	return longest, oldest
}

// remove forgets a connection.
func (o *connLimiter) remove(c net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, c)
}

// idle returns since when a connection has been idle; what it points to counts for nothing if the connection is to be closed.
func (o *connLimiter) idle(c net.Conn) *atomic.Int64 {
	if t := tracked(c); t != nil {
		return &t.idle
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if idle := o.open[c]; idle != nil {
		return idle
	}
	return new(atomic.Int64)
}
