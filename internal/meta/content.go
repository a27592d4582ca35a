package meta

import (
	"encoding/binary"
	"iter"
	"math"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// listPage is the number of blocks stored under one key of a list: reading a range of a blob of
// 50,000 blocks decodes one page of some 20 KiB, not 2 MiB.
const listPage = 256

// StoreBlocks stores the list of the blocks of a new content, in the record that is
// to hold the content if it is short, else under keys of its own.
func StoreBlocks(tx kv.Tx, holder blob.ObjectID, blocks []blob.Block) (blob.Content, error) {
	c := blob.Content{Holder: holder, Count: len(blocks)}
	if len(blocks) <= blob.MaxInlineBlocks {
		c.Blocks = blocks
		return c, nil
	}
	c.List, c.Listed = holder, true
	var end int64
	for len(blocks) > 0 {
		page := blocks[:min(listPage, len(blocks))]
		blocks = blocks[len(page):]
		end += blob.BlocksSize(page)
		if err := put(tx, listKey(c.List, end), &page); err != nil {
			return c, err
		}
	}
	return c, nil
}

// AppendToList adds a block at the end of a stored list; end is the offset behind it.
// The block gets a page of its own, so that appending costs the same at any size.
func AppendToList(tx kv.Tx, c blob.Content, b blob.Block, end int64) error {
	return put(tx, listKey(c.List, end), &[]blob.Block{b})
}

// Placed is a block and the offset of its first byte in the content.
type Placed struct {
	blob.Block
	Start int64
}

// Blocks yields the blocks of a content that hold any of the bytes from start to
// end, in order.
func Blocks(r kv.Reader, c blob.Content, start, end int64) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		if !c.Listed {
			yieldBlocks(c.Blocks, 0, start, end, yield)
			return
		}
		prefix := objectKey(tagList, c.List)
		for p, err := range r.Scan(listKey(c.List, start+1), kv.PrefixEnd(prefix)) {
			if err != nil {
				yield(Placed{}, err)
				return
			}
			page, err := decode[[]blob.Block](p.Key, p.Value)
			if err != nil {
				yield(Placed{}, err)
				return
			}
			first := listEnd(p.Key) - blob.BlocksSize(*page)
			if first >= end || !yieldBlocks(*page, first, start, end, yield) {
				return
			}
		}
	}
}

// yieldBlocks yields the blocks, of which the first lies at offset at, that touch
// start to end; it returns false when the consumer has had enough.
func yieldBlocks(blocks []blob.Block, at, start, end int64, yield func(Placed, error) bool) bool {
	for _, b := range blocks {
		next := at + b.Chunk.Length
		if at < end && next > start && !yield(Placed{b, at}, nil) {
			return false
		}
		at = next
	}
	return true
}

// Garbage collects what a transaction releases, for Sweep to remove later.
type Garbage struct {
	Since   blob.Time     `cbor:"1,keyasint"`
	Segment bool          `cbor:"2,keyasint,omitempty"` // the object is a segment that nobody holds
	Gen     uint64        `cbor:"3,keyasint,omitempty"`
	Content *blob.Content `cbor:"4,keyasint,omitempty"` // a content that has lost its record
}

// Release gives up a content that no record holds any more. Short, unshared bytes are removed by
// the same transaction, all else is left to Sweep.
func Release(tx kv.Tx, gen uint64, now blob.Time, c blob.Content) error {
	if c.Listed || c.Paged || c.Shared {
		return put(tx, objectKey(tagGarbage, c.Holder), &Garbage{Since: now, Gen: gen, Content: &c})
	}
	return ReleaseBlocks(tx, gen, now, c.Blocks, nil)
}

// ReleaseBlocks releases the bytes of blocks that nothing else shares, except those in kept.
func ReleaseBlocks(tx kv.Tx, gen uint64, now blob.Time, blocks, kept []blob.Block) error {
	keeps := make(map[blob.ObjectID]bool, len(kept))
	for i := range kept {
		keeps[kept[i].Chunk.Object] = true
	}
	for i := range blocks {
		c := &blocks[i].Chunk
		if c.Length == 0 || keeps[c.Object] {
			continue
		}
		var err error
		if c.Inline {
			err = tx.Delete(inlineKey(gen, c.Object))
		} else {
			err = put(tx, objectKey(tagGarbage, c.Object), &Garbage{Since: now, Segment: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Recommit lets go of a content, whose blocks are old, in favour of a new one that is
// held by keeper and made of some of the same blocks. It reports whether the new
// content shares objects with others from now on.
func Recommit(tx kv.Tx, gen uint64, now blob.Time, c blob.Content, old, blocks []blob.Block, keeper blob.ObjectID) (shared bool, err error) {
	if !c.Shared {
		if err := deleteList(tx, c, old); err != nil {
			return false, err
		}
		return false, ReleaseBlocks(tx, gen, now, old, blocks)
	}
	if shared, err = Reuse(tx, c, old, blocks, keeper); err != nil {
		return shared, err
	}
	return shared, Release(tx, gen, now, c)
}

// owner returns the holder of the chunks of a content: its list, if it is stored, because contents
// share a list as a whole.
func owner(c blob.Content) blob.ObjectID {
	if c.Listed || c.Paged {
		return c.List
	}
	return c.Holder
}

// share records two holders of an object. An object without recorded holders has
// one only.
func share(tx kv.Tx, object, one, other blob.ObjectID) error {
	if err := tx.Put(holderKey(object, one), nil); err != nil {
		return err
	}
	return tx.Put(holderKey(object, other), nil)
}

// shareList records two holders of a stored list: one that may append to it, and one of
// its first size bytes.
func shareList(tx kv.Tx, c blob.Content, size int64, other blob.ObjectID) error {
	if err := tx.Put(holderKey(c.List, c.Holder), nil); err != nil {
		return err
	}
	return tx.Put(holderKey(c.List, other), binary.BigEndian.AppendUint64(nil, uint64(size)))
}

// claimedBytes returns how many bytes of a list a claim holds, without an end for one that
// does not say; ok is false if the value of the claim is malformed.
func claimedBytes(value []byte) (n int64, ok bool) {
	switch len(value) {
	case 0:
		return math.MaxInt64, true
	case 8:
		return int64(binary.BigEndian.Uint64(value)), true
	}
	return math.MaxInt64, false
}

// deleteList removes the pages of a stored list whose blocks are known.
func deleteList(tx kv.Tx, c blob.Content, blocks []blob.Block) error {
	var end int64
	for c.Listed && len(blocks) > 0 {
		page := blocks[:min(listPage, len(blocks))]
		blocks = blocks[len(page):]
		end += blob.BlocksSize(page)
		if err := tx.Delete(listKey(c.List, end)); err != nil {
			return err
		}
	}
	return nil
}

// PutSegment records that a segment is referenced.
func PutSegment(tx kv.Tx, id blob.ObjectID) error {
	return tx.Put(objectKey(tagSegment, id), nil)
}

// KnownSegments yields the segments that are referenced, and the released ones that wait to be
// removed. While none is removed, a copy of the store made before the view of r, with these
// segments beside it, lacks none. It would be wrong to leave out the segments that were released
// before the copy: an update that has its time from before it may be durable only after it.
func KnownSegments(r kv.Reader) iter.Seq2[blob.ObjectID, error] {
	return func(yield func(blob.ObjectID, error) bool) {
		for p, err := range r.Scan([]byte{tagSegment}, []byte{tagSegment + 1}) {
			var id blob.ObjectID
			if err == nil {
				copy(id[:], p.Key[1:])
			}
			if !yield(id, err) || err != nil {
				return
			}
		}
	}
}
