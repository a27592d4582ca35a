package blob

import "github.com/leasehold/leasehold/internal/lease"

// PastKind says what a past state of a blob is.
type PastKind uint8

// The kinds of past states. The zero value stands for the current state.
const (
	Snapshot        PastKind = iota + 1 // taken by Snapshot Blob, or left by a write over it while soft delete is on
	PreviousVersion                     // what was current before a write or a deletion while versioning is on
	DeletedBase                         // what was current before a soft deletion, as long as nothing else is
)

// Past names one past state of a blob. The zero value names the current state.
type Past struct {
	Kind  PastKind
	Stamp Time // ID of a snapshot or version, or the time of deletion
}

// IsZero tells whether the current state is meant.
func (p Past) IsZero() bool { return p.Kind == 0 }

// AsPast returns the record of the state of b as it stays while b goes on. Leases are
// about the current state only (docs/reference/leases.md 4.2), and so is what tells that a blob is
// deleted.
func (b *Blob) AsPast() *Blob {
	past := *b
	past.Lease = lease.Lease{Epoch: b.Lease.Epoch}
	return &past
}
