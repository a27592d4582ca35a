// Package journal keeps in memory what happens to leases: who holds which one now, the last events,
// who was refused how often. It is what people look at. No rule asks it, nothing is decided by it,
// and it starts anew with the process.
//
// A Journal observes: [Journal.Observe] gets the lease of a resource before and after each change
// that was committed. A lease that ends by time writes
// nothing, so [Journal.Advance] notices it. Everything is bounded; see the constants.
package journal

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/lease"
)

// Bounds of what is kept.
const (
	// MaxEvents is how many events are kept of all resources: some 5 MB.
	MaxEvents = 32_768
	// MaxRefused is how many resources have their refusals kept. The one that was refused longest
	// ago gives way.
	MaxRefused = 4096

	// maxResting is how many entries of leases that ended stay for the next acquire of the same
	// name, which then allocates nothing.
	maxResting = 16_384
	// maxHolders is how many descriptions of holders are shared; over it, sharing starts anew.
	maxHolders = 4096
	// maxSeen is how many callers have the time of their last request kept; over it, they start
	// anew.
	maxSeen = 4096
	// keptRenewals is how many times of renewals an entry keeps, for the timeline.
	keptRenewals = 16
)

// Name names a blob or, with an empty Blob, a container.
type Name struct{ Account, Container, Blob string }

// String returns CONTAINER or CONTAINER/BLOB.
func (n Name) String() string {
	if n.Blob == "" {
		return n.Container
	}
	return n.Container + "/" + n.Blob
}

func (n Name) clone() Name {
	return Name{strings.Clone(n.Account), strings.Clone(n.Container), strings.Clone(n.Blob)}
}

// Change is what one committed update did to the lease of a resource.
type Change struct {
	Name       Name
	Generation uint64 // of the container
	Was, Is    lease.Lease
	Gone       bool          // the resource was deleted
	Expires    lease.Instant // when the resource itself ends; 0 for never
	At         time.Time     // the moment that the update was judged at
	By         lease.Holder  // who sent the request
	Request    string        // its ID
}

// Journal keeps what happens to leases. It is safe for concurrent use. The zero value is not ready:
// see [New].
type Journal struct {
	started time.Time

	mu      sync.Mutex // guards everything up to the next lock; held for some hundred nanoseconds
	live    map[Name]*entry
	holders map[lease.Holder]*lease.Holder
	fresh   []*entry            // not in order yet
	under   map[containerOf]int // locked resources of each container
	resting int
	wheel   wheel
	events  ring
	touched map[Name]struct{} // observed since the table is being filled; nil when it is filled
	untidy  bool              // order has entries that are not locked, or not all that are

	ordering sync.Mutex // held by readers of the whole table and by Advance
	order    []*entry   // by name

	listener func(Occurrence) // nil for none; never modified while the journal is used

	refusals refusals
	seen     seen
	filled   atomic.Bool
	version  atomic.Uint64 // of the table
}

type containerOf struct{ account, container string }

// New returns an empty journal of a process that started at a time of the store's clock.
func New(started time.Time) *Journal {
	return &Journal{
		started: started,
		live:    make(map[Name]*entry),
		holders: make(map[lease.Holder]*lease.Holder),
		under:   make(map[containerOf]int),
		wheel:   wheel{last: started.Unix()},
	}
}

// Started returns since when there is a history.
func (j *Journal) Started() time.Time { return j.started }

// Observe notes a change. It may be called after others that were committed later: the moments of
// the changes of one resource decide. It allocates nothing for a resource that is in the table, or
// was a moment ago.
func (j *Journal) Observe(c *Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.touched != nil {
		j.touch(c.Name)
	}
	e := j.live[c.Name]
	locked := !c.Gone && c.Is.State(c.At).Locked()
	kind := c.kind()
	if e == nil && !locked && kind == none {
		return
	}
	if e == nil {
		e = j.insert(c.Name.clone())
	}
	if lease.At(c.At) < e.at {
		return // a later change was observed before
	}
	e.at = lease.At(c.At)
	j.occur(c.occurrence(kind))
	if kind == Acquired || kind == TakenOver {
		e.begin()
	}
	if kind != Released && kind != Deleted && kind != none {
		e.set(&c.Is, c.Generation, c.Expires, j.share(&c.Is.Holder))
	}
	switch kind {
	case none:
	case Renewed:
		e.renew(c.Is.Renewed)
	default:
		j.events.add(Event{At: lease.At(c.At), Kind: kind, Name: e.name, Epoch: e.epoch, By: j.share(&c.By), Request: c.Request,
			Seconds: c.seconds(kind)})
	}
	j.lock(e, locked)
	j.version.Add(1)
}

