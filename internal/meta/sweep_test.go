package meta_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

const gen = 7

// fixture is a store over engines in memory with a clock that stands still.
type fixture struct {
	*testing.T
	db    kv.DB
	segs  segment.Store
	clock time.Time
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, segs: segments.New(nil), clock: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	f.db = mem.Open(&mem.Options{Clock: func() time.Time { return f.clock }})
	t.Cleanup(func() { f.db.Close() })
	return f
}

func (f *fixture) update(key kv.Key, fn func(kv.Tx) error) {
	f.Helper()
	if err := f.db.Update(f.Context(), []kv.Key{key}, fn); err != nil {
		f.Fatal(err)
	}
}

// segment writes a segment and returns a block that is made of it.
func (f *fixture) segment(id string) blob.Block {
	f.Helper()
	ref, err := f.segs.Write(f.Context(), bytes.NewReader([]byte("0123456789")))
	if err != nil {
		f.Fatal(err)
	}
	f.update(meta.FormatKey(), func(tx kv.Tx) error { return meta.PutSegment(tx, blob.ObjectID(ref.ID)) })
	return blob.Block{ID: id, Chunk: blob.Chunk{Object: blob.ObjectID(ref.ID), Length: ref.Size}}
}

func (f *fixture) sweep() {
	f.Helper()
	f.clock = f.clock.Add(time.Hour)
	w := meta.Collector{DB: f.db, Segments: f.segs, Grace: time.Minute, OrphanGrace: time.Minute}
	if err := w.Run(f.Context()); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) stored() int {
	n := 0
	for _, err := range f.segs.List(f.Context()) {
		if err != nil {
			f.Fatal(err)
		}
		n++
	}
	return n
}

// TestRecommittedBlocksSurvive lets a snapshot-like second holder and a recommitted
// content share a segment, and takes the holders away one by one.
func TestRecommittedBlocksSurvive(t *testing.T) {
	for _, blocks := range []int{1, 20} {
		f := newFixture(t)
		var list []blob.Block
		for i := range blocks {
			list = append(list, f.segment(string(rune('a'+i))))
		}
		key := meta.BlobKey(gen, "a")
		var base, again blob.Content
		f.update(key, func(tx kv.Tx) (err error) {
			base, err = meta.StoreBlocks(tx, blob.ObjectID{1}, list)
			return err
		})
		base.Shared = true // as a snapshot would mark it; it has no other holder yet
		f.update(key, func(tx kv.Tx) error {
			shared, err := meta.Recommit(tx, gen, blob.TimeOf(tx.Now()), base, list, list[:1], blob.ObjectID{2})
			if err != nil || !shared {
				t.Errorf("Recommit: shared %v, %v", shared, err)
			}
			again, err = meta.StoreBlocks(tx, blob.ObjectID{2}, list[:1])
			again.Shared = true
			return err
		})
		f.sweep()
		if n := f.stored(); n != 1 {
			t.Errorf("%d blocks: %d segments are left after the first content went, want 1", blocks, n)
		}
		f.update(key, func(tx kv.Tx) error { return meta.Release(tx, gen, blob.TimeOf(tx.Now()), again) })
		f.sweep()
		if n := f.stored(); n != 0 {
			t.Errorf("%d blocks: %d segments are left after the last content went", blocks, n)
		}
	}
}

// buryContainer puts blobs into a container, the most of them inline, and deletes it.
func (f *fixture) buryContainer(blobs int) {
	f.Helper()
	c := &blob.Container{Generation: gen}
	f.update(meta.ContainerKey("acct", "box"), func(tx kv.Tx) error { return meta.PutContainer(tx, "acct", "box", c) })
	for i := range blobs {
		name := string(rune('a'+i%26)) + time.Duration(i).String()
		block := blob.Block{Chunk: blob.Chunk{Object: blob.ObjectID{1, byte(i), byte(i >> 8)}, Inline: true, Length: 3}}
		if i%500 == 0 {
			block = f.segment("")
		}
		f.update(meta.BlobKey(gen, name), func(tx kv.Tx) error {
			if block.Chunk.Inline {
				if err := meta.PutInline(tx, gen, block.Chunk.Object, []byte("abc")); err != nil {
					return err
				}
			}
			return meta.PutBlob(tx, gen, name, &blob.Blob{Content: blob.Content{Blocks: []blob.Block{block}}, Size: 3})
		})
	}
	f.update(meta.ContainerKey("acct", "box"), func(tx kv.Tx) error {
		return meta.DeleteContainer(tx, blob.TimeOf(tx.Now()), "acct", "box", c)
	})
}

