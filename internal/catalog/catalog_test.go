package catalog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

const generation = 7

// world is a store with one container that random steps change through the catalog. Each record
// tells in its metadata which bytes it was written with.
type world struct {
	*rapid.T
	db         kv.DB
	bodies     segment.Store
	now        time.Time
	serial     uint64
	versioning bool
	retention  blob.Time // of soft delete, 0 for off
	refused    error     // of the last step
}

func newWorld(t *rapid.T) *world {
	w := &world{T: t, bodies: segments.New(nil), now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	w.db = mem.Open(&mem.Options{Clock: func() time.Time { return w.now }})
	if err := meta.Prepare(context.Background(), w.db); err != nil {
		t.Fatal(err)
	}
	key := meta.ContainerKey("acct", "box")
	err := w.db.Update(context.Background(), []kv.Key{key}, func(tx kv.Tx) error {
		return meta.PutContainer(tx, "acct", "box", &blob.Container{Generation: generation, VersionedWORM: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func name(n string) catalog.Name {
	return catalog.Name{Account: "acct", Container: "box", Generation: generation, Blob: n}
}

func (w *world) newID() (id blob.ObjectID) {
	w.serial++
	binary.BigEndian.PutUint64(id[:], w.serial)
	return id
}

// change runs one step on an entry. A refusal of the protocol is kept, and changes nothing.
func (w *world) change(n string, fn func(kv.Tx, *catalog.Entry) error, also ...kv.Key) {
	at := name(n)
	w.now = w.now.Add(time.Millisecond)
	err := w.db.Update(context.Background(), append([]kv.Key{at.Key()}, also...), func(tx kv.Tx) error {
		rules := catalog.Rules{Versioning: w.versioning, NewID: w.newID}
		if w.retention != 0 {
			rules.Retained = blob.TimeOf(tx.Now()) + w.retention
		}
		e, err := catalog.Open(tx, tx, at, rules)
		if err != nil {
			return err
		}
		return fn(tx, e)
	})
	w.refused = err
	if _, known := fault.Of(err); err != nil && !known && !errors.Is(err, catalog.ErrChanged) {
		w.Fatal(err)
	}
}

// touch notes which bytes b is written with, and gives it a new ETag.
func (w *world) touch(e *catalog.Entry, b *blob.Blob, text string) {
	b.Metadata = blob.Metadata{{Name: "bytes", Value: text}}
	b.Touch(e.Now)
}

func bytesOf(b *blob.Blob) string { return b.Metadata[0].Value }

// block stores some bytes in one of the two ways, and returns the block and its bytes.
func (w *world) block(tx kv.Tx, id string) (blob.Block, string) {
	w.serial++
	text := fmt.Sprintf("<%d>", w.serial)
	c := blob.Chunk{Object: w.newID(), Inline: true, Length: int64(len(text)), Size: int64(len(text))}
	if rapid.Bool().Draw(w.T, "segment") {
		ref, err := w.bodies.Write(context.Background(), strings.NewReader(text))
		if err != nil {
			w.Fatal(err)
		}
		c.Inline, c.Object = false, blob.ObjectID(ref.ID)
		if err := meta.PutSegment(tx, c.Object); err != nil {
			w.Fatal(err)
		}
	} else if err := meta.PutInline(tx, generation, c.Object, []byte(text)); err != nil {
		w.Fatal(err)
	}
	return blob.Block{ID: id, Chunk: c}, text
}

var names = rapid.SampledFrom([]string{"a", "b"})

// put writes a new block blob over what there is.
func (w *world) put() {
	count := rapid.SampledFrom([]int{0, 1, 3, blob.MaxInlineBlocks + 2}).Draw(w.T, "blocks")
	w.change(names.Draw(w.T, "name"), func(tx kv.Tx, e *catalog.Entry) error {
		b, err := e.Replace(blob.BlockBlob)
		if err != nil {
			return err
		}
		var blocks []blob.Block
		var text string
		for i := range count {
			block, more := w.block(tx, fmt.Sprintf("%02d", i))
			blocks, text = append(blocks, block), text+more
		}
		if err := e.SetContent(b, blocks); err != nil {
			return err
		}
		if err := e.DropStaged(nil); err != nil {
			return err
		}
		w.touch(e, b, text)
		w.decorate(e, b)
		return e.Put(b)
	})
}

// decorate draws what the indexes are about.
func (w *world) decorate(e *catalog.Entry, b *blob.Blob) {
	if tag := rapid.SampledFrom([]string{"", "x", "y"}).Draw(w.T, "tag"); tag != "" {
		b.Tags = blob.Tags{{Key: "k", Value: tag}}
	}
	if rapid.IntRange(0, 3).Draw(w.T, "expires") == 0 {
		b.Expires = e.Now + blob.Time(rapid.IntRange(1, 3).Draw(w.T, "days"))*blob.Day
	}
	if rapid.IntRange(0, 3).Draw(w.T, "leased") == 0 {
		b.Lease = lease.Lease{Kind: lease.Held, Duration: lease.Infinite, ID: lease.ID{1}, Epoch: b.Lease.Epoch + 1}
	}
	w.protect(e, b)
}

func (w *world) protect(e *catalog.Entry, b *blob.Blob) {
	switch rapid.IntRange(0, 5).Draw(w.T, "protection") {
	case 0:
		b.LegalHold = true
	case 1:
		b.Policy = blob.Immutability{Until: e.Now + 2*blob.Day, Locked: rapid.Bool().Draw(w.T, "locked")}
	}
}

// putPages makes a page blob, or writes pages of one.
func (w *world) putPages() {
	const pages = 4
	page := rapid.Int64Range(0, pages-1).Draw(w.T, "page")
	w.change(names.Draw(w.T, "name"), func(tx kv.Tx, e *catalog.Entry) error {
		b := e.Current
		if b == nil || b.Uncommitted {
			var err error
			if b, err = e.Replace(blob.PageBlob); err != nil {
				return err
			}
			if err := e.SetContent(b, nil); err != nil {
				return err
			}
			if err := e.DropStaged(nil); err != nil {
				return err
			}
			b.Content.List, b.Content.Paged, b.Content.Name, b.Size = b.Content.Holder, true, e.Blob, pages*blob.PageSize
			w.touch(e, b, strings.Repeat(".", pages))
			w.decorate(e, b)
			return e.Put(b)
		}
		if b.Type != blob.PageBlob {
			return fault.InvalidBlobType
		}
		if err := b.CheckMutable(e.Now); err != nil {
			return err
		}
		w.serial++
		letter := byte('a' + w.serial%26)
		data := bytes.Repeat([]byte{letter}, blob.PageSize)
		c := blob.Chunk{Object: w.newID(), Inline: true, Length: blob.PageSize, Size: blob.PageSize}
		if err := meta.PutInline(tx, generation, c.Object, data); err != nil {
			return err
		}
		r := blob.PageRange{Start: page * blob.PageSize, End: (page + 1) * blob.PageSize}
		old, err := meta.ExtentsIn(tx, generation, b.Content, r)
		if err != nil {
			return err
		}
		edit := blob.WritePages(old, blob.PageExtent{Start: r.Start, Stamp: w.serial, Chunk: c})
		if err := meta.EditPages(tx, generation, e.Now, b.Content, edit, w.newID()); err != nil {
			return err
		}
		text := []byte(bytesOf(b))
		text[page] = letter
		w.touch(e, b, string(text))
		return e.Put(b)
	})
}

// stage stages a block, for a new blob or one that is there.
func (w *world) stage() {
	id := rapid.SampledFrom([]string{"00", "01", "09"}).Draw(w.T, "block")
	w.change(names.Draw(w.T, "name"), func(tx kv.Tx, e *catalog.Entry) error {
		b := e.Current
		switch {
		case b == nil:
			b = &blob.Blob{Type: blob.BlockBlob, Created: e.Now, Uncommitted: true}
			b.Touch(e.Now)
		case b.Type != blob.BlockBlob:
			return fault.InvalidBlobType
		}
		b.Staged = true
		if err := e.Put(b); err != nil {
			return err
		}
		all, err := meta.StagedBlocks(tx, generation, e.Blob)
		if err != nil {
			return err
		}
		if all == nil {
			all = &meta.Staging{IDLength: len(id), Due: e.Now + meta.StagedFor}
			if err := e.Schedule(all.Due); err != nil {
				return err
			}
		}
		all.Last = e.Now
		if old, err := meta.StagedBlock(tx, generation, e.Blob, id); err != nil {
			return err
		} else if old == nil {
			all.Count++
		} else if err := meta.ReleaseBlocks(tx, generation, e.Now, []blob.Block{*old}, nil); err != nil {
			return err
		}
		block, _ := w.block(tx, id)
		return meta.PutStagedBlock(tx, generation, e.Blob, &block, all)
	})
}

// commit makes a blob of some of its committed blocks and all of the uncommitted ones.
func (w *world) commit() {
	w.change(names.Draw(w.T, "name"), func(tx kv.Tx, e *catalog.Entry) error {
		old := e.Current
		var committed []blob.Block
		if old != nil && !old.Uncommitted && old.Type == blob.BlockBlob {
			committed = w.blocks(old)
		}
		staged, err := meta.AllStagedBlocks(tx, generation, e.Blob)
		if err != nil {
			return err
		}
		b, err := e.Replace(blob.BlockBlob)
		if err != nil {
			return err
		}
		var blocks []blob.Block
		for _, block := range committed {
			if rapid.Bool().Draw(w.T, "keep") {
				blocks = append(blocks, block)
			}
		}
		blocks = append(blocks, staged...)
		text := w.text(blocks)
		if err := e.Recommit(b, committed, blocks); err != nil {
			return err
		}
		if err := e.DropStaged(blocks); err != nil {
			return err
		}
		w.touch(e, b, text)
		w.decorate(e, b)
		return e.Put(b)
	})
}

// blocks reads the blocks of a blob beside the transaction, as requests do.
func (w *world) blocks(b *blob.Blob) (blocks []blob.Block) {
	err := w.db.View(context.Background(), func(r kv.Reader) error {
		for placed, err := range meta.Blocks(r, b.Content, 0, b.Size) {
			if err != nil {
				return err
			}
			blocks = append(blocks, placed.Block)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return blocks
}

// text returns the bytes of blocks, read beside the transaction.
func (w *world) text(blocks []blob.Block) (text string) {
	err := w.db.View(context.Background(), func(r kv.Reader) error {
		for _, block := range blocks {
			text += w.chunk(r, block.Chunk)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return text
}

// chunk returns stored bytes.
func (w *world) chunk(r kv.Reader, c blob.Chunk) string {
	if c.Length == 0 {
		return ""
	}
	if c.Inline {
		data, err := meta.Inline(r, generation, c.Object)
		if err != nil {
			w.Fatal(err)
		}
		return string(data[c.Offset : c.Offset+c.Length])
	}
	in, err := w.bodies.Open(context.Background(), segment.Ref{ID: segment.ID(c.Object), Size: c.Size}, c.Offset, c.Length)
	if err != nil {
		w.Fatal(err)
	}
	defer in.Close()
	data := make([]byte, c.Length)
	if _, err := in.Read(data); err != nil {
		w.Fatal(err)
	}
	return string(data)
}

// existing runs a step on a committed current state.
func (w *world) existing(fn func(*catalog.Entry) error) {
	w.change(names.Draw(w.T, "name"), func(_ kv.Tx, e *catalog.Entry) error {
		if e.Current == nil || e.Current.Uncommitted {
			return fault.BlobNotFound
		}
		return fn(e)
	})
}

// snapshot takes a snapshot, which may be protected.
func (w *world) snapshot() {
	w.existing(func(e *catalog.Entry) error {
		if _, err := e.Snapshot(e.Current, func(b *blob.Blob) { w.protect(e, b) }); err != nil {
			return err
		}
		if e.NewVersion() != 0 {
			if err := e.Branch(); err != nil {
				return err
			}
		}
		return e.Put(e.Current)
	})
}

// describe changes properties, tags, expiry, lease and protection.
func (w *world) describe() {
	w.existing(func(e *catalog.Entry) error {
		if err := e.Current.CheckMutable(e.Now); err != nil {
			return err
		}
		if err := e.Branch(); err != nil {
			return err
		}
		b := e.Current
		b.Tags, b.Lease, b.Expires, b.LegalHold = nil, lease.Lease{}, 0, false
		if !b.Policy.Locked {
			b.Policy = blob.Immutability{}
		}
		w.touch(e, b, bytesOf(b))
		w.decorate(e, b)
		return e.Put(b)
	})
}

// copy lets one name share the bytes of the other, or of itself.
func (w *world) copy() {
	from, to := names.Draw(w.T, "from"), names.Draw(w.T, "to")
	other := name(from)
	var also []kv.Key
	if from != to {
		also = []kv.Key{other.Key()}
	}
	w.change(to, func(tx kv.Tx, e *catalog.Entry) error {
		source := catalog.State{Generation: generation, Blob: from}
		b, err := source.Readable(tx)
		if err != nil {
			return err
		}
		if b == nil || b.Type != blob.BlockBlob {
			return fault.BlobNotFound
		}
		copied, err := e.Replace(blob.BlockBlob)
		if err != nil {
			return err
		}
		if err := e.Share(copied, source, b.ETag); err != nil {
			return err
		}
		if err := e.DropStaged(nil); err != nil {
			return err
		}
		w.touch(e, copied, bytesOf(b))
		return e.Put(copied)
	}, also...)
}

// delete deletes a blob with its snapshots.
func (w *world) delete() {
	w.change(names.Draw(w.T, "name"), func(_ kv.Tx, e *catalog.Entry) error {
		if e.Current == nil {
			return fault.BlobNotFound
		}
		if err := e.DeleteSnapshots(); err != nil {
			return err
		}
		_, err := e.Delete()
		return err
	})
}

// deleteRevision deletes one revision, softly or for good.
func (w *world) deleteRevision() {
	n := names.Draw(w.T, "name")
	_, kept := w.states(n)
	if len(kept) == 0 {
		return
	}
	id := kept[rapid.IntRange(0, len(kept)-1).Draw(w.T, "revision")].id
	w.change(n, func(_ kv.Tx, e *catalog.Entry) error {
		b, err := e.Revision(id)
		if err != nil {
			return err
		}
		if b == nil || id.Kind == blob.DeletedBase {
			return fault.BlobNotFound
		}
		if b.Deleted != 0 {
			return e.Erase(id, b)
		}
		_, err = e.DeleteRevision(id, b)
		return err
	})
}

// unprotect lifts holds and policies that are not locked.
func (w *world) unprotect() {
	n := names.Draw(w.T, "name")
	_, kept := w.states(n)
	w.change(n, func(_ kv.Tx, e *catalog.Entry) error {
		lift := func(b *blob.Blob) {
			b.LegalHold = false
			if !b.Policy.Locked {
				b.Policy = blob.Immutability{}
			}
		}
		for _, s := range kept {
			b, err := e.Revision(s.id)
			if err != nil {
				return err
			}
			if b != nil {
				lift(b)
				if err := e.PutRevision(s.id, b); err != nil {
					return err
				}
			}
		}
		if e.Current == nil {
			return nil
		}
		lift(e.Current)
		return e.Put(e.Current)
	})
}

// undelete restores what is soft-deleted.
func (w *world) undelete() {
	w.change(names.Draw(w.T, "name"), func(_ kv.Tx, e *catalog.Entry) error {
		_, err := e.Undelete()
		return err
	})
}

// configure changes the rules.
func (w *world) configure() {
	w.versioning = rapid.Bool().Draw(w.T, "versioning")
	w.retention = blob.Time(rapid.SampledFrom([]int{0, 0, 2}).Draw(w.T, "retention")) * blob.Day
}

// pass lets time pass and sweeps.
func (w *world) pass() {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 24 * time.Hour, 9 * 24 * time.Hour}).Draw(w.T, "pass"))
	w.sweep()
}

func (w *world) sweep() {
	s := catalog.Sweeper{DB: w.db, Segments: w.bodies, Grace: time.Minute}
	if err := s.Run(context.Background()); err != nil {
		w.Fatal(err)
	}
}

// state is one revision as it is stored.
type state struct {
	id blob.Revision
	*blob.Blob
}

// states returns what is stored under a name.
func (w *world) states(n string) (current *blob.Blob, kept []state) {
	err := w.db.View(context.Background(), func(r kv.Reader) (err error) {
		if current, err = meta.Blob(r, generation, n); err != nil {
			return err
		}
		for e, err := range meta.Revisions(r, generation, n) {
			if err != nil {
				return err
			}
			b, err := e.Decode()
			if err != nil {
				return err
			}
			kept = append(kept, state{e.Revision, b})
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return current, kept
}

// read returns the bytes of a state.
func (w *world) read(b *blob.Blob) (text string) {
	if !b.Content.Paged {
		return w.text(w.blocks(b))
	}
	err := w.db.View(context.Background(), func(r kv.Reader) error {
		all := blob.PageRange{End: b.Size}
		written, err := meta.ExtentsIn(r, generation, b.Content, all)
		if err != nil {
			return err
		}
		pages := bytes.Repeat([]byte("."), int(b.Size/blob.PageSize))
		for _, x := range written {
			data := w.chunk(r, x.Chunk)
			for at := range len(data) / blob.PageSize {
				pages[int(x.Start/blob.PageSize)+at] = data[at*blob.PageSize]
			}
		}
		text = string(pages)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return text
}

// protected returns the protected states by name and ETag. A snapshot has the ETag of its base.
func (w *world) protected() map[string][]*blob.Blob {
	out := map[string][]*blob.Blob{}
	for _, n := range []string{"a", "b"} {
		current, kept := w.states(n)
		if current != nil {
			kept = append(kept, state{Blob: current})
		}
		for _, s := range kept {
			if s.CheckMutable(blob.TimeOf(w.now)) != nil {
				key := n + " " + s.ETag.String()
				out[key] = append(out[key], s.Blob)
			}
		}
	}
	return out
}

// checkProtected fails if a state that was protected before a step and would be still has ended.
func (w *world) checkProtected(was map[string][]*blob.Blob) {
	is := w.protected()
	for key, states := range was {
		want := 0
		for _, b := range states {
			if b.CheckMutable(blob.TimeOf(w.now)) != nil {
				want++
			}
		}
		if len(is[key]) < want {
			w.Errorf("%s: of %d protected states %d are left", key, want, len(is[key]))
		}
	}
}

// dump returns all keys and values.
func (w *world) dump() (all []string) {
	err := w.db.View(context.Background(), func(r kv.Reader) error {
		for p, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			all = append(all, string(p.Key)+"="+string(p.Value))
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// check holds the whole store against the layout, and every state against its bytes.
func (w *world) check() {
	c := meta.Checker{DB: w.db, Segments: w.bodies, Report: func(f meta.Finding) { w.Errorf("stored: %+v", f) }}
	if _, err := c.Run(context.Background()); err != nil {
		w.Fatal(err)
	}
	for _, n := range []string{"a", "b"} {
		current, kept := w.states(n)
		if current != nil && !current.Uncommitted {
			kept = append(kept, state{Blob: current})
		}
		for _, s := range kept {
			if got, want := w.read(s.Blob), bytesOf(s.Blob); got != want {
				w.Errorf("%s, %+v: it has the bytes %q, written were %q", n, s.id, got, want)
			}
		}
	}
}

// empty ends every state and sweeps: nothing but the container is left.
func (w *world) empty() {
	w.versioning, w.retention = false, 0
	for _, n := range []string{"a", "b"} {
		_, kept := w.states(n)
		w.change(n, func(_ kv.Tx, e *catalog.Entry) error {
			for _, s := range kept {
				b, err := e.Revision(s.id)
				if err != nil {
					return err
				}
				b.LegalHold, b.Policy = false, blob.Immutability{}
				if err := e.Erase(s.id, b); err != nil {
					return err
				}
			}
			if e.Current == nil {
				return nil
			}
			e.Current.LegalHold, e.Current.Policy, e.Current.VersionID = false, blob.Immutability{}, 0
			_, err := e.Delete()
			return err
		})
		if w.refused != nil {
			w.Fatalf("the end of %s was refused: %v", n, w.refused)
		}
	}
	for range 3 {
		w.now = w.now.Add(10 * 24 * time.Hour)
		w.sweep()
	}
	for _, pair := range w.dump() {
		if pair[0] != 'm' && pair[0] != 'c' {
			w.Errorf("left behind: %q", pair)
		}
	}
	for info, err := range w.bodies.List(context.Background()) {
		w.Errorf("left behind: segment %v, %v", info.ID, err)
	}
}

// TestCatalog changes two names by random steps, the sweeper among them. After each step the whole
// store agrees with its layout, and every state has its bytes. A step that was refused has changed
// nothing, no protected state has ended, and in the end nothing is left behind.
func TestCatalog(t *testing.T) {
	for range 5 { // a hundred histories each: one hundred misses some planted faults
		rapid.Check(t, runHistory)
	}
}

func runHistory(t *rapid.T) {
	w := newWorld(t)
	defer w.db.Close()
	steps := map[string]func(){
		"put": w.put, "put pages": w.putPages, "stage": w.stage, "commit": w.commit, "snapshot": w.snapshot,
		"describe": w.describe, "copy": w.copy, "delete": w.delete, "delete revision": w.deleteRevision,
		"unprotect": w.unprotect, "undelete": w.undelete, "configure": w.configure, "pass": w.pass,
	}
	names := slices.Sorted(maps.Keys(steps))
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		step := rapid.SampledFrom(names).Draw(t, "step")
		protected, before := w.protected(), w.dump()
		w.refused = nil
		steps[step]()
		if w.refused != nil && !slices.Equal(before, w.dump()) {
			t.Errorf("%s was refused (%v) and has changed the store", step, w.refused)
		}
		if step != "unprotect" {
			w.checkProtected(protected)
		}
		w.check()
		if t.Failed() {
			t.Fatalf("after the step %q", step)
		}
	}
	w.empty()
}