// kind returns what a change was; none if it has nothing to tell.
func (c *Change) kind() Kind {
	was, is := &c.Was, &c.Is
	switch {
	case c.Gone && was.State(c.At).Locked():
		return Deleted
	case c.Gone:
		return none
	case is.Kind == lease.None && was.State(c.At).Locked():
		return Released
	case is.Kind == lease.None:
		return none
	case is.Epoch != was.Epoch && was.Kind != lease.None && was.ID != is.ID:
		return TakenOver
	case is.Epoch != was.Epoch:
		return Acquired
	case is.Kind == lease.Ended && (was.Kind != lease.Ended || was.End != is.End):
		return Broken
	case is.ID != was.ID:
		return Changed
	case is.Renewed != was.Renewed:
		return Renewed
	}
	return none
}

// seconds returns the length that goes with an event: of the lease that was acquired, or of what is
// left after a break.
func (c *Change) seconds(k Kind) int32 {
	switch k {
	case Acquired, TakenOver:
		return int32(c.Is.Duration)
	case Broken:
		return int32(c.Is.Left(c.At) / time.Second)
	}
	return 0
}

// ContainerDeleted notes that a container and all that was in it are gone.
func (j *Journal) ContainerDeleted(account, container string, at time.Time, by lease.Holder, request string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.touched != nil {
		j.touch(Name{Account: account, Container: container})
	}
	if j.under[containerOf{account, container}] == 0 {
		return
	}
	for name, e := range j.live {
		if name.Account == account && name.Container == container && e.locked {
			e.at = lease.At(at)
			j.occur(Occurrence{Kind: Deleted, Name: name, Held: time.Duration(lease.At(at) - e.since)})
			j.lock(e, false)
			j.version.Add(1)
		}
	}
	name := Name{Account: strings.Clone(account), Container: strings.Clone(container)}
	j.events.add(Event{At: lease.At(at), Kind: Deleted, Name: name, By: j.share(&by), Request: request})
}

// insert adds an entry for a name that nobody else refers to.
func (j *Journal) insert(name Name) *entry {
	e := &entry{name: name}
	j.live[name] = e
	return e
}

// lock makes an entry part of the table, or lets it rest.
func (j *Journal) lock(e *entry, locked bool) {
	if locked {
		if !e.ordered {
			e.ordered = true
			j.fresh = append(j.fresh, e)
			j.untidy = true
		}
		j.wheel.add(e)
	}
	if e.locked == locked {
		if !locked && !e.resting {
			j.rest(e)
		}
		return
	}
	e.locked = locked
	j.untidy = true
	if at := (containerOf{e.name.Account, e.name.Container}); locked {
		j.under[at]++
	} else if j.under[at]--; j.under[at] == 0 {
		delete(j.under, at)
	}
	switch {
	case !locked:
		j.rest(e)
	case e.resting:
		e.resting = false
		j.resting--
	}
}

// rest keeps the entry of a lease that has ended, as far as there is room.
func (j *Journal) rest(e *entry) {
	if j.resting >= maxResting {
		delete(j.live, e.name)
		return
	}
	e.resting = true
	j.resting++
	j.wheel.addIdle(e)
}

// share returns the one copy of a description that all events and entries refer to. The texts of a
// request are parts of its whole header, which would be kept with them.
func (j *Journal) share(h *lease.Holder) *lease.Holder {
	if shared := j.holders[*h]; shared != nil {
		return shared
	}
	if len(j.holders) >= maxHolders {
		clear(j.holders)
	}
	own := &lease.Holder{Principal: strings.Clone(h.Principal), Address: strings.Clone(h.Address), Client: strings.Clone(h.Client)}
	j.holders[*own] = own
	return own
}
