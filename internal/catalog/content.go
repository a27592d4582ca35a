package catalog

import (
	"errors"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// SetContent gives b a content made of blocks, all of them new to b, and releases the old content.
func (e *Entry) SetContent(b *blob.Blob, blocks []blob.Block) error {
	if err := e.release(b.Content); err != nil {
		return err
	}
	content, err := meta.StoreBlocks(e.tx, e.NewID(), blocks)
	if err != nil {
		return err
	}
	b.Content, b.Size = content, blob.BlocksSize(blocks)
	return nil
}

// Recommit gives b, which Replace has returned, the content that is made of blocks. Some of them
// may be among committed, the blocks of the state that b replaces.
func (e *Entry) Recommit(b *blob.Blob, committed, blocks []blob.Block) error {
	holder := e.NewID()
	var shared bool
	var err error
	if e.superseded != nil {
		shared, err = e.reuse(committed, blocks, holder)
	} else {
		shared, err = meta.Recommit(e.tx, e.Generation, e.Now, b.Content, committed, blocks, holder)
	}
	if err != nil {
		return err
	}
	content, err := meta.StoreBlocks(e.tx, holder, blocks)
	if err != nil {
		return err
	}
	content.Shared = shared
	b.Content, b.Size = content, blob.BlocksSize(blocks)
	return nil
}

// reuse records that the content that was superseded shares blocks with the new one.
func (e *Entry) reuse(committed, blocks []blob.Block, holder blob.ObjectID) (bool, error) {
	kept := e.superseded
	shared, err := meta.Reuse(e.tx, kept.record.Content, committed, blocks, holder)
	if !shared || err != nil {
		return shared, err
	}
	kept.record.Content.Shared = true
	return true, e.PutRevision(kept.id, kept.record)
}

// DropStaged drops the uncommitted blocks and releases their bytes, except those that are in used.
// It looks for them only if the current record says that there may be some.
func (e *Entry) DropStaged(used []blob.Block) error {
	b := e.Current
	if b == nil || !b.Uncommitted && !b.Staged {
		return nil
	}
	return meta.DropStagedBlocks(e.tx, e.Generation, e.Blob, e.Now, used)
}

func (e *Entry) release(c blob.Content) error {
	return meta.Release(e.tx, e.Generation, e.Now, c)
}

// State names one state of a blob in the store.
type State struct {
	Generation uint64 // of the container
	Blob       string
	Revision   blob.Revision // zero for the current state
}

// Readable returns the record of a state, nil if there is none that can be read.
func (s *State) Readable(r kv.Reader) (b *blob.Blob, err error) {
	if s.Revision.IsZero() {
		b, err = meta.Blob(r, s.Generation, s.Blob)
	} else {
		b, err = meta.Revision(r, s.Generation, s.Blob, s.Revision)
	}
	if b != nil && (b.Uncommitted || b.Deleted != 0 || s.Revision.IsZero() && b.Expired(blob.TimeOf(r.Now()))) {
		b = nil
	}
	return b, err
}

// Find returns the record of a state like Readable, and corrects s: the version that a Revision
// names may be the current state.
func (s *State) Find(r kv.Reader) (*blob.Blob, error) {
	if s.Revision.Kind == blob.PreviousVersion {
		current := State{Generation: s.Generation, Blob: s.Blob}
		if b, err := current.Readable(r); err != nil || b != nil && b.VersionID == s.Revision.ID {
			s.Revision = blob.Revision{}
			return b, err
		}
	}
	return s.Readable(r)
}

// ErrChanged says that a state is no longer what it was when it was judged.
var ErrChanged = errors.New("catalog: the state has changed")

// Share gives b, which Replace has returned, the stored bytes of another state, and releases what b
// had. It fails with ErrChanged unless that state still has the given ETag. The transaction must
// have declared the key of the other blob too.
func (e *Entry) Share(b *blob.Blob, from State, etag blob.ETag) error {
	self := from == State{Generation: e.Generation, Blob: e.Blob}
	stored := e.Current
	if !self {
		var err error
		if stored, err = from.Readable(e.r); err != nil {
			return err
		}
	}
	if stored == nil || stored.ETag != etag {
		return ErrChanged
	}
	kept, shared, err := meta.Freeze(e.tx, from.Generation, stored.Content, stored.Size, e.NewID())
	if err != nil {
		return err
	}
	switch {
	case !self:
		err = from.putShared(e.tx, stored, kept)
	case e.superseded != nil:
		e.superseded.record.Content = kept
		err = e.PutRevision(e.superseded.id, e.superseded.record)
	default:
		b.Content = kept
	}
	if err != nil {
		return err
	}
	if err := e.release(b.Content); err != nil {
		return err
	}
	b.Content, b.Size = shared, stored.Size
	return nil
}

// putShared stores that the content of a state is shared from now on.
func (s *State) putShared(tx kv.Tx, b *blob.Blob, c blob.Content) error {
	if b.Content.Shared {
		return nil
	}
	b.Content = c
	if s.Revision.IsZero() {
		return meta.PutBlob(tx, s.Generation, s.Blob, b)
	}
	return meta.PutRevision(tx, s.Generation, s.Blob, s.Revision, b)
}
