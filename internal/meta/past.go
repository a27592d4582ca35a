package meta

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Past returns the record of a past state of a blob, nil when there is none.
func Past(r kv.Reader, gen uint64, name string, p blob.Past) (*blob.Blob, error) {
	return getBlob(r, pastKey(gen, name, p))
}

// PutPast stores the record of a past state, and indexes the tags of a version.
func PutPast(tx kv.Tx, gen uint64, name string, p blob.Past, b *blob.Blob) error {
	if p.Kind == blob.PreviousVersion {
		if err := IndexTags(tx, gen, name, p.Stamp, nil, b.Tags); err != nil {
			return err
		}
	}
	return put(tx, pastKey(gen, name, p), b)
}

// DeletePast removes b, the record of a past state, and its tags from the index.
func DeletePast(tx kv.Tx, gen uint64, name string, p blob.Past, b *blob.Blob) error {
	if p.Kind == blob.PreviousVersion {
		if err := IndexTags(tx, gen, name, p.Stamp, b.Tags, nil); err != nil {
			return err
		}
	}
	return tx.Delete(pastKey(gen, name, p))
}

// PastEntry is one past state of a blob met by AllPast. It is valid until the
// iteration goes on.
type PastEntry struct {
	blob.Past
	pair kv.Pair
}

// Decode returns the record.
func (e *PastEntry) Decode() (*blob.Blob, error) { return newBlob(e.pair.Key, e.pair.Value) }

// AllPast yields the past states of a blob, oldest first.
func AllPast(r kv.Reader, gen uint64, name string) iter.Seq2[*PastEntry, error] {
	return func(yield func(*PastEntry, error) bool) {
		prefix := pastPrefix(gen, name)
		for p, err := range r.Scan(prefix, kv.PrefixEnd(prefix)) {
			e := &PastEntry{pair: p}
			if err == nil {
				e.Past, err = parsePast(p.Key[len(prefix)-1:])
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// parsePast reads what follows the name in the key of a past state.
func parsePast(sub []byte) (blob.Past, error) {
	if len(sub) != 10 || sub[0] != subPast {
		return blob.Past{}, fmt.Errorf("%w: past state %x", ErrDamaged, sub)
	}
	return blob.Past{Kind: blob.PastKind(sub[9]), Stamp: blob.Time(binary.BigEndian.Uint64(sub[1:9]))}, nil
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
// blocks of a new one that is held by keeper while the content stays. It tells whether
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
