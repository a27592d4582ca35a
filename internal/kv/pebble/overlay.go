package pebble

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"

	"github.com/leasehold/leasehold/internal/kv"
)

// overlay is what an update has written so far, for its own reads. A few writes are
// a list that is searched from its end. From the first scan on, or when there
// are more, a tree holds them as well.
type overlay struct {
	ops  []op // in the order they were made; all of them until there is a tree
	tree *btree.BTreeG[op]
	gone []span // ranges deleted; the tree is free of what that removed

	array [4]op
}

// maxListed is how many writes are searched one after the other.
const maxListed = 8

// op is one write. Its slices are never changed.
type op struct {
	kind       kind
	key, value []byte // for deletedRange, start and end
}

type kind byte

const (
	set kind = iota
	deleted
	deletedRange
)

// span is the keys with start <= key < end; a nil end means no bound.
type span struct{ start, end []byte }

func (s span) contains(key []byte) bool {
	return bytes.Compare(s.start, key) <= 0 && (s.end == nil || bytes.Compare(key, s.end) < 0)
}

func (o *overlay) empty() bool { return len(o.ops) == 0 }

func (o *overlay) put(key, value []byte)         { o.add(op{set, key, value}) }
func (o *overlay) delete(key []byte)             { o.add(op{deleted, key, nil}) }
func (o *overlay) deleteRange(start, end []byte) { o.add(op{deletedRange, start, end}) }

func (o *overlay) add(w op) {
	if o.tree != nil {
		o.plant(w)
		return
	}
	if o.ops == nil {
		o.ops = o.array[:0]
	}
	if o.ops = append(o.ops, w); len(o.ops) > maxListed {
		o.grow()
	}
}

// grow moves on from the list to the tree.
func (o *overlay) grow() {
	if o.tree != nil {
		return
	}
	o.tree = btree.NewBTreeGOptions(func(a, b op) bool { return bytes.Compare(a.key, b.key) < 0 },
		btree.Options{NoLocks: true})
	for _, w := range o.ops {
		o.plant(w)
	}
}

// plant adds w to the tree.
func (o *overlay) plant(w op) {
	if w.kind != deletedRange {
		o.tree.Set(w)
		return
	}
	s := span{w.key, w.value}
	o.gone = append(o.gone, s)
	o.tree.Copy().Ascend(op{key: s.start}, func(w op) bool {
		if !s.contains(w.key) {
			return false
		}
		o.tree.Delete(w)
		return true
	})
}

// get returns the value that key was given, nil when it was deleted, and whether the
// update wrote it at all.
func (o *overlay) get(key []byte) (value []byte, found bool) {
	if o.tree == nil {
		for i := len(o.ops) - 1; i >= 0; i-- {
			w := o.ops[i]
			if w.kind == deletedRange && (span{w.key, w.value}).contains(key) {
				return nil, true
			}
			if w.kind != deletedRange && bytes.Equal(w.key, key) {
				return w.value, true
			}
		}
		return nil, false
	}
	if w, ok := o.tree.Get(op{key: key}); ok {
		return w.value, true
	}
	return nil, o.hides(key) != nil
}

// hides returns a deleted range that key lies in, nil if there is none.
func (o *overlay) hides(key []byte) *span {
	for i := range o.gone {
		if o.gone[i].contains(key) {
			return &o.gone[i]
		}
	}
	return nil
}

// merge yields what base, which stands at the first key from start on and ends
// before end, and the writes made until now show together.
func (o *overlay) merge(base *pebble.Iterator, start, end []byte, yield func(kv.Pair, error) bool) {
	o.grow()
	frozen := overlay{gone: o.gone, tree: o.tree.Copy()}
	own := frozen.tree.Iter()
	defer own.Release()
	more := own.Seek(op{key: start})
	inOwn := func() bool { return more && (end == nil || bytes.Compare(own.Item().key, end) < 0) }
	ok := frozen.skip(base, base.Valid())
	for ok || inOwn() {
		order := -1 // of base before own
		if !ok {
			order = 1
		} else if inOwn() {
			order = bytes.Compare(base.Key()[1:], own.Item().key)
		}
		if order < 0 {
			p, err := pair(base)
			if !yield(p, err) || err != nil {
				return
			}
		} else if w := own.Item(); w.kind == set && !yield(kv.Pair{Key: w.key, Value: w.value}, nil) {
			return
		}
		if order >= 0 {
			more = own.Next()
		}
		if order <= 0 {
			ok = frozen.skip(base, base.Next())
		}
	}
	if err := base.Error(); err != nil {
		yield(kv.Pair{}, err)
	}
}

// skip moves base, if it is valid, past the ranges deleted, with one seek for each.
func (o *overlay) skip(base *pebble.Iterator, valid bool) bool {
	for valid {
		s := o.hides(base.Key()[1:])
		if s == nil {
			return true
		}
		if s.end == nil {
			return false
		}
		valid = base.SeekGE(append(bytes.Clone(dataStart), s.end...))
	}
	return false
}
