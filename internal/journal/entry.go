package journal

import (
	"cmp"
	"time"

	"github.com/leasehold/leasehold/internal/lease"
)

// entry is what the table has of one resource. All but name is guarded by Journal.mu.
type entry struct {
	name       Name          // never modified
	at         lease.Instant // of the last change
	generation uint64
	epoch      uint64
	holder     *lease.Holder
	since      lease.Instant
	renewed    lease.Instant
	end        lease.Instant // when it stops locking; 0 for never
	expires    lease.Instant // when the resource itself ends; 0 for never
	due        int64         // second of the wheel at which the entry is looked at; 0 for none
	renewals   uint32
	duration   lease.Duration
	breaking   bool
	id         [4]byte // the beginning of the lease's ID
	times      [keptRenewals]lease.Instant

	locked, resting bool
	ordered         bool // is in fresh or order
}

// begin forgets what belongs to the lease before.
func (e *entry) begin() { e.renewals = 0 }

// set takes over a lease.
func (e *entry) set(l *lease.Lease, generation uint64, expires lease.Instant, holder *lease.Holder) {
	e.generation, e.epoch, e.holder = generation, l.Epoch, holder
	e.since, e.renewed, e.end, e.duration = l.Since, l.Renewed, l.End, l.Duration
	e.expires, e.breaking = expires, l.Kind == lease.Ended
	copy(e.id[:], l.ID[:])
}

// renew adds a renewal to those that are kept.
func (e *entry) renew(at lease.Instant) {
	e.times[e.renewals%keptRenewals] = at
	e.renewals++
}

// over returns when the entry stops locking by time; 0 for never.
func (e *entry) over() lease.Instant {
	if e.expires != 0 && (e.end == 0 || e.expires < e.end) {
		return e.expires
	}
	return e.end
}

// Row is what the table shows of one locked resource.
type Row struct {
	Name     Name
	Breaking bool
	Duration lease.Duration // of the last acquire
	End      lease.Instant  // 0 for never
	Epoch    uint64
	Holder   lease.Holder
	Since    lease.Instant
	Renewed  lease.Instant
	Renewals uint32
	IDPrefix [4]byte // the beginning of the lease's ID, for who may break it
	Gone     bool    // it is not locked any more
	// Generation is that of the container.
	Generation uint64
}

// Infinite reports whether the lease ends only by a request.
func (r *Row) Infinite() bool { return r.End == 0 }

// Left returns how long the lease goes on, [lease.Forever] if it has no end.
func (r *Row) Left(now time.Time) time.Duration {
	if r.End == 0 {
		return lease.Forever
	}
	return max(0, time.Duration(r.End-lease.At(now)))
}

func (e *entry) row() Row {
	r := Row{
		Name: e.name, Breaking: e.breaking, Duration: e.duration, End: e.over(), Epoch: e.epoch, Since: e.since, Renewed: e.renewed,
		Renewals: e.renewals, IDPrefix: e.id, Gone: !e.locked, Generation: e.generation,
	}
	if e.holder != nil {
		r.Holder = *e.holder
	}
	return r
}

// lastRenewals returns the times of the last renewals, the oldest first.
func (e *entry) lastRenewals() (all []time.Time) {
	n := min(e.renewals, keptRenewals)
	for i := e.renewals - n; i < e.renewals; i++ {
		all = append(all, e.times[i%keptRenewals].Time())
	}
	return all
}

// byName orders entries as lists of leases do: by account, container, and blob.
func byName(a, b *entry) int { return compareNames(&a.name, &b.name) }

func compareNames(a, b *Name) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Blob, b.Blob))
}
