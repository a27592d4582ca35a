package server

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// connLimiter tracks the open connections and bounds their number: clients leave connections open
// that they may never use again, and every one takes a descriptor, of which the process has only so
// many.
type connLimiter struct {
	limit int
	mu    sync.Mutex
	open  map[net.Conn]*atomic.Int64 // since when each has carried no request, in Unix nanoseconds; 0 while it carries one
	peers map[netip.Addr]*peer
}

// peer is a remote address with open connections.
type peer struct {
	address netip.Addr
	open    int // connections
	serving atomic.Int64
}

// peer returns the peer of a connection, and counts the connection until leave; nil if it has no IP
// address.
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

// leave ends the counting of a connection of a peer.
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

// add adds a connection that waits for its first request. A new connection counts as idle only
// after firstRequest, because a client whose first request finds the connection closed does not try
// again, as it does with a connection that it has kept. If there are too many connections now, add
// returns the one to close: the one that has been idle longest, or else c itself. While all idle
// connections are new there may be twice as many, since most are soon gone or busy.
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

// idle returns the time since which a connection has been idle. For a connection that is to be
// closed, the value has no effect.
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
