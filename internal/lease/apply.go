package lease

import (
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Request is one lease action. Fields that do not belong to the action are ignored.
type Request struct {
	Action   Action
	ID       OptionalID  // whose lease: renew, change, release
	Proposed OptionalID  // the ID to have: change, and acquire unless Fresh is wanted
	Fresh    ID          // a random ID, taken by an acquire that proposes none
	Duration Duration    // acquire
	Period   BreakPeriod // break, optional
	Holder   Holder      // who asks: acquire and change
}

// Outcome is what the answer to a successful action says.
type Outcome struct {
	ID      OptionalID // of the lease, after acquire, renew and change
	Seconds int64      // until the lease is broken, rounded down, after break
}

// Apply performs one action at a moment and returns the record that replaces l, unless it fails, in
// which case it returns l itself. The error is the fault.Code that the reference gives for the
// state and the ID; a request that lacks what its action requires, or has a duration or period out
// of range, fails with MissingRequiredHeader or InvalidHeaderValue and should have been refused
// before.
func Apply(l Lease, r Request, now time.Time) (Lease, Outcome, error) {
	if err := r.check(); err != nil {
		return l, Outcome{}, err
	}
	state := l.State(now)
	row := &table[r.Action][state]
	c := &row.other
	switch id := r.key(); {
	case !id.Given:
		c = &row.none
	case state == Available:
	case id.ID == l.ID:
		c = &row.same
	case r.Action == Change && r.Proposed.Is(l.ID):
		c = &row.done
	}
	if c.no != nil {
		return l, Outcome{}, c.no
	}
	next := c.yes(l, r, At(now))
	switch r.Action {
	case Release:
		return next, Outcome{}, nil
	case Break:
		return next, Outcome{Seconds: int64(next.Left(now) / time.Second)}, nil
	}
	return next, Outcome{ID: Some(next.ID)}, nil
}

// key returns the ID that the action is judged by.
func (r *Request) key() OptionalID {
	switch r.Action {
	case Acquire:
		return r.Proposed
	case Break:
		return OptionalID{}
	}
	return r.ID
}

// check refuses a request that no table has a line for.
func (r *Request) check() error {
	switch r.Action {
	case Acquire:
		if !r.Duration.Valid() {
			return fault.InvalidHeaderValue
		}
	case Break:
		if !r.Period.Valid() {
			return fault.InvalidHeaderValue
		}
	case Renew, Release:
		if !r.ID.Given {
			return fault.MissingRequiredHeader
		}
	case Change:
		if !r.ID.Given || !r.Proposed.Given {
			return fault.MissingRequiredHeader
		}
	default:
		return fault.InvalidHeaderValue
	}
	return nil
}

// row is the outcome of an action in one state, by the ID it names: none, the stored one, or
// another; done is a change from another ID to the stored one, which is a change that was repeated.
type row struct{ none, same, other, done cell }

// cell is one outcome: a refusal, or the next record.
type cell struct {
	no  error
	yes func(Lease, Request, Instant) Lease
}

// The cells of the table, each named for what it says.
var (
	present       = cell{no: fault.LeaseAlreadyPresent}
	beingBroken   = cell{no: fault.LeaseIsBreakingAndCannotBeAcquired}
	mismatch      = cell{no: fault.LeaseIDMismatchWithLeaseOperation}
	notRenewable  = cell{no: fault.LeaseIsBrokenAndCannotBeRenewed}
	notChangeable = cell{no: fault.LeaseIsBreakingAndCannotBeChanged}
	absent        = cell{no: fault.LeaseNotPresentWithLeaseOperation}

	taken    = cell{yes: acquire}
	retaken  = cell{yes: reacquire}
	renewed  = cell{yes: renew}
	changed  = cell{yes: change}
	kept     = cell{yes: keep}
	released = cell{yes: release}
	broken   = cell{yes: end}
)

// table is the outcome of every action in every state. An empty cell is one that no request
// reaches.
var table = [actions][states]row{
	Acquire: {
		Available: {none: taken, other: taken},
		Leased:    {none: present, same: retaken, other: present},
		Breaking:  {none: present, same: beingBroken, other: present},
		Broken:    {none: taken, same: taken, other: taken},
		Expired:   {none: taken, same: taken, other: taken},
	},
	Renew: {
		Available: {other: mismatch},
		Leased:    {same: renewed, other: mismatch},
		Breaking:  {same: notRenewable, other: mismatch},
		Broken:    {same: notRenewable, other: mismatch},
		Expired:   {same: renewed, other: mismatch},
	},
	Change: {
		Available: {other: absent},
		Leased:    {same: changed, other: mismatch, done: kept},
		Breaking:  {same: notChangeable, other: mismatch, done: mismatch},
		Broken:    {same: absent, other: absent, done: absent},
		Expired:   {same: absent, other: absent, done: absent},
	},
	Release: {
		Available: {other: mismatch},
		Leased:    {same: released, other: mismatch},
		Breaking:  {same: released, other: mismatch},
		Broken:    {same: released, other: mismatch},
		Expired:   {same: released, other: mismatch},
	},
	Break: {
		Available: {none: absent},
		Leased:    {none: broken},
		Breaking:  {none: broken},
		Broken:    {none: broken},
		Expired:   {none: broken},
	},
}

func acquire(l Lease, r Request, now Instant) Lease {
	id := r.Fresh
	if r.Proposed.Given {
		id = r.Proposed.ID
	}
	next := Lease{Kind: Held, ID: id, Duration: r.Duration, Epoch: l.nextEpoch(now), Holder: r.Holder, Since: now}
	return renew(next, r, now)
}

// reacquire is an acquire of a lease by its holder: a retry, or the same holder started anew. It
// counts as an acquisition, so that a predecessor with the same ID has the lower epoch.
func reacquire(l Lease, r Request, now Instant) Lease {
	next := acquire(l, r, now)
	next.Since = l.Since
	return next
}

func renew(l Lease, _ Request, now Instant) Lease {
	l.Renewed, l.End = now, 0
	if l.Duration != Infinite {
		l.End = now.plus(int32(l.Duration))
	}
	return l
}

func change(l Lease, r Request, _ Instant) Lease {
	l.ID, l.Holder = r.Proposed.ID, r.Holder
	return l
}

func keep(l Lease, _ Request, _ Instant) Lease { return l }

func release(l Lease, _ Request, _ Instant) Lease { return Lease{Epoch: l.Epoch} }

// end breaks a lease at the earlier of the end it has and the one the period asks for. Without a
// period a lease runs out, and one that never would is broken at once. Breaking never lengthens.
func end(l Lease, r Request, now Instant) Lease {
	endless := l.Kind == Held && l.Duration == Infinite
	at := l.End
	if endless {
		at = now
	}
	if r.Period.Given {
		if wanted := now.plus(r.Period.Seconds); endless || wanted < at {
			at = wanted
		}
	}
	l.Kind, l.End = Ended, at
	if at <= now {
		l.End = 0
	}
	return l
}

// nextEpoch returns an epoch above the record's. It starts at the clock, in microseconds, so that
// it also rises over a resource that was deleted and made again.
func (l Lease) nextEpoch(now Instant) uint64 {
	return max(l.Epoch+1, uint64(max(now, 0))/uint64(time.Microsecond))
}
