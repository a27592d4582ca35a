package meta

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
)

// Checker holds a whole store against the key layout: every record decodes; all that a
// record refers to is there and whole; indexes and claims agree with the records. It
// changes nothing, works on one snapshot, and may run beside requests and the sweeper. It
// takes some 50 bytes of memory for each stored object.
type Checker struct {
	DB       kv.DB
	Segments segment.Store
	// Report is called with each finding.
	Report func(Finding)
	// Progress, if set, is called now and then with the kind of thing that is being checked and how
	// many have been.
	Progress func(what string, done int)
}

// Finding is one thing that is not as it should be.
type Finding struct {
	// Garbage is set if nothing refers to it: it takes space and does no harm. All else is
	// damage.
	Garbage bool
	// Unreachable is set if a blob is whole, but has a name that no request can have.
	Unreachable bool
	Text        string // a line
}

// Checked counts what a check has seen.
type Checked struct {
	Containers, Blobs, Segments int // blobs: states of blobs
	Damage, Garbage             int // findings
	Unreachable                 int // blobs
}

// Run checks the store. Damage is not an error: the error is the error of ctx, or the reason why
// the store can't be checked.
func (c *Checker) Run(ctx context.Context) (Checked, error) {
	k := &checking{
		Checker: c, ctx: ctx,
		containers: map[uint64]*checkedContainer{},
		verified:   map[blob.ObjectID]error{},
		lists:      map[blob.ObjectID][]listUse{},
		released:   map[blob.ObjectID]bool{},
	}
	err := c.DB.View(ctx, func(r kv.Reader) error {
		k.r = r
		v, err := Format(r)
		switch {
		case err != nil:
			k.damage("%v", err)
		case v > FormatVersion:
			return fmt.Errorf("the store has layout %d, and this program knows those up to %d; use a newer one", v, FormatVersion)
		case v == 0:
			k.damage("the mark of the store's layout is missing")
		}
		for _, step := range []func(){
			k.foreign, k.services, k.allContainers, k.allGarbage, k.allBlobs, k.allLists,
			k.claims, k.objects, k.leaseIndex, k.tagIndex, k.deadlines, k.expiries,
		} {
			if step(); k.err != nil {
				return k.err
			}
		}
		return nil
	})
	if err == nil {
		err = k.orphans()
	}
	return k.sum, err
}

// checking is one run of a Checker.
type checking struct {
	*Checker
	ctx  context.Context
	r    kv.Reader
	sum  Checked
	err  error // ends the run
	done int   // of what is looked at

	// blind tells that something could not be read: nothing is called garbage then, since the
	// record that refers to it may be the one that is missing.
	blind bool

	containers map[uint64]*checkedContainer // by generation, the deleted ones too
	uses       []use
	verified   map[blob.ObjectID]error // the segments that were looked at
	lists      map[blob.ObjectID][]listUse
	released   map[blob.ObjectID]bool // segments that are to be removed

	blob *checkedBlob // whose keys are met
}

// checkedContainer is a container that blobs belong to. A dead one is being removed: what
// its blobs refer to may be gone.
type checkedContainer struct {
	account, name string
	dead          bool
}

// use tells that a content, named by its owner, holds an object. One that is released
// claims as others do, but may have lost its objects already.
type use struct {
	object, owner blob.ObjectID
	released      bool
	size          int64 // of a list that the owner has: how many of its bytes
}

// listUse is a content that has a stored list.
type listUse struct {
	where    string
	gen      uint64
	size     int64
	released bool
}

func (k *checking) damage(format string, args ...any) {
	k.sum.Damage++
	k.Report(Finding{Text: fmt.Sprintf(format, args...)})
}

func (k *checking) garbage(format string, args ...any) {
	if k.blind {
		return
	}
	k.sum.Garbage++
	k.Report(Finding{Garbage: true, Text: fmt.Sprintf(format, args...)})
}

