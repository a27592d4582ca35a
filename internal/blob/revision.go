package blob

import "github.com/leasehold/leasehold/internal/lease"

// RevisionKind distinguishes snapshots, previous versions and soft-deleted blobs.
type RevisionKind uint8

// The kinds of revisions. The zero value stands for the current state.
const (
	Snapshot        RevisionKind = iota + 1 // taken by Snapshot Blob, or left by a write over it while soft delete is on
	PreviousVersion                         // what was current before a write or a deletion while versioning is on
	DeletedBase                             // what was current before a soft deletion, as long as nothing else is
)

// Revision names one state of a blob that is kept beside the current one. The zero value names the
// current state.
type Revision struct {
	Kind RevisionKind
	ID   Time // ID of a snapshot or version, or the time of deletion
}

// IsZero reports whether r names the current state.
func (r Revision) IsZero() bool { return r.Kind == 0 }

// AsRevision returns the record of b as it is kept while the current state goes on. It has no
// lease: a lease is about the current state only (docs/reference/leases.md 4.2).
func (b *Blob) AsRevision() *Blob {
	kept := *b
	kept.Lease = lease.Lease{Epoch: b.Lease.Epoch}
	return &kept
}
