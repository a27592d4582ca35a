package meta

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Revision returns the record of a revision of a blob, nil when there is none.
func Revision(r kv.Reader, gen uint64, name string, p blob.Revision) (*blob.Blob, error) {
	return getBlob(r, revisionKey(gen, name, p))
}

// PutRevision stores the record of a revision, and indexes the tags of a version.
func PutRevision(tx kv.Tx, gen uint64, name string, p blob.Revision, b *blob.Blob) error {
	if p.Kind == blob.PreviousVersion {
		if err := IndexTags(tx, gen, name, p.ID, nil, b.Tags); err != nil {
			return err
		}
	}
	return put(tx, revisionKey(gen, name, p), b)
}

// DeleteRevision removes b, the record of a revision, and its tags from the index.
func DeleteRevision(tx kv.Tx, gen uint64, name string, p blob.Revision, b *blob.Blob) error {
	if p.Kind == blob.PreviousVersion {
		if err := IndexTags(tx, gen, name, p.ID, b.Tags, nil); err != nil {
			return err
		}
	}
	return tx.Delete(revisionKey(gen, name, p))
}

// RevisionEntry is one revision of a blob, as met by Revisions. It is valid until the
// iteration goes on.
type RevisionEntry struct {
	blob.Revision
	pair kv.Pair
}

// Decode returns the record.
func (e *RevisionEntry) Decode() (*blob.Blob, error) { return newBlob(e.pair.Key, e.pair.Value) }

// Revisions yields the revisions of a blob, oldest first.
func Revisions(r kv.Reader, gen uint64, name string) iter.Seq2[*RevisionEntry, error] {
	return func(yield func(*RevisionEntry, error) bool) {
		prefix := revisionPrefix(gen, name)
		for p, err := range r.Scan(prefix, kv.PrefixEnd(prefix)) {
			e := &RevisionEntry{pair: p}
			if err == nil {
				e.Revision, err = parseRevision(p.Key[len(prefix)-1:])
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// parseRevision reads what follows the name in the key of a revision.
func parseRevision(sub []byte) (blob.Revision, error) {
	if len(sub) != 10 || sub[0] != subRevision {
		return blob.Revision{}, fmt.Errorf("%w: revision %x", ErrDamaged, sub)
	}
	return blob.Revision{Kind: blob.RevisionKind(sub[9]), ID: blob.Time(binary.BigEndian.Uint64(sub[1:9]))}, nil
}

// Freeze lets a second record, whose claims are in the name of holder, hold the content
// of a first one, which is size bytes long, and returns the contents of both. Of contents
// that share a stored list only the first may go on to append to it.
func Freeze(tx kv.Tx, gen uint64, c blob.Content, size int64, holder blob.ObjectID) (first, second blob.Content, err error) {
	c.Shared = true
	second = c
	second.Holder = holder
	if c.Paged {
		second.List = holder
		return c, second, CopyPages(tx, gen, c, second)
	}
	if c.Listed {
		return c, second, shareList(tx, c, size, holder)
	}
	for i := range c.Blocks {
		if chunk := &c.Blocks[i].Chunk; chunk.Length > 0 {
			if err := share(tx, chunk.Object, c.Holder, holder); err != nil {
				return c, second, err
			}
		}
	}
	return c, second, nil
}

// Reuse records that some blocks of a content, all of which are old, are among the
// blocks of a new one that is held by keeper while the content stays. It reports whether
// there are any.
func Reuse(tx kv.Tx, c blob.Content, old, blocks []blob.Block, keeper blob.ObjectID) (shared bool, err error) {
	had := make(map[blob.ObjectID]bool, len(old))
	for i := range old {
		had[old[i].Chunk.Object] = true
	}
	for i := range blocks {
		if chunk := &blocks[i].Chunk; chunk.Length > 0 && had[chunk.Object] {
			shared = true
			if err := share(tx, chunk.Object, owner(c), keeper); err != nil {
				return shared, err
			}
		}
	}
	return shared, nil
}
