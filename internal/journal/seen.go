package journal

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/lease"
)

// seen knows when each caller sent its last request, to the second.
type seen struct {
	mu      sync.RWMutex
	callers map[caller]*atomic.Int64
	since   time.Time // nothing is known of the time before
}

type caller struct {
	principal string
	address   netip.Addr
}

// See notes a request of a caller.
func (j *Journal) See(principal string, address netip.Addr, at time.Time) {
	s, who := &j.seen, caller{principal, address}
	s.mu.RLock()
	last := s.callers[who]
	s.mu.RUnlock()
	if last != nil {
		last.Store(at.Unix())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callers == nil || len(s.callers) >= maxSeen {
		s.callers, s.since = make(map[caller]*atomic.Int64), at
	}
	last = new(atomic.Int64)
	last.Store(at.Unix())
	who.principal = strings.Clone(principal) // it may be part of a whole token
	s.callers[who] = last
}

// Silent returns for how long a holder has sent no request at all, as far as is known: not longer
// than the journal looks back.
func (j *Journal) Silent(h *lease.Holder, now time.Time) time.Duration {
	at := j.started
	address, err := netip.ParseAddr(h.Address)
	s := &j.seen
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.since.After(at) {
		at = s.since
	}
	if last := s.callers[caller{h.Principal, address}]; err == nil && last != nil {
		at = time.Unix(last.Load(), 0)
	}
	return max(0, now.Sub(at))
}