func (k *checking) unreachable(format string, args ...any) {
	k.sum.Unreachable++
	k.Report(Finding{Unreachable: true, Text: fmt.Sprintf(format, args...)})
}

// scan visits the keys of a range. A range that can't be read to its end is damage.
func (k *checking) scan(what string, start, end []byte, visit func(kv.Pair)) {
	k.done = 0
	for p, err := range k.r.Scan(start, end) {
		if err == nil {
			err = k.ctx.Err()
			k.err = err
		} else if k.err = k.ctx.Err(); k.err == nil {
			k.blind = true
			k.damage("%s: the key-value store can't be read on: %v", what, err)
		}
		if err != nil {
			return
		}
		visit(p)
		if k.done++; k.done%1024 == 0 && k.Progress != nil {
			k.Progress(what, k.done)
		}
	}
}

func (k *checking) each(what string, tag byte, visit func(kv.Pair)) {
	k.scan(what, []byte{tag}, []byte{tag + 1}, visit)
}

// get is Get; a value that can't be read counts as missing.
func (k *checking) get(key []byte) []byte {
	raw, err := k.r.Get(key)
	if err != nil {
		k.blind = true
		k.damage("key %q can't be read: %v", key, err)
	}
	return raw
}

// read decodes a record, nil if that can't be done.
func read[T any](k *checking, p kv.Pair) *T {
	v, err := decode[T](p.Key, p.Value)
	if err != nil {
		k.blind = true
		k.damage("%v", err)
		return nil
	}
	return v
}

// foreign looks for keys that the layout does not have.
func (k *checking) foreign() {
	var known [256]bool
	for _, tag := range []byte{
		tagMeta, tagService, tagContainer, tagBlob, tagInline, tagList, tagLease,
		tagSegment, tagGarbage, tagHolder, tagTag, tagDue, tagDead, tagExpiry,
	} {
		known[tag] = true
	}
	for from := 0; from < 256; from++ {
		if known[from] {
			continue
		}
		to := from
		for to < 256 && !known[to] {
			to++
		}
		var end []byte
		if to < 256 {
			end = []byte{byte(to)}
		}
		k.scan("keys", []byte{byte(from)}, end, func(p kv.Pair) { k.damage("unknown key %q", p.Key) })
		from = to
	}
}

func (k *checking) services() {
	k.each("services", tagService, func(p kv.Pair) { read[blob.ServiceProperties](k, p) })
}

func (k *checking) allContainers() {
	k.each("containers", tagContainer, func(p kv.Pair) {
		c := read[blob.Container](k, p)
		parts := bytes.SplitN(p.Key[1:], []byte{0}, 3)
		if c == nil {
			return
		}
		if len(parts) < 3 {
			k.damage("malformed key %q", p.Key)
			return
		}
		k.sum.Containers++
		k.addContainer(c.Generation, &checkedContainer{account: string(parts[0]), name: string(parts[1])})
		if c.Lease.State(k.r.Now()).Locked() && c.Deleted == 0 {
			k.wantLease(c.Generation, "")
		}
	})
	k.each("deleted containers", tagDead, func(p kv.Pair) {
		if d := read[deadContainer](k, p); d != nil && len(p.Key) == 9 {
			k.addContainer(generationOf(p.Key), &checkedContainer{d.Account, d.Container, true})
		}
	})
}

func (k *checking) addContainer(gen uint64, c *checkedContainer) {
	if other := k.containers[gen]; other != nil {
		k.damage("containers %s/%s and %s/%s share generation %x", c.account, c.name, other.account, other.name, gen)
	}
	k.containers[gen] = c
}

// wantLease checks that the index has the lease of a blob or container.
func (k *checking) wantLease(gen uint64, name string) {
	c := k.containers[gen]
	if k.get(append(appendGen(named(tagLease, c.account, c.name), gen), name...)) == nil {
		k.damage("%s/%s/%s: its lease is missing in the index of leases", c.account, c.name, name)
	}
}

