package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
)

// What becomes of the state of a blob that is overwritten or deleted:
//
//   - while versioning is on, and for a state that has a version ID already, it is
//     kept as a previous version;
//   - else, while soft delete is on, it is kept until the retention ends: overwritten as
//     a soft-deleted snapshot, deleted as the soft-deleted base;
//   - else it is gone.
//
// Snapshots and previous versions that are deleted are soft-deleted or gone.

// kept is a past state that has taken over the content of the state that was current.
type kept struct {
	at     blob.Revision
	record *blob.Blob
}

func (s *scope) putRevision(p blob.Revision, b *blob.Blob) error {
	return meta.PutRevision(s.tx, s.container.Generation, s.req.Blob, p, b)
}

// remind has the sweeper look after the blob at a time.
func (s *scope) remind(at blob.Time) error {
	return meta.Schedule(s.tx, at, meta.BlobKey(s.container.Generation, s.req.Blob), s.where())
}

func (s *scope) where() meta.Deadline {
	return meta.Deadline{Account: s.req.Account, Container: s.req.Container}
}

// newVersion returns the ID of the version that is being written; 0 for none.
func (s *scope) newVersion() blob.Time {
	if s.Features(s.req.Account).Versioning {
		return s.now
	}
	return 0
}

// keepsVersion tells whether b lives on as a previous version once it is not current.
func (s *scope) keepsVersion(b *blob.Blob) bool { return b.VersionID != 0 || s.newVersion() != 0 }

// keep keeps the state b, which is to be current no more, with its content. soft says
// what it is if soft delete keeps it. It tells whether it is kept at all.
func (s *scope) keep(b *blob.Blob, soft blob.RevisionKind) (bool, error) {
	past := b.AsRevision()
	at := blob.Revision{Kind: soft, ID: s.now}
	switch retained := s.properties.Retained(s.now); {
	case s.keepsVersion(b):
		var err error
		if at, err = s.versionOf(b); err != nil {
			return false, err
		}
		past.VersionID = at.ID
	case retained != 0:
		past.Deleted, past.Retained = s.now, retained
		if err := s.remind(retained); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	s.kept = &kept{at, past}
	return true, s.putRevision(at, past)
}

// versionOf names b as a previous version. One that was written while versioning was off
// gets the time of its creation, or of its last change if that is taken.
func (s *scope) versionOf(b *blob.Blob) (blob.Revision, error) {
	at := blob.Revision{Kind: blob.PreviousVersion, ID: b.VersionID}
	if b.VersionID != 0 {
		return at, nil
	}
	at.ID = b.Created
	taken, err := meta.Revision(s.r, s.container.Generation, s.req.Blob, at)
	if taken != nil {
		at.ID = b.ETag.Time()
	}
	return at, err
}

// reuse records that the content that was kept shares blocks with the one that is being
// written.
func (s *scope) reuse(committed, blocks []blob.Block, holder blob.ObjectID) (bool, error) {
	shared, err := meta.Reuse(s.tx, s.kept.record.Content, committed, blocks, holder)
	if !shared || err != nil {
		return shared, err
	}
	s.kept.record.Content.Shared = true
	return true, s.putRevision(s.kept.at, s.kept.record)
}

// branch keeps the present state of b as a previous version, if versions are kept, and
// lets b go on as a new one with the same content.
func (s *scope) branch(b *blob.Blob) error {
	if !s.keepsVersion(b) {
		return nil
	}
	at, err := s.versionOf(b)
	if err != nil {
		return err
	}
	past, err := s.freeze(b)
	if err != nil {
		return err
	}
	past.VersionID, b.VersionID = at.ID, s.newVersion()
	return s.putRevision(at, past)
}

// succeed makes way for a new blob of type t where none is current: a soft-deleted base
// becomes a soft-deleted snapshot. All states of a blob are of one type: those that
// are deleted for good in time go at once if theirs is another, the rest refuses.
func (s *scope) succeed(t blob.Type) error {
	first, other := true, false
	for e, err := range meta.Revisions(s.r, s.container.Generation, s.req.Blob) {
		if err != nil {
			return err
		}
		if !first && !other && e.Kind == blob.PreviousVersion {
			continue
		}
		first = false
		b, err := e.Decode()
		if err != nil {
			return err
		}
		switch other = b.Type != t; {
		case other && (b.Deleted == 0 || e.Kind == blob.PreviousVersion):
			return fault.InvalidBlobType
		case other:
			err = s.erase(e.Revision, b)
		case e.Kind == blob.DeletedBase:
			err = s.move(e.Revision, blob.Revision{Kind: blob.Snapshot, ID: e.ID}, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// move makes another kind of past state of one.
func (s *scope) move(from, to blob.Revision, b *blob.Blob) error {
	if err := meta.DeleteRevision(s.tx, s.container.Generation, s.req.Blob, from, b); err != nil {
		return err
	}
	return s.putRevision(to, b)
}

// remove deletes a past state, softly if soft delete is on. It tells whether it is gone
// for good.
func (s *scope) remove(p blob.Revision, b *blob.Blob) (permanent bool, err error) {
	b.Deleted, b.Retained = s.now, s.properties.Retained(s.now)
	if b.Retained == 0 {
		return true, s.erase(p, b)
	}
	if err := s.remind(b.Retained); err != nil {
		return false, err
	}
	return false, s.putRevision(p, b)
}

// erase deletes a past state for good.
func (s *scope) erase(p blob.Revision, b *blob.Blob) error {
	gen := s.container.Generation
	if err := meta.Release(s.tx, gen, s.now, b.Content); err != nil {
		return err
	}
	return meta.DeleteRevision(s.tx, gen, s.req.Blob, p, b)
}

// undeleteBlob restores all that is soft-deleted of a blob.
type undeleteBlob struct{}

func doUndelete(s *scope, _ *undeleteBlob) (*nothing, error) {
	found := s.blob != nil
	for e, err := range meta.Revisions(s.r, s.container.Generation, s.req.Blob) {
		if err != nil {
			return nil, err
		}
		b, err := e.Decode()
		if err != nil {
			return nil, err
		}
		if b.Gone(s.now) {
			continue
		}
		if found = true; b.Deleted == 0 {
			continue
		}
		b.Deleted, b.Retained = 0, 0
		if e.Kind == blob.DeletedBase {
			err = s.restore(e.Revision, b)
		} else {
			err = s.putRevision(e.Revision, b)
		}
		if err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fault.BlobNotFound
	}
	return &nothing{}, nil
}

// restore makes a soft-deleted base current again. Its lease does not come back
// (docs/reference/leases.md 4.4); that of a blob that exists only as uncommitted blocks, which
// stay, goes on.
func (s *scope) restore(p blob.Revision, b *blob.Blob) error {
	b.Staged = s.blob != nil
	if s.blob != nil {
		b.Lease = s.blob.Lease
	}
	if err := meta.DeleteRevision(s.tx, s.container.Generation, s.req.Blob, p, b); err != nil {
		return err
	}
	return s.putBlob(b)
}
