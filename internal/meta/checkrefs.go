package meta

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/segment"
)

// What a check does after the records: stored lists, claims, what nothing refers to, and
// the indexes.

// checkedList is a stored list whose pages are being met.
type checkedList struct {
	list blob.ObjectID
	end  int64
	ends map[int64]bool // where its pages end
}

// allLists checks the stored lists of blocks. Contents that share one see as much of it
// as they are long.
func (k *checking) allLists() {
	var at checkedList
	k.each("block lists", tagList, func(p kv.Pair) {
		if len(p.Key) != 25 {
			k.damage("malformed key %q", p.Key)
			return
		}
		if list := blob.ObjectID(p.Key[1:17]); list != at.list || at.ends == nil {
			k.endList(&at)
			at = checkedList{list: list, ends: map[int64]bool{}}
			if k.lists[list] == nil {
				k.garbage("block list %x, which nothing refers to", list)
			}
		}
		if page := read[[]blob.Block](k, p); page != nil {
			k.listPage(&at, listEnd(p.Key), *page)
		}
	})
	k.endList(&at)
	for list, uses := range k.lists {
		for _, u := range uses {
			if !u.released && u.size > 0 {
				k.damage("%s: its block list %x is missing", u.where, list)
			}
		}
	}
}

func (k *checking) listPage(at *checkedList, end int64, page []blob.Block) {
	uses := k.lists[at.list]
	if uses == nil {
		return
	}
	b := &checkedBlob{where: uses[0].where, gen: uses[0].gen, gone: true}
	for _, u := range uses {
		b.gone = b.gone && u.released
	}
	if start := end - blob.BlocksSize(page); start != at.end && !b.gone {
		k.damage("%s: a page of its block list begins at %d, not at %d", b.where, start, at.end)
	}
	at.end = end
	at.ends[end] = true
	for i := range page {
		k.chunk(b, page[i].Chunk, at.list)
	}
}

// endList checks that each content that has the list ends with a page.
func (k *checking) endList(at *checkedList) {
	for _, u := range k.lists[at.list] {
		if !u.released && u.size != 0 && !at.ends[u.size] {
			k.damage("%s: it has %d bytes, and no page of its block list ends there", u.where, u.size)
		}
	}
	delete(k.lists, at.list)
}