// allGarbage notes everything that is about to be removed.
func (k *checking) allGarbage() {
	k.each("garbage", tagGarbage, func(p kv.Pair) {
		g := read[Garbage](k, p)
		if g == nil {
			return
		}
		switch {
		case g.Segment:
			k.released[blob.ObjectID(p.Key[1:])] = true
		case g.Content != nil:
			c := &checkedBlob{where: "garbage", gen: g.Gen, gone: true}
			k.content(c, *g.Content, 0)
		}
	})
}

// checkedBlob is a blob whose keys are being met. They come in the order of the layout, the
// current record last.
type checkedBlob struct {
	where  string // account/container/name
	gen    uint64
	name   string
	gone   bool // it is being removed: what it refers to may be gone
	found  bool // its current record
	staged int  // uncommitted blocks
	all    *Staging
	paged  []blob.Content                          // contents made of pages
	ends   map[blob.ObjectID]int64                 // by list: the end of the last extent
	counts map[blob.ObjectID]map[blob.ObjectID]int // by list and object: extents
}

func (k *checking) allBlobs() {
	var prefix []byte
	lost := map[uint64]bool{}
	k.each("blobs", tagBlob, func(p kv.Pair) {
		if len(p.Key) < 11 {
			k.damage("malformed key %q", p.Key)
			return
		}
		gen := generationOf(p.Key)
		if k.containers[gen] == nil {
			if !lost[gen] {
				k.garbage("blobs of a container that is no more (generation %x)", gen)
			}
			lost[gen] = true
			return
		}
		zero := bytes.IndexByte(p.Key[9:], 0) + 9
		if zero < 9 || zero+1 >= len(p.Key) {
			k.damage("malformed key %q", p.Key)
			return
		}
		if !bytes.Equal(prefix, p.Key[:zero+1]) {
			k.endBlob()
			prefix = append(prefix[:0], p.Key[:zero+1]...)
			c := k.containers[gen]
			name := string(p.Key[9:zero])
			if blob.Dotted(name) && !c.dead {
				k.unreachable("%s/%s/%s: a segment of the name ends in a dot", c.account, c.name, name)
			}
			k.blob = &checkedBlob{where: c.account + "/" + c.name + "/" + name, gen: gen, name: name, gone: c.dead}
		}
		k.blobKey(k.blob, p, p.Key[zero+1:])
	})
	k.endBlob()
}

// blobKey checks one key of a blob; sub is what follows the name.
func (k *checking) blobKey(b *checkedBlob, p kv.Pair, sub []byte) {
	switch {
	case sub[0] == subStaged && len(sub) == 1:
		b.all = read[Staging](k, p)
	case sub[0] == subStaged:
		if block := read[blob.Block](k, p); block != nil {
			b.staged++
			k.chunk(b, block.Chunk, blob.ObjectID{})
		}
	case sub[0] == subRevision:
		past, err := parseRevision(sub)
		if err != nil {
			k.damage("%s: %v", b.where, err)
		} else if record := read[blob.Blob](k, p); record != nil {
			k.record(b, past, record)
		}
	case sub[0] == subExtents && len(sub) == 25:
		if e := read[blob.PageExtent](k, p); e != nil {
			k.extent(b, blob.ObjectID(sub[1:17]), listEnd(p.Key), *e)
		}
	case sub[0] == subObjects && len(sub) == 33:
		if u := read[objectUse](k, p); u != nil {
			k.objectCount(b, blob.ObjectID(sub[1:17]), blob.ObjectID(sub[17:]), u)
		}
	case sub[0] == subCurrent && len(sub) == 1:
		b.found = true
		if record := read[blob.Blob](k, p); record != nil {
			if at := record.Ends(); at != 0 && !b.gone && k.get(timedKey(tagExpiry, at, p.Key[:len(p.Key)-1])) == nil {
				k.damage("%s: the index of expiry times lacks it", b.where)
			}
			k.record(b, blob.Revision{}, record)
		}
	default:
		k.damage("%s: unknown key %q", b.where, p.Key)
	}
}

