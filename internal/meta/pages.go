package meta

import (
	"context"
	"encoding/binary"
	"iter"
	"math"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Pages are the extents of the content of a page blob or of a snapshot of one. They lie
// under the key of their blob, so that declaring it covers them. Within one list of
// extents the number of those that lie in an object is kept; an object is let go of
// when it falls to 0.

// pagesKey begins the keys of the extents (sub is subExtents) or of the counts.
func pagesKey(gen uint64, c blob.Content, sub byte) []byte {
	k := append(BlobKey(gen, c.Name), sub)
	return append(k, c.List[:]...)
}

func extentKey(gen uint64, c blob.Content, end int64) []byte {
	return binary.BigEndian.AppendUint64(pagesKey(gen, c, subExtents), uint64(end))
}

// Extents yields the extents that end behind an offset, in order.
func Extents(r kv.Reader, gen uint64, c blob.Content, from int64) blob.Extents {
	return func(yield func(blob.PageExtent, error) bool) {
		if from == math.MaxInt64 {
			return
		}
		for p, err := range r.Scan(extentKey(gen, c, from+1), kv.PrefixEnd(pagesKey(gen, c, subExtents))) {
			if err != nil {
				yield(blob.PageExtent{}, err)
				return
			}
			e, err := decode[blob.PageExtent](p.Key, p.Value)
			if err != nil {
				yield(blob.PageExtent{}, err)
				return
			}
			if !yield(*e, nil) {
				return
			}
		}
	}
}

// ExtentsIn returns the extents that touch a range.
func ExtentsIn(r kv.Reader, gen uint64, c blob.Content, within blob.PageRange) ([]blob.PageExtent, error) {
	var out []blob.PageExtent
	for e, err := range Extents(r, gen, c, within.Start) {
		if err != nil {
			return nil, err
		}
		if e.Start >= within.End {
			break
		}
		out = append(out, e)
	}
	return out, nil
}

// EditPages applies an edit to the extents of the current content, and lets go of the
// objects that no extent lies in any more.
func EditPages(tx kv.Tx, gen uint64, now blob.Time, c blob.Content, edit blob.PageEdit, garbage blob.ObjectID) error {
	if err := putExtents(tx, gen, c, edit); err != nil {
		return err
	}
	changes := edit.References()
	gone := c
	gone.Holder, gone.Listed, gone.Paged, gone.Blocks = c.List, false, false, nil
	for _, chunk := range chunksOf(edit.Remove) {
		change := changes[chunk.Object]
		if change >= 0 {
			continue
		}
		left, err := countExtents(tx, gen, c, chunk, change)
		if err != nil {
			return err
		}
		if left == 0 {
			gone.Blocks = append(gone.Blocks, blob.Block{Chunk: chunk})
		}
	}
	for _, chunk := range chunksOf(edit.Insert) {
		if change := changes[chunk.Object]; change > 0 {
			if _, err := countExtents(tx, gen, c, chunk, change); err != nil {
				return err
			}
		}
	}
	if len(gone.Blocks) == 0 {
		return nil
	}
	if c.Shared {
		return put(tx, objectKey(tagGarbage, garbage), &Garbage{Since: now, Gen: gen, Content: &gone})
	}
	return ReleaseBlocks(tx, gen, now, gone.Blocks, nil)
}

func putExtents(tx kv.Tx, gen uint64, c blob.Content, edit blob.PageEdit) error {
	for i := range edit.Remove {
		if err := tx.Delete(extentKey(gen, c, edit.Remove[i].Range().End)); err != nil {
			return err
		}
	}
	for i := range edit.Insert {
		if err := put(tx, extentKey(gen, c, edit.Insert[i].Range().End), &edit.Insert[i]); err != nil {
			return err
		}
	}
	return nil
}

// chunksOf returns one chunk of each object that extents lie in.
func chunksOf(extents []blob.PageExtent) []blob.Chunk {
	var out []blob.Chunk
	seen := make(map[blob.ObjectID]bool, len(extents))
	for i := range extents {
		if c := extents[i].Chunk; !extents[i].Cleared() && !seen[c.Object] {
			seen[c.Object] = true
			out = append(out, c)
		}
	}
	return out
}

// objectUse is how often extents of a list lie in an object.
type objectUse struct {
	Extents int  `cbor:"1,keyasint"`
	Inline  bool `cbor:"2,keyasint,omitempty"`
}

// countExtents changes the number of extents in an object and returns the new one.
func countExtents(tx kv.Tx, gen uint64, c blob.Content, in blob.Chunk, change int) (int, error) {
	key := append(pagesKey(gen, c, subObjects), in.Object[:]...)
	use, err := get[objectUse](tx, key)
	if err != nil {
		return 0, err
	}
	if use == nil {
		use = &objectUse{Inline: in.Inline}
	}
	if use.Extents += change; use.Extents <= 0 {
		return 0, tx.Delete(key)
	}
	return use.Extents, put(tx, key, use)
}

// CopyPages gives to the extents and the objects that they lie in, so that both contents
// hold them from now on; both have to be marked as shared. Both are of one blob.
func CopyPages(tx kv.Tx, gen uint64, from, to blob.Content) error {
	for e, err := range Extents(tx, gen, from, -1) {
		if err != nil {
			return err
		}
		if err := put(tx, extentKey(gen, to, e.Range().End), &e); err != nil {
			return err
		}
	}
	return eachObject(tx, gen, from, func(object blob.ObjectID, use *objectUse) error {
		if err := put(tx, append(pagesKey(gen, to, subObjects), object[:]...), use); err != nil {
			return err
		}
		return share(tx, object, from.List, to.List)
	})
}

func eachObject(r kv.Reader, gen uint64, c blob.Content, visit func(blob.ObjectID, *objectUse) error) error {
	prefix := pagesKey(gen, c, subObjects)
	for p, err := range r.Scan(prefix, kv.PrefixEnd(prefix)) {
		if err != nil {
			return err
		}
		use, err := decode[objectUse](p.Key, p.Value)
		if err != nil {
			return err
		}
		if err := visit(blob.ObjectID(p.Key[len(prefix):]), use); err != nil {
			return err
		}
	}
	return nil
}

// pageObjects yields a block for each object that the extents of a content lie in, at
// most limit of them.
func pageObjects(r kv.Reader, gen uint64, c blob.Content, limit int) iter.Seq2[blob.Block, error] {
	return func(yield func(blob.Block, error) bool) {
		prefix := pagesKey(gen, c, subObjects)
		n := 0
		for p, err := range r.Scan(prefix, kv.PrefixEnd(prefix)) {
			if err != nil {
				yield(blob.Block{}, err)
				return
			}
			use, err := decode[objectUse](p.Key, p.Value)
			if n++; !yield(pageBlock(blob.ObjectID(p.Key[len(prefix):]), use), err) || n == limit {
				return
			}
		}
	}
}

// pageBlock stands for all that lies in an object.
func pageBlock(object blob.ObjectID, use *objectUse) blob.Block {
	b := blob.Block{Chunk: blob.Chunk{Object: object, Length: 1}}
	if use != nil {
		b.Chunk.Inline = use.Inline
	}
	return b
}

// removePages removes one batch of the objects and, with the last, the extents of a
// content that has lost its record.
func (w *Collector) removePages(ctx context.Context, q *queued) (more bool, err error) {
	var batch []blob.Block
	err = w.DB.View(ctx, func(r kv.Reader) error {
		batch = batch[:0]
		for b, err := range pageObjects(r, q.Gen, *q.Content, sweepBatch) {
			if err != nil {
				return err
			}
			batch = append(batch, b)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if len(batch) > 0 {
		return true, w.removeBlocks(ctx, q, batch, func(tx kv.Tx) error {
			for i := range batch {
				if err := tx.Delete(append(pagesKey(q.Gen, *q.Content, subObjects), batch[i].Chunk.Object[:]...)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	prefix := pagesKey(q.Gen, *q.Content, subExtents)
	return false, w.DB.Update(ctx, []kv.Key{BlobKey(q.Gen, q.Content.Name)}, func(tx kv.Tx) error {
		return kv.DeleteRange(tx, prefix, kv.PrefixEnd(prefix))
	})
}
