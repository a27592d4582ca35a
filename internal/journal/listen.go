package journal

import (
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
)

// Occurrence is one thing that happened to a lease, for counting. Unlike events, renewals occur,
// and so does each refusal.
type Occurrence struct {
	At      lease.Instant
	Kind    Kind
	Name    Name
	By      lease.Holder  // who sent the request, or held the lease that ended
	Request string        // ID of the request; "" if it was time
	Seconds int32         // the length acquired, or what a break left
	Held    time.Duration // how long a lease was held that ended
	Margin  time.Duration // how much of a finite lease was left when it was renewed
	Code    fault.Code    // of a refusal
}

// Listen has fn called with everything that happens from now on. It must be called before the
// journal is used. fn is called by many goroutines, and may run while
// the journal is locked: it must be quick and not call the journal.
func (j *Journal) Listen(fn func(Occurrence)) { j.listener = fn }

func (j *Journal) occur(o Occurrence) {
	if j.listener != nil && o.Kind != none {
		j.listener(o)
	}
}

// occurrence returns the occurrence of a change.
func (c *Change) occurrence(kind Kind) Occurrence {
	o := Occurrence{At: lease.At(c.At), Kind: kind, Name: c.Name, By: c.By, Request: c.Request, Seconds: c.seconds(kind)}
	switch kind {
	case Released, Deleted:
		o.Held = time.Duration(lease.At(c.At) - c.Was.Since)
	case Renewed:
		if c.Was.Duration != lease.Infinite {
			o.Margin = c.Was.Left(c.At)
		}
	}
	return o
}

// Census is the number of live leases of an account.
type Census struct {
	Blobs, Containers Count
	// OldestInfinite is when the oldest infinite lease was acquired; 0 if there is none.
	OldestInfinite lease.Instant
}

// Count is a number of leases by kind and state.
type Count struct{ Finite, Infinite, Breaking int }

// Census counts the live leases of an account.
func (j *Journal) Census(account string) (all Census) {
	j.each(account, func(e *entry) {
		count := &all.Blobs
		if e.name.Blob == "" {
			count = &all.Containers
		}
		switch {
		case e.breaking:
			count.Breaking++
		case e.end != 0:
			count.Finite++
		default:
			count.Infinite++
			if all.OldestInfinite == 0 || e.since < all.OldestInfinite {
				all.OldestInfinite = e.since
			}
		}
	})
	return all
}
