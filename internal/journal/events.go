package journal

import (
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
)

// Kind says what happened.
type Kind uint8

// The kinds of events. Renewals are counted with the lease, and are no events.
const (
	none      Kind = iota
	Acquired       // also anew, by its holder
	TakenOver      // acquired after the lease before it ended without release
	Renewed
	Changed  // has another ID, and perhaps another holder
	Released // by its holder, or with the ID
	Broken
	Freed   // a broken lease has run out
	Expired // ended without release
	Deleted // with its resource
	Refused // a request, by the lease or for the want of one
	kinds   // their number
)

var kindNames = [kinds]string{
	"", "acquired", "taken over", "renewed", "changed", "released", "broken", "free", "ended without release", "deleted", "refused",
}

// String returns the words for the kind.
func (k Kind) String() string { return kindNames[k] }

// Event is something that happened to a lease.
type Event struct {
	At      lease.Instant
	Kind    Kind
	Name    Name
	Epoch   uint64
	By      *lease.Holder // who sent the request, or held the lease that ended; never modified
	Request string        // ID of the request; "" if it was time
	Seconds int32         // the length acquired, or what a break left
	Code    fault.Code    // of a refusal
}

// ring keeps the last events.
type ring struct {
	all  []Event
	next int
}

func (r *ring) add(e Event) {
	if len(r.all) < MaxEvents {
		r.all = append(r.all, e)
		return
	}
	r.all[r.next] = e
	r.next = (r.next + 1) % MaxEvents
}

// scanned is how many events are looked at while the journal is locked.
const scanned = 1024

// Events returns up to limit events of a resource, or of all if name is zero, the latest first.
func (j *Journal) Events(name Name, limit int) (found []Event) {
	for from := 0; ; from += scanned {
		j.mu.Lock()
		n := len(j.events.all)
		for i := from; i < min(n, from+scanned) && len(found) < limit; i++ {
			e := &j.events.all[(j.events.next+2*n-1-i)%n]
			if e.Name == name || name == (Name{}) {
				found = append(found, *e)
			}
		}
		j.mu.Unlock()
		if from+scanned >= n || len(found) >= limit {
			return found
		}
	}
}
