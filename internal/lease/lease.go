// Package lease holds the rules of leases as a pure state machine: it knows no clock, no storage
// and no HTTP.
//
// A [Lease] is the record kept with a blob or a container. Time never writes: [Lease.State] derives
// what the record means at a moment. [Apply] is the outcome of the five lease actions, read from
// one table; [Check] and [AfterWrite] are the outcome of everything else. All judge one record
// against one moment, which the caller takes from its transaction, so of two racing requests one
// sees what the other wrote.
//
// The rules speak of blobs. A container uses the same machine with three differences, which are the
// caller's: Delete Container alone is of class [Write], no use of a container goes through
// [AfterWrite], and failures pass fault.ForContainer.
package lease

import (
	"time"
)

// Lease is the record of a lease. The zero value is available and was never leased. A record is
// replaced as a whole by what [Apply] and [AfterWrite] return; nothing else changes one.
type Lease struct {
	Kind     Kind     `cbor:"1,keyasint,omitzero"`
	ID       ID       `cbor:"2,keyasint,omitzero"` // has no meaning while Kind is None
	Duration Duration `cbor:"3,keyasint,omitzero"` // of the last acquire
	End      Instant  `cbor:"4,keyasint,omitzero"` // when a finite or breaking lease stops locking, else 0

	// Epoch rises with every acquire and never falls, across release, erasure and, as long as
	// clocks hold, deletion of the resource.
	Epoch uint64 `cbor:"5,keyasint,omitzero"`
	// Holder is who acquired or last changed the lease.
	Holder  Holder  `cbor:"6,keyasint,omitzero"`
	Since   Instant `cbor:"7,keyasint,omitzero"` // when this lease began
	Renewed Instant `cbor:"8,keyasint,omitzero"` // of the last acquire or renew
}

// Holder describes who made a request that took a lease, for people to read; no rule looks at it.
type Holder struct {
	Principal string `cbor:"1,keyasint,omitzero"` // as authenticated
	Address   string `cbor:"2,keyasint,omitzero"` // of the client, as seen by the server
	Client    string `cbor:"3,keyasint,omitzero"` // what the client calls itself
}

// Kind is what was last written to a record, before time has acted on it.
type Kind uint8

// The kinds of a record.
const (
	None  Kind = iota // no lease
	Held              // acquired
	Ended             // broken, at End or at once when End is 0
)

// State is what a record means at a moment.
type State uint8

// The five states.
const (
	Available State = iota
	Leased
	Expired
	Breaking
	Broken
	states // their number
)

var stateNames = [states]string{"available", "leased", "expired", "breaking", "broken"}

// String returns the state's name on the wire.
func (s State) String() string { return stateNames[s] }

// Locked reports whether the lease keeps others out.
func (s State) Locked() bool { return s == Leased || s == Breaking }

// Status returns the lease status that goes with the state: "locked" or "unlocked".
func (s State) Status() string {
	if s.Locked() {
		return "locked"
	}
	return "unlocked"
}

// State returns what the record means at a moment.
func (l Lease) State(now time.Time) State {
	over := l.End <= At(now)
	switch {
	case l.Kind == Held && over && l.Duration != Infinite:
		return Expired
	case l.Kind == Held:
		return Leased
	case l.Kind == Ended && over:
		return Broken
	case l.Kind == Ended:
		return Breaking
	}
	return Available
}

// DurationAttribute returns "infinite" or "fixed" in the Leased state and "" in all others.
func (l Lease) DurationAttribute(now time.Time) string {
	switch {
	case l.State(now) != Leased:
		return ""
	case l.Duration == Infinite:
		return "infinite"
	}
	return "fixed"
}

// Left returns how long the lease goes on locking if nobody touches it: 0 when it does not lock,
// [Forever] when it does not end.
func (l Lease) Left(now time.Time) time.Duration {
	switch {
	case !l.State(now).Locked():
		return 0
	case l.End == 0:
		return Forever
	}
	return time.Duration(l.End - At(now))
}

// Forever is what [Lease.Left] returns for an infinite lease: longer than any other answer.
const Forever = time.Duration(1<<63 - 1)