// record checks the record of one state of a blob.
func (k *checking) record(b *checkedBlob, past blob.Revision, record *blob.Blob) {
	k.sum.Blobs++
	k.content(b, record.Content, record.Size)
	if b.gone {
		return
	}
	if past.IsZero() && record.Lease.State(k.r.Now()).Locked() {
		k.wantLease(b.gen, b.name)
	}
	if past.IsZero() || past.Kind == blob.PreviousVersion {
		for i := range record.Tags {
			if k.get(tagKey(b.gen, &record.Tags[i], b.name, past.ID)) == nil {
				k.damage("%s: tag %q is missing in the index of tags", b.where, record.Tags[i].Key)
			}
		}
	}
}

// content checks a content as far as its record goes, and notes its list.
func (k *checking) content(b *checkedBlob, c blob.Content, size int64) {
	switch {
	case c.Paged:
		b.paged = append(b.paged, c)
		if b.gone {
			k.uses = append(k.uses, use{c.List, c.Holder, true, 0})
		}
	case c.Listed:
		k.uses = append(k.uses, use{c.List, c.Holder, b.gone, size})
		k.lists[c.List] = append(k.lists[c.List], listUse{b.where, b.gen, size, b.gone})
	default:
		for i := range c.Blocks {
			k.chunk(b, c.Blocks[i].Chunk, c.Holder)
		}
		if n := blob.BlocksSize(c.Blocks); n != size && !b.gone {
			k.damage("%s: it has %d bytes, its blocks have %d", b.where, size, n)
		}
	}
}

// chunk checks that stored bytes are there, and notes who uses them. Bytes that belong to no
// content have the zero owner.
func (k *checking) chunk(b *checkedBlob, c blob.Chunk, owner blob.ObjectID) {
	if c.Length == 0 {
		return
	}
	k.uses = append(k.uses, use{c.Object, owner, b.gone, 0})
	if b.gone {
		return
	}
	if c.Offset < 0 || c.Length < 0 || c.Offset+c.Length > c.Size {
		k.damage("%s: a run of %d bytes at %d in object %x of %d bytes", b.where, c.Length, c.Offset, c.Object, c.Size)
		return
	}
	if c.Inline {
		if raw := k.get(inlineKey(b.gen, c.Object)); raw == nil || int64(len(raw)) != c.Size {
			k.damage("%s: its bytes %x are missing or not whole: %d bytes of %d", b.where, c.Object, len(raw), c.Size)
		}
		return
	}
	if err := k.segment(c); err != nil {
		k.damage("%s: %v", b.where, err)
	}
}

// segment checks a segment that is referred to.
func (k *checking) segment(c blob.Chunk) error {
	if err, ok := k.verified[c.Object]; ok {
		return err
	}
	err := k.Segments.Verify(k.ctx, segment.Ref{ID: segment.ID(c.Object), Size: c.Size})
	switch {
	case k.ctx.Err() != nil:
		k.err, err = k.ctx.Err(), nil
	case errors.Is(err, segment.ErrNotFound) && k.letGo(c.Object):
		err = nil
	case err == nil && k.released[c.Object]:
		err = fmt.Errorf("segment %s is about to be removed", segment.ID(c.Object))
	case err == nil && k.get(objectKey(tagSegment, c.Object)) == nil:
		err = fmt.Errorf("segment %s is not among those that are referenced", segment.ID(c.Object))
	}
	k.verified[c.Object] = err
	k.sum.Segments++
	if k.Progress != nil && k.sum.Segments%64 == 0 {
		k.Progress("segments", k.sum.Segments)
	}
	return err
}

