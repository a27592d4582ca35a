package catalog

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
)

// What becomes of a current state that is overwritten or deleted:
//
//   - while versioning is on, and if it has a version ID already, it becomes a previous version;
//   - else, while soft delete is on, it is kept until the retention ends: an overwritten state as a
//     soft-deleted snapshot, a deleted one as the soft-deleted base;
//   - else it is gone.
//
// A snapshot or previous version that is deleted is soft-deleted, or gone. A protected state ends
// in none of these ways (docs/decisions/immutability.md).

// superseded is the revision that has taken over the content of the current state.
type superseded struct {
	id     blob.Revision
	record *blob.Blob
}

// NewVersion returns the version ID of what is written now; 0 for none.
func (e *Entry) NewVersion() blob.Time {
	if e.Versioning {
		return e.Now
	}
	return 0
}

// becomesVersion reports whether b becomes a previous version when it ceases to be current.
func (e *Entry) becomesVersion(b *blob.Blob) bool { return b.VersionID != 0 || e.NewVersion() != 0 }

// Replace makes way for a new state of type t. It returns the record to store with Put: with the
// lease and the time of creation of the current state, and with the content of that state unless a
// revision has taken it over.
func (e *Entry) Replace(t blob.Type) (*blob.Blob, error) {
	b := &blob.Blob{Type: t, Created: e.Now, VersionID: e.NewVersion()}
	old := e.Current
	if old != nil {
		b.Lease, b.ETag = old.Lease, old.ETag
	}
	if old == nil || old.Uncommitted {
		return b, e.succeed(t)
	}
	if old.Type != t {
		return nil, fault.InvalidBlobType
	}
	b.Created = old.Created
	kept, err := e.supersede(blob.Snapshot)
	if !kept {
		b.Content = old.Content
	}
	return b, err
}

// Delete ends the current state and drops the uncommitted blocks. It reports whether a revision
// keeps the state.
func (e *Entry) Delete() (kept bool, err error) {
	b := e.Current
	if err := e.DropStaged(nil); err != nil {
		return false, err
	}
	if !b.Uncommitted {
		if kept, err = e.supersede(blob.DeletedBase); err != nil {
			return false, err
		}
	}
	if !kept {
		if err := e.release(b.Content); err != nil {
			return false, err
		}
	}
	return kept, e.remove()
}

