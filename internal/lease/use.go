package lease

import (
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Class is the group into which an operation that is no lease action falls.
type Class uint8

// The two classes.
const (
	Read  Class = iota // passes without an ID whatever the lease
	Write              // needs the ID while the lease locks
)

// Check judges an operation that uses the resource, with the lease ID it sent. It returns nil, or
// the fault.Code to answer with. A resource that does not exist has the zero record.
func Check(l Lease, c Class, id OptionalID, now time.Time) error {
	state := l.State(now)
	switch {
	case !id.Given && (c == Read || !state.Locked()):
		return nil
	case !id.Given:
		return fault.LeaseIDMissing
	case state == Available:
		return fault.LeaseNotPresentWithBlobOperation
	case id.ID != l.ID:
		return fault.LeaseIDMismatchWithBlobOperation
	case !state.Locked():
		return fault.LeaseLost
	}
	return nil
}

// CheckAsyncCopy judges the destination of an asynchronous copy: [Check] of class [Write], and a
// lease that locks must be infinite, also when it is breaking.
func CheckAsyncCopy(l Lease, id OptionalID, now time.Time) error {
	if err := Check(l, Write, id, now); err != nil {
		return err
	}
	if l.State(now).Locked() && l.Duration != Infinite {
		return fault.InfiniteLeaseDurationRequired
	}
	return nil
}

// AfterWrite returns the record to keep after a successful operation of class [Write] on a blob,
// which sent a lease ID or did not: a write without one erases a lease that no longer locks, so
// that it can't be renewed over the write. Container leases are never erased.
func AfterWrite(l Lease, now time.Time, idGiven bool) Lease {
	if idGiven || l.State(now).Locked() {
		return l
	}
	return Lease{Epoch: l.Epoch}
}

// OverridesIfNoneMatchAny reports whether the lease ID that a request sent switches off its
// If-None-Match: *. An ID that [Check] accepts does, because a client that holds the lease must be
// able to write the blob it has leased.
func OverridesIfNoneMatchAny(l Lease, id OptionalID, now time.Time) bool {
	return id.Is(l.ID) && l.State(now).Locked()
}