// letGo reports whether a missing segment was released after the snapshot was taken.
func (k *checking) letGo(object blob.ObjectID) (gone bool) {
	err := k.DB.View(k.ctx, func(r kv.Reader) error {
		raw, err := r.Get(objectKey(tagSegment, object))
		gone = raw == nil
		return err
	})
	return err == nil && gone && k.get(objectKey(tagSegment, object)) != nil
}

// extent checks one extent of a page blob. The extents of a list come in ascending order.
func (k *checking) extent(b *checkedBlob, list blob.ObjectID, end int64, e blob.PageExtent) {
	if b.ends == nil {
		b.ends, b.counts = map[blob.ObjectID]int64{}, map[blob.ObjectID]map[blob.ObjectID]int{}
	}
	if b.counts[list] == nil {
		b.counts[list] = map[blob.ObjectID]int{}
	}
	if r := e.Range(); !b.gone && (r.End != end || r.Start < b.ends[list] || r.Len() <= 0 || (r.Start|r.End)%blob.PageSize != 0) {
		k.damage("%s: pages %d to %d are stored as ending at %d, behind %d", b.where, r.Start, r.End, end, b.ends[list])
	}
	b.ends[list] = end
	if e.Cleared() {
		return
	}
	b.counts[list][e.Chunk.Object]++
	k.chunk(b, e.Chunk, list)
}

// objectCount checks how many extents are said to lie in an object. The extents came before.
func (k *checking) objectCount(b *checkedBlob, list, object blob.ObjectID, u *objectUse) {
	if b.gone {
		k.uses = append(k.uses, use{object, list, true, 0})
		return
	}
	if n := b.counts[list][object]; n != u.Extents {
		k.damage("%s: %d extents lie in object %x, not %d", b.where, n, object, u.Extents)
	}
	delete(b.counts[list], object)
}

// endBlob checks what can be judged only after the last key of a blob.
func (k *checking) endBlob() {
	b := k.blob
	k.blob = nil
	if b == nil || b.gone {
		return
	}
	if b.all == nil && b.staged > 0 || b.all != nil && b.all.Count != b.staged {
		k.damage("%s: %d uncommitted blocks, said to be %+v", b.where, b.staged, b.all)
	}
	if b.all != nil && !b.found {
		k.damage("%s: it has uncommitted blocks and no record", b.where)
	}
	for list, left := range b.counts {
		for object := range left {
			k.damage("%s: extents of list %x in object %x are not counted", b.where, list, object)
		}
	}
	for _, c := range b.paged {
		delete(b.ends, c.List)
		if c.Name != b.name {
			k.damage("%s: its pages are those of %q", b.where, c.Name)
		}
	}
	for list := range b.ends {
		if !k.holdsPages(list) {
			k.garbage("%s: pages of list %x, which no state has", b.where, list)
		}
	}
}

// holdsPages reports whether a list of pages is about to be removed.
func (k *checking) holdsPages(list blob.ObjectID) bool {
	for i := range k.uses { // those of garbage come first
		if !k.uses[i].released {
			return false
		}
		if k.uses[i].object == list {
			return true
		}
	}
	return false
}

func pastOf(version blob.Time) blob.Revision {
	if version == 0 {
		return blob.Revision{}
	}
	return blob.Revision{Kind: blob.PreviousVersion, ID: version}
}

func recordKey(gen uint64, name string, p blob.Revision) []byte {
	if p.IsZero() {
		return currentKey(gen, name)
	}
	return revisionKey(gen, name, p)
}

// leaseEntry splits a key of the index of leases.
func leaseEntry(key []byte) (account, container string, gen uint64, name string, ok bool) {
	parts := bytes.SplitN(key[1:], []byte{0}, 3)
	if len(parts) < 3 || len(parts[2]) < 8 {
		return "", "", 0, "", false
	}
	return string(parts[0]), string(parts[1]), binary.BigEndian.Uint64(parts[2]), string(parts[2][8:]), true
}