func compareUses(a, b use) int {
	if c := bytes.Compare(a.object[:], b.object[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.owner[:], b.owner[:])
}

// claims checks that every user of a shared object claims it: the object is removed with its last
// claim.
func (k *checking) claims() {
	slices.SortFunc(k.uses, compareUses)
	claimed := map[blob.ObjectID]bool{}
	k.each("claims", tagHolder, func(p kv.Pair) {
		if len(p.Key) != 33 {
			k.damage("malformed key %q", p.Key)
			return
		}
		u := use{object: blob.ObjectID(p.Key[1:17]), owner: blob.ObjectID(p.Key[17:])}
		claimed[u.object] = true
		i, ok := slices.BinarySearchFunc(k.uses, u, compareUses)
		n, wellFormed := claimedBytes(p.Value)
		switch {
		case !wellFormed:
			k.damage("malformed claim under key %q", p.Key)
		case !ok:
			k.garbage("a claim of %x on object %x, which it does not use", u.owner, u.object)
		case !k.uses[i].released && n < k.uses[i].size:
			k.damage("content %x has %d bytes of list %x, and claims %d", u.owner, k.uses[i].size, u.object, n)
		}
	})
	for rest := k.uses; len(rest) > 0 && k.err == nil; {
		n, owners := 1, 1
		for n < len(rest) && rest[n].object == rest[0].object {
			if rest[n].owner != rest[n-1].owner {
				owners++
			}
			n++
		}
		if owners > 1 || claimed[rest[0].object] {
			k.wantClaims(rest[:n])
		}
		rest = rest[n:]
	}
}

func (k *checking) wantClaims(uses []use) {
	var last blob.ObjectID
	for i, u := range uses {
		if u.released || i > 0 && u.owner == last {
			continue
		}
		last = u.owner
		if k.get(holderKey(u.object, u.owner)) == nil {
			k.damage("content %x shares object %x without a claim on it", u.owner, u.object)
		}
	}
}

func (k *checking) used(object blob.ObjectID) bool {
	_, ok := slices.BinarySearchFunc(k.uses, object, func(u use, o blob.ObjectID) int {
		return bytes.Compare(u.object[:], o[:])
	})
	return ok
}

// objects looks for what nothing refers to.
func (k *checking) objects() {
	k.each("inline bytes", tagInline, func(p kv.Pair) {
		if len(p.Key) != 25 {
			k.damage("malformed key %q", p.Key)
			return
		}
		c := k.containers[generationOf(p.Key)]
		if c != nil && c.dead {
			return // goes with its container
		}
		if object := blob.ObjectID(p.Key[9:]); !k.used(object) {
			k.garbage("%d inline bytes %x, which nothing refers to", len(p.Value), object)
		}
	})
	k.each("references to segments", tagSegment, func(p kv.Pair) {
		if len(p.Key) != 17 {
			k.damage("malformed key %q", p.Key)
			return
		}
		if object := blob.ObjectID(p.Key[1:]); !k.used(object) && !k.released[object] {
			k.garbage("segment %s, which no blob refers to", segment.ID(object))
		}
	})
}

func (k *checking) leaseIndex() {
	k.each("index of leases", tagLease, func(p kv.Pair) {
		account, container, gen, name, ok := leaseEntry(p.Key)
		if !ok {
			k.damage("malformed key %q", p.Key)
			return
		}
		c := k.containers[gen]
		if c != nil && c.dead {
			return
		}
		var l lease.Lease
		key := ContainerKey(account, container)
		if name != "" {
			key = currentKey(gen, name)
		}
		if raw := k.get(key); raw == nil {
		} else if name == "" {
			if r := read[blob.Container](k, kv.Pair{Key: key, Value: raw}); r != nil && r.Generation == gen {
				l = r.Lease
			}
		} else if r := read[blob.Blob](k, kv.Pair{Key: key, Value: raw}); r != nil {
			l = r.Lease
		}
		if c == nil || l.Kind == lease.None {
			k.garbage("an entry in the index of leases for %s/%s/%s, which has none", account, container, name)
		}
	})
}

func (k *checking) tagIndex() {
	k.each("index of tags", tagTag, func(p kv.Pair) {
		var rest string
		if len(p.Key) > 9 {
			rest = string(p.Key[9:])
		}
		key, rest, ok := strings.Cut(rest, "\x00")
		value, _, _ := strings.Cut(rest, "\x00")
		found, err := parseTagged([]byte(rest))
		if !ok || err != nil {
			k.damage("malformed key %q", p.Key)
			return
		}
		gen := generationOf(p.Key)
		c := k.containers[gen]
		if c != nil && c.dead {
			return
		}
		at := recordKey(gen, found.Name, pastOf(found.Version))
		if raw := k.get(at); raw != nil && c != nil {
			r := read[blob.Blob](k, kv.Pair{Key: at, Value: raw})
			if r == nil {
				return
			}
			if has, ok := r.Tags.Get(key); ok && has == value {
				return
			}
		}
		k.garbage("an entry in the index of tags for %s=%s of %q, which does not have it", key, value, found.Name)
	})
}

func (k *checking) deadlines() {
	k.each("deadlines", tagDue, func(p kv.Pair) {
		if read[Deadline](k, p); len(p.Key) < 10 || binary.BigEndian.Uint64(p.Key[1:9]) == 0 {
			k.damage("malformed key %q", p.Key)
		}
	})
}

func (k *checking) expiries() {
	k.each("index of expiry times", tagExpiry, func(p kv.Pair) {
		where := read[Deadline](k, p)
		if where == nil || len(p.Key) < 20 || p.Key[9] != tagBlob {
			k.damage("malformed key %q", p.Key)
			return
		}
		at, key := blob.Time(binary.BigEndian.Uint64(p.Key[1:9])), append(bytes.Clone(p.Key[9:]), subCurrent)
		gen := generationOf(p.Key[9:])
		if c := k.containers[gen]; c != nil && c.dead {
			return
		}
		if raw := k.get(key); raw != nil {
			if r := read[blob.Blob](k, kv.Pair{Key: key, Value: raw}); r == nil || r.Ends() == at {
				return
			}
		}
		k.garbage("an entry in the index of expiry times for %s/%s, of a blob that does not expire then", where.Account, where.Container)
	})
}

// orphans looks for segments that no record refers to. It may meet the segments of uploads that
// have not ended.
func (k *checking) orphans() error {
	known := func(id segment.ID) (ok bool, err error) {
		err = k.DB.View(k.ctx, func(r kv.Reader) error {
			raw, err := r.Get(objectKey(tagSegment, blob.ObjectID(id)))
			ok = raw != nil
			return err
		})
		return ok, err
	}
	for info, err := range k.Segments.List(k.ctx) {
		if err != nil {
			if k.ctx.Err() != nil {
				return k.ctx.Err()
			}
			k.damage("the segments can't be listed: %v", err)
			return nil
		}
		if ok, err := known(info.ID); err != nil {
			return err
		} else if !ok {
			k.garbage("segment %s of %d bytes, which no record knows", info.ID, info.Size)
		}
	}
	return nil
}
