package meta

import (
	"bytes"
	"context"
	"math"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
)

// Bounds of one step of sweeping, so that none holds up requests.
const (
	sweepBatch = 256 // entries of the queue, or blocks
	deadBatch  = 500 // keys of a deleted container
)

// Collector removes behind the scenes what transactions have let go of. Any number of
// collectors may work on one store.
type Collector struct {
	DB       kv.DB
	Segments segment.Store
	// Grace is how long released bytes stay, for readers that still send them and for writers that
	// are about to find their container deleted.
	Grace time.Duration
	// OrphanGrace is how old a segment that nothing refers to must be: longer than CommitWithin.
	OrphanGrace time.Duration
}

// Run collects until nothing is left that is old enough.
func (w *Collector) Run(ctx context.Context) error {
	for _, step := range []func(context.Context) (int, error){w.garbage, w.dead} {
		for {
			n, err := step(ctx)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return nil
}

// queued is one entry of the queue of garbage.
type queued struct {
	key    []byte
	object blob.ObjectID
	Garbage
}

// garbage removes one batch of the queue and tells how much it did.
func (w *Collector) garbage(ctx context.Context) (int, error) {
	var due []queued
	err := w.DB.View(ctx, func(r kv.Reader) error {
		due = due[:0]
		limit := blob.TimeOf(r.Now().Add(-w.Grace))
		for p, err := range r.Scan([]byte{tagGarbage}, []byte{tagGarbage + 1}) {
			if err != nil {
				return err
			}
			g, err := decode[Garbage](p.Key, p.Value)
			if err != nil {
				return err
			}
			if g.Since > limit {
				continue
			}
			q := queued{key: bytes.Clone(p.Key), Garbage: *g}
			copy(q.object[:], p.Key[1:])
			if due = append(due, q); len(due) == sweepBatch {
				break
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return 0, err
	}
	return len(due), w.remove(ctx, due)
}

func (w *Collector) remove(ctx context.Context, due []queued) error {
	var segments []segment.ID
	var keys []kv.Key
	for i := range due {
		if due[i].Segment {
			segments = append(segments, segment.ID(due[i].object))
			keys = append(keys, due[i].key)
			continue
		}
		if err := w.removeContent(ctx, &due[i]); err != nil {
			return err
		}
	}
	if len(segments) == 0 {
		return nil
	}
	if err := w.Segments.Delete(ctx, segments...); err != nil {
		return err
	}
	return w.DB.Update(ctx, keys, func(tx kv.Tx) error {
		for i, key := range keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
			if err := tx.Delete(objectKey(tagSegment, blob.ObjectID(segments[i]))); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeContent removes a content that has lost its record: its claims on shared
// objects, and the objects that nobody claims any more.
func (w *Collector) removeContent(ctx context.Context, q *queued) error {
	c := q.Content
	if c.Paged {
		for more := true; more; {
			var err error
			if more, err = w.removePages(ctx, q); err != nil {
				return err
			}
		}
	} else if c.Listed {
		kept, err := w.unlist(ctx, q)
		if err != nil {
			return err
		}
		for more := kept < math.MaxInt64; more; {
			if more, err = w.removePage(ctx, q, kept); err != nil {
				return err
			}
		}
	} else if err := w.removeBlocks(ctx, q, c.Blocks, nil); err != nil {
		return err
	}
	return w.DB.Update(ctx, []kv.Key{q.key}, func(tx kv.Tx) error { return tx.Delete(q.key) })
}

// unlist gives up the claim on a stored list, and returns how many of its bytes others
// hold.
func (w *Collector) unlist(ctx context.Context, q *queued) (kept int64, err error) {
	c := q.Content
	if !c.Shared {
		return 0, nil
	}
	claims := objectKey(tagHolder, c.List)
	err = w.DB.Update(ctx, []kv.Key{claims}, func(tx kv.Tx) error {
		kept = 0
		if err := tx.Delete(holderKey(c.List, c.Holder)); err != nil {
			return err
		}
		for p, err := range tx.Scan(claims, kv.PrefixEnd(claims)) {
			if err != nil {
				return err
			}
			held, _ := claimedBytes(p.Value) // a malformed claim holds all
			kept = max(kept, held)
		}
		return nil
	})
	return kept, err
}

// holds reports whether anybody claims an object.
func holds(r kv.Reader, claims []byte) (bool, error) {
	for _, err := range r.Scan(claims, kv.PrefixEnd(claims)) {
		return err == nil, err
	}
	return false, nil
}

// removePage removes one page of a stored list among the pages that end behind an offset, and the
// bytes of its blocks.
func (w *Collector) removePage(ctx context.Context, q *queued, behind int64) (more bool, err error) {
	prefix := objectKey(tagList, q.Content.List)
	var key []byte
	var page []blob.Block
	err = w.DB.View(ctx, func(r kv.Reader) error {
		key = nil
		for p, err := range r.Scan(listKey(q.Content.List, behind+1), kv.PrefixEnd(prefix)) {
			if err != nil {
				return err
			}
			blocks, err := decode[[]blob.Block](p.Key, p.Value)
			if err != nil {
				return err
			}
			key, page = bytes.Clone(p.Key), *blocks
			break
		}
		return nil
	})
	if err != nil || key == nil {
		return false, err
	}
	return true, w.removeBlocks(ctx, q, page, func(tx kv.Tx) error { return tx.Delete(key) })
}

// removeBlocks gives up the claims of a content on the chunks of blocks, and removes
// those that nobody claims any more. also, if any, is done in the same step.
func (w *Collector) removeBlocks(ctx context.Context, q *queued, blocks []blob.Block, also func(kv.Tx) error) error {
	keys := []kv.Key{q.key}
	for i := range blocks {
		keys = append(keys, objectKey(tagHolder, blocks[i].Chunk.Object))
	}
	by := owner(*q.Content)
	return w.DB.Update(ctx, keys, func(tx kv.Tx) error {
		for i := range blocks {
			claims := keys[i+1]
			if err := tx.Delete(append(bytes.Clone(claims), by[:]...)); err != nil {
				return err
			}
			held, err := holds(tx, claims)
			if err != nil {
				return err
			}
			if held {
				continue
			}
			if err := ReleaseBlocks(tx, q.Gen, q.Since, blocks[i:i+1], nil); err != nil {
				return err
			}
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
}

// dead removes one batch of what deleted containers left.
func (w *Collector) dead(ctx context.Context) (int, error) {
	var gen uint64
	var b deadBlobs
	found := false
	err := w.DB.View(ctx, func(r kv.Reader) error {
		limit := blob.TimeOf(r.Now().Add(-w.Grace))
		for p, err := range r.Scan([]byte{tagDead}, []byte{tagDead + 1}) {
			if err != nil {
				return err
			}
			if d, err := decode[deadContainer](p.Key, p.Value); err != nil {
				return err
			} else if d.Since <= limit {
				gen, b.container, found = generationOf(p.Key), *d, true
				break
			}
		}
		if !found {
			return nil
		}
		return b.choose(r, gen)
	})
	if err != nil || !found {
		return 0, err
	}
	return 1, w.DB.Update(ctx, append([]kv.Key{DeadKey(gen)}, b.names...), func(tx kv.Tx) error {
		if len(b.names) == 0 {
			return b.finish(tx, gen)
		}
		return b.remove(tx, gen)
	})
}

// deadContainer is what is kept of a deleted container until its blobs are gone.
type deadContainer struct {
	Since     blob.Time `cbor:"1,keyasint"`
	Account   string    `cbor:"2,keyasint"`
	Container string    `cbor:"3,keyasint"`
}

// deadBlobs is one batch of the keys of a deleted container. A copy that found its source before
// the deletion may still share the bytes of a blob, so each is looked at under its declared key.
type deadBlobs struct {
	container deadContainer
	names     []kv.Key // the declared keys of the blobs
	end       []byte   // behind the last key of the batch

	now      blob.Time
	contents []blob.Content
	staged   []blob.Block
	outside  [][]byte // keys elsewhere: claims of the pages of page blobs, entries of the index of expiry times
}

// choose chooses the first keys that are left.
func (b *deadBlobs) choose(r kv.Reader, gen uint64) error {
	keys, prefix := 0, generation(tagBlob, gen, 0)
	for p, err := range r.Scan(prefix, kv.PrefixEnd(prefix)) {
		if err != nil {
			return err
		}
		name := p.Key[:bytes.IndexByte(p.Key[9:], 0)+10]
		if n := len(b.names); n == 0 || !bytes.Equal(b.names[n-1], name) {
			b.names = append(b.names, bytes.Clone(name))
		}
		b.end = append(append(b.end[:0], p.Key...), 0)
		if keys++; keys == deadBatch {
			break
		}
	}
	return nil
}

func (b *deadBlobs) add(p kv.Pair) error {
	name := bytes.IndexByte(p.Key[9:], 0) + 9
	switch sub := p.Key[name+1:]; {
	case sub[0] == subCurrent, sub[0] == subRevision:
		record, err := newBlob(p.Key, p.Value)
		if err != nil {
			return err
		}
		if !record.Content.Paged {
			b.contents = append(b.contents, record.Content)
		}
		if sub[0] == subCurrent && record.Ends() != 0 {
			b.outside = append(b.outside, timedKey(tagExpiry, record.Ends(), p.Key[:name+1]))
		}
	case sub[0] == subStaged && len(sub) > 1:
		block, err := decode[blob.Block](p.Key, p.Value)
		if err != nil {
			return err
		}
		b.staged = append(b.staged, *block)
	case sub[0] == subObjects:
		use, err := decode[objectUse](p.Key, p.Value)
		if err != nil {
			return err
		}
		list, object := blob.ObjectID(sub[1:17]), blob.ObjectID(sub[17:])
		b.staged = append(b.staged, pageBlock(object, use))
		b.outside = append(b.outside, holderKey(object, list))
	}
	return nil
}

// remove removes the batch.
func (b *deadBlobs) remove(tx kv.Tx, gen uint64) error {
	*b = deadBlobs{container: b.container, names: b.names, end: b.end, now: blob.TimeOf(tx.Now())}
	for _, name := range b.names {
		end := kv.PrefixEnd(name)
		if bytes.Compare(end, b.end) > 0 {
			end = b.end
		}
		for p, err := range tx.Scan(name, end) {
			if err != nil {
				return err
			}
			if err := b.add(p); err != nil {
				return err
			}
			if err := tx.Delete(p.Key); err != nil {
				return err
			}
		}
	}
	for _, c := range b.contents {
		if err := Release(tx, gen, b.now, c); err != nil {
			return err
		}
	}
	if err := ReleaseBlocks(tx, gen, b.now, b.staged, nil); err != nil {
		return err
	}
	for _, key := range b.outside {
		if err := tx.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// finish removes what is left when no blobs are.
func (b *deadBlobs) finish(tx kv.Tx, gen uint64) error {
	leases := appendGen(named(tagLease, b.container.Account, b.container.Container), gen)
	for _, prefix := range [][]byte{
		generation(tagBlob, gen, 0), generation(tagInline, gen, 0), generation(tagTag, gen, 0), leases,
	} {
		if err := kv.DeleteRange(tx, prefix, kv.PrefixEnd(prefix)); err != nil {
			return err
		}
	}
	return tx.Delete(DeadKey(gen))
}
