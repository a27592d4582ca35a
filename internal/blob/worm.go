package blob

import "github.com/leasehold/leasehold/internal/fault"

// Immutability is an immutability policy: until when a blob can be neither changed nor deleted.
// The zero value is none.
type Immutability struct {
	Until  Time `cbor:"1,keyasint,omitempty"` // whole seconds
	Locked bool `cbor:"2,keyasint,omitempty"` // can only be extended
}

// Mode returns the name of the mode; empty without a policy.
func (p Immutability) Mode() string {
	switch {
	case p.Until == 0:
		return ""
	case p.Locked:
		return "locked"
	}
	return "unlocked"
}

// Replace judges the change to another policy: BlobImmutableDueToPolicy if p is locked and
// next is weaker.
func (p Immutability) Replace(next Immutability) error {
	if p.Locked && (!next.Locked || next.Until < p.Until) {
		return fault.BlobImmutableDueToPolicy
	}
	return nil
}

// CheckMutable refuses changes of a blob that is immutable at a time.
func (b *Blob) CheckMutable(now Time) error {
	switch {
	case b.LegalHold:
		return fault.BlobImmutableDueToLegalHold
	case b.Policy.Until > now:
		return fault.BlobImmutableDueToPolicy
	}
	return nil
}

// Gone reports whether the retention of a soft-deleted state has ended: nothing brings it back,
// although the sweeper may not have come yet.
func (b *Blob) Gone(now Time) bool { return b.Deleted != 0 && b.Retained <= now }

// Ends returns when the blob expires, as far as is known now; zero for never. Protection wins over
// an expiry time: the blob expires when its policy ends, and never while a legal hold is on it
// (docs/decisions/immutability.md).
func (b *Blob) Ends() Time {
	if b.Expires == 0 || b.LegalHold {
		return 0
	}
	return max(b.Expires, b.Policy.Until)
}

// Expired reports whether the time of a blob is over: it is absent from then on.
func (b *Blob) Expired(now Time) bool {
	end := b.Ends()
	return end != 0 && end <= now
}