// checkEmpty fails the test if anything is stored.
func (f *fixture) checkEmpty() {
	f.Helper()
	if n := f.stored(); n != 0 {
		f.Errorf("%d segments are left", n)
	}
	err := f.db.View(f.Context(), func(r kv.Reader) error {
		for p, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			f.Errorf("key %q is left", p.Key)
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
}

func TestDeletedContainerIsEmptied(t *testing.T) {
	f := newFixture(t)
	f.buryContainer(2500)
	f.sweep()
	f.sweep()
	f.checkEmpty()
}

// stoppable is a store whose process ends after a number of updates, and which counts what the
// largest of them wrote.
type stoppable struct {
	kv.DB
	updates int // that are left
	largest int
}

var errStopped = errors.New("stopped")

func (s *stoppable) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	if s.updates--; s.updates < 0 {
		return errStopped
	}
	counted := &countedTx{}
	err := s.DB.Update(ctx, keys, func(tx kv.Tx) error {
		*counted = countedTx{Tx: tx}
		return fn(counted)
	})
	s.largest = max(s.largest, counted.writes)
	return err
}

type countedTx struct {
	kv.Tx
	writes int
}

func (c *countedTx) Put(key, value []byte) error { c.writes++; return c.Tx.Put(key, value) }
func (c *countedTx) Delete(key []byte) error     { c.writes++; return c.Tx.Delete(key) }

func (c *countedTx) DeleteRange(start, end []byte) error {
	c.writes++
	return c.Tx.(kv.RangeDeleter).DeleteRange(start, end)
}

// TestDeletedContainerIsEmptiedInSteps ends the process after every step: the next goes on where it
// ended, and none writes more than its bound, whatever the container held.
func TestDeletedContainerIsEmptiedInSteps(t *testing.T) {
	f := newFixture(t)
	const blobs = 5500
	f.buryContainer(blobs)
	f.clock = f.clock.Add(time.Hour)
	db := &stoppable{DB: f.db}
	starts := 0
	for ; ; starts++ {
		if starts > blobs {
			t.Fatal("no end in sight")
		}
		db.updates = 1
		w := meta.Collector{DB: db, Segments: f.segs, Grace: time.Minute, OrphanGrace: time.Minute}
		if err := w.Run(t.Context()); err == nil {
			break
		} else if !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
	}
	if starts < 5 || db.largest > 1000+10 {
		t.Errorf("%d steps, the largest of %d writes", starts, db.largest)
	}
	f.sweep()
	f.checkEmpty()
}

func TestOrphansAreSweptAfterTheGrace(t *testing.T) {
	f := newFixture(t)
	f.segment("kept")
	if _, err := f.segs.Write(t.Context(), bytes.NewReader([]byte("orphan"))); err != nil {
		t.Fatal(err)
	}
	w := meta.Collector{DB: f.db, Segments: f.segs, OrphanGrace: time.Minute}
	if n, err := w.Orphans(t.Context(), time.Now()); n != 0 || err != nil {
		t.Fatalf("young orphans: removed %d, %v", n, err)
	}
	if n, err := w.Orphans(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Fatalf("old orphans: removed %d, %v", n, err)
	}
	if n := f.stored(); n != 1 {
		t.Errorf("%d segments are left, want 1", n)
	}
}

// TestLastLookForOrphansIsStored restarts the collector every half an hour: it looks for orphans
// once in an hour all the same, and at the first start at once.
func TestLastLookForOrphansIsStored(t *testing.T) {
	f := newFixture(t)
	for start, want := range []bool{true, false, true, false, true} {
		w := meta.Collector{DB: f.db, Segments: f.segs, OrphanGrace: time.Minute}
		due, err := w.OrphansDue(t.Context(), time.Hour)
		if err != nil || due != want {
			t.Errorf("start %d: due %v, %v, want %v", start, due, err, want)
		}
		if due {
			if _, err := w.Orphans(t.Context(), f.clock); err != nil {
				t.Fatal(err)
			}
		}
		f.clock = f.clock.Add(30*time.Minute + time.Second)
	}
}