// supersede keeps the current state as a revision, together with its content, and reports whether
// it did. softly is the kind of revision that soft delete makes of it.
func (e *Entry) supersede(softly blob.RevisionKind) (kept bool, err error) {
	if err := e.Current.CheckMutable(e.Now); err != nil {
		return false, err
	}
	record := e.Current.AsRevision()
	id := blob.Revision{Kind: softly, ID: e.Now}
	switch {
	case e.becomesVersion(e.Current):
		if id, err = e.versionOf(e.Current); err != nil {
			return false, err
		}
		record.VersionID = id.ID
	case e.Retained != 0:
		record.Deleted, record.Retained = e.Now, e.Retained
		if err := e.Schedule(e.Retained); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	e.superseded = &superseded{id, record}
	return true, e.PutRevision(id, record)
}

// versionOf names b as a previous version. A state that was written while versioning was off gets
// the time of its creation, or of its last change if the former is taken.
func (e *Entry) versionOf(b *blob.Blob) (blob.Revision, error) {
	id := blob.Revision{Kind: blob.PreviousVersion, ID: b.VersionID}
	if b.VersionID != 0 {
		return id, nil
	}
	id.ID = b.Created
	taken, err := meta.Revision(e.r, e.Generation, e.Blob, id)
	if taken != nil {
		id.ID = b.ETag.Time()
	}
	return id, err
}

// Branch keeps the current state as a previous version, if versions are kept, and lets it go on as
// a new version with the same content. Put has to follow and, while versioning is off, Touch before
// it: its ETag tells a state without a version ID from the version that it came from.
func (e *Entry) Branch() error {
	b := e.Current
	if !e.becomesVersion(b) {
		return nil
	}
	id, err := e.versionOf(b)
	if err != nil {
		return err
	}
	record, err := e.freeze(b)
	if err != nil {
		return err
	}
	record.VersionID, b.VersionID = id.ID, e.NewVersion()
	return e.PutRevision(id, record)
}

// Snapshot keeps the state b, which goes on and has to be Put, as a snapshot of this moment. edit,
// if any, changes the record of the snapshot before it is stored.
func (e *Entry) Snapshot(b *blob.Blob, edit func(*blob.Blob)) (*blob.Blob, error) {
	record, err := e.freeze(b)
	if err != nil {
		return nil, err
	}
	record.VersionID = 0
	if edit != nil {
		edit(record)
	}
	return record, e.PutRevision(blob.Revision{Kind: blob.Snapshot, ID: e.Now}, record)
}

// freeze returns the record of b as a revision. Both share the content.
func (e *Entry) freeze(b *blob.Blob) (*blob.Blob, error) {
	record := b.AsRevision()
	var err error
	b.Content, record.Content, err = meta.Freeze(e.tx, e.Generation, b.Content, b.Size, e.NewID())
	return record, err
}

// succeed makes way for a new blob of type t where none is current: a soft-deleted base becomes a
// soft-deleted snapshot. All states of a blob are of one type: soft-deleted states of another type,
// which would go in time, go at once; other states of another type refuse.
func (e *Entry) succeed(t blob.Type) error {
	first, other := true, false
	for r, err := range meta.Revisions(e.r, e.Generation, e.Blob) {
		if err != nil {
			return err
		}
		if !first && !other && r.Kind == blob.PreviousVersion {
			continue
		}
		first = false
		b, err := r.Decode()
		if err != nil {
			return err
		}
		switch other = b.Type != t; {
		case other && (b.Deleted == 0 || r.Kind == blob.PreviousVersion):
			return fault.InvalidBlobType
		case other:
			err = e.Erase(r.Revision, b)
		case r.Kind == blob.DeletedBase:
			err = e.move(r.Revision, blob.Revision{Kind: blob.Snapshot, ID: r.ID}, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// move changes the kind of a revision.
func (e *Entry) move(from, to blob.Revision, b *blob.Blob) error {
	if err := meta.DeleteRevision(e.tx, e.Generation, e.Blob, from, b); err != nil {
		return err
	}
	return e.PutRevision(to, b)
}

// DeleteRevision deletes a revision, softly if soft delete is on, and reports whether soft delete
// keeps it.
func (e *Entry) DeleteRevision(id blob.Revision, b *blob.Blob) (kept bool, err error) {
	if err := b.CheckMutable(e.Now); err != nil {
		return false, err
	}
	if e.Retained == 0 {
		return false, e.Erase(id, b)
	}
	b.Deleted, b.Retained = e.Now, e.Retained
	if err := e.Schedule(b.Retained); err != nil {
		return false, err
	}
	return true, e.PutRevision(id, b)
}

// Erase deletes a revision for good.
func (e *Entry) Erase(id blob.Revision, b *blob.Blob) error {
	if err := b.CheckMutable(e.Now); err != nil {
		return err
	}
	if err := e.release(b.Content); err != nil {
		return err
	}
	return meta.DeleteRevision(e.tx, e.Generation, e.Blob, id, b)
}

// DeleteSnapshots deletes the snapshots of the blob that are not soft-deleted yet, or none if one
// of them is protected.
func (e *Entry) DeleteSnapshots() error {
	return e.eachSnapshot(func(id blob.Revision, b *blob.Blob) error {
		_, err := e.DeleteRevision(id, b)
		return err
	})
}

// CheckNoSnapshots refuses a blob that has snapshots. Soft-deleted ones do not count.
func (e *Entry) CheckNoSnapshots() error {
	return e.eachSnapshot(func(blob.Revision, *blob.Blob) error { return fault.SnapshotsPresent })
}

func (e *Entry) eachSnapshot(visit func(blob.Revision, *blob.Blob) error) error {
	for r, err := range meta.Revisions(e.r, e.Generation, e.Blob) {
		if err != nil {
			return err
		}
		if r.Kind != blob.Snapshot {
			continue
		}
		b, err := r.Decode()
		if err != nil {
			return err
		}
		if b.Deleted != 0 {
			continue
		}
		if err := visit(r.Revision, b); err != nil {
			return err
		}
	}
	return nil
}

// Undelete restores every soft-deleted state of the entry. It reports whether the entry has any
// state at all.
func (e *Entry) Undelete() (found bool, err error) {
	found = e.Current != nil
	for r, err := range meta.Revisions(e.r, e.Generation, e.Blob) {
		if err != nil {
			return false, err
		}
		b, err := r.Decode()
		if err != nil {
			return false, err
		}
		if b.Gone(e.Now) {
			continue
		}
		if found = true; b.Deleted == 0 {
			continue
		}
		b.Deleted, b.Retained = 0, 0
		if r.Kind == blob.DeletedBase {
			err = e.restore(r.Revision, b)
		} else {
			err = e.PutRevision(r.Revision, b)
		}
		if err != nil {
			return false, err
		}
	}
	return found, nil
}

// restore makes a soft-deleted base current again. Its lease does not come back
// (docs/reference/leases.md 4.4); the lease of a blob that exists only as uncommitted blocks, which
// stay, goes on.
func (e *Entry) restore(id blob.Revision, b *blob.Blob) error {
	b.Staged = e.Current != nil
	if e.Current != nil {
		b.Lease = e.Current.Lease
	}
	if err := meta.DeleteRevision(e.tx, e.Generation, e.Blob, id, b); err != nil {
		return err
	}
	return e.Put(b)
}
