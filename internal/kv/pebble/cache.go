package pebble

import (
	"bytes"
	"hash/maphash"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// Bounds of the cache of records.
const (
	// recordCacheBytes holds some 30,000 records of blobs: those that clients hold leases
	// on, and those that are asked for again and again.
	recordCacheBytes = 16 << 20
	// maxRecord is the largest value that is kept. Records of blobs take some hundred
	// bytes, and a lookup of a longer value is little beside what is done with it.
	maxRecord = 4 << 10
	// entryBytes is what an entry takes beside its key and value: itself, its place in
	// the map, and what the allocator rounds up.
	entryBytes = 160
	// maxErased is how many deleted ranges a shard remembers before it looks through its
	// entries for what lies in them.
	maxErased = 16
)

// recordCache keeps values that were looked up several times of late. A lookup in Pebble takes
// some microseconds even when all it needs is in memory.
//
// Snapshots that are published are numbered. An entry is right for the snapshot numbered
// since and for all that were published after it, because whatever is published is
// entered first (see publish): a group replaces the values of those of its keys that
// have an entry. To a reader of an older snapshot the entry says nothing, and what such a reader
// found in Pebble becomes no entry when its shard has been written to since.
//
// That a key has no value is not kept: whoever asks for one that is not there mostly
// writes it next, and never asks again.
type recordCache struct {
	seed   maphash.Seed
	shards [64]cacheShard
}

type cacheShard struct {
	mu      sync.Mutex
	entries map[uint64]*entry // by hash; of keys that share one, the last that was added
	first   *entry            // of a ring, in the order in which they were added: the next to be evicted
	bytes   int
	limit   int
	written uint64   // number of the last snapshot that has changed a key of the shard
	erased  []erased // ranges deleted; entries in them have not been removed
	// missed holds hashes of keys that were asked for in vain. Only the second time is a value
	// added, so that a million blobs that are read once each neither take an entry each nor push
	// out the blobs that are read again and again.
	missed [1024]uint64
}

type entry struct {
	hash       uint64
	key, value []byte // their bytes are never changed
	since      uint64 // number of the first snapshot that it is known to be right for
	used       bool   // since it was passed over for eviction
	prev, next *entry
}

// erased is a range that the snapshot numbered by has not.
type erased struct {
	span
	by uint64
}

func newRecordCache(limit int) *recordCache {
	c := &recordCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = map[uint64]*entry{}
		c.shards[i].limit = limit / len(c.shards)
	}
	return c
}

func (c *recordCache) shard(key []byte) (*cacheShard, uint64) {
	h := maphash.Bytes(c.seed, key)
	return &c.shards[h%uint64(len(c.shards))], h
}

// get returns the value that key has in the snapshot of that number, which stays as it is
// for good; nil when the cache does not know, and then whether add should be told.
func (c *recordCache) get(key []byte, snapshot uint64) (value []byte, wanted bool) {
	s, h := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[h]
	if e != nil && e.since <= snapshot && bytes.Equal(e.key, key) && !s.outlived(e) {
		e.used = true
		return e.value, false
	}
	last := &s.missed[h>>32%uint64(len(s.missed))]
	if *last == h {
		return nil, true
	}
	*last = h
	return nil, false
}

// add enters the value that key has in the snapshot of that number, unless it is too long, or may
// have been overtaken.
func (c *recordCache) add(key, value []byte, snapshot uint64) {
	if len(value) > maxRecord {
		return
	}
	s, h := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if snapshot < s.written {
		return
	}
	e := s.entries[h]
	if e != nil && !bytes.Equal(e.key, key) {
		s.remove(e)
		e = nil
	}
	if e == nil {
		e = s.enter(h, key)
	}
	s.set(e, value, snapshot)
}

// publish enters what the snapshot of that number, the next to be published, changes:
// writes is the batch that it is the first to show.
func (c *recordCache) publish(writes batchrepr.Reader, snapshot uint64) error {
	for {
		kind, key, value, ok, err := writes.Next()
		if !ok || err != nil {
			return err
		}
		if key[0] != dataPrefix {
			continue
		}
		switch kind {
		case pebble.InternalKeyKindSet:
			c.change(key[1:], value, snapshot)
		case pebble.InternalKeyKindDelete:
			c.change(key[1:], nil, snapshot)
		default: // the end of a range is where others have the value
			c.erase(key, value, snapshot)
		}
	}
}

// change enters a value that the next snapshot will show, nil for none, if the cache has
// another of that key.
func (c *recordCache) change(key, value []byte, snapshot uint64) {
	s, h := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = snapshot
	e := s.entries[h]
	switch {
	case e == nil || !bytes.Equal(e.key, key):
	case value == nil || len(value) > maxRecord:
		s.remove(e)
	default:
		s.set(e, value, snapshot)
	}
}

// erase makes entries of keys from start to end void for the next snapshot.
func (c *recordCache) erase(start, end []byte, snapshot uint64) {
	x := erased{span{bytes.Clone(start[1:]), bytes.Clone(end[1:])}, snapshot}
	if end[0] != dataPrefix {
		x.end = nil
	}
	for i := range c.shards {
		c.shards[i].erase(x)
	}
}

func (s *cacheShard) erase(x erased) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = x.by
	if s.erased = append(s.erased, x); len(s.erased) < maxErased {
		return
	}
	for _, e := range s.entries {
		if s.outlived(e) {
			s.remove(e)
		}
	}
	s.erased = s.erased[:0]
}

// outlived reports whether a range that the key of e lies in may have been deleted after
// e was entered. When both were done by the same group, it is not known which came last.
func (s *cacheShard) outlived(e *entry) bool {
	for i := range s.erased {
		if x := &s.erased[i]; x.by >= e.since && x.contains(e.key) {
			return true
		}
	}
	return false
}

func (s *cacheShard) enter(hash uint64, key []byte) *entry {
	e := &entry{hash: hash, key: bytes.Clone(key)}
	s.entries[hash] = e
	s.bytes += entryBytes + len(key)
	s.link(e)
	return e
}

// link puts e where it is evicted last.
func (s *cacheShard) link(e *entry) {
	if s.first == nil {
		s.first, e.prev, e.next = e, e, e
		return
	}
	e.prev, e.next = s.first.prev, s.first
	e.prev.next, e.next.prev = e, e
}

func (s *cacheShard) set(e *entry, value []byte, since uint64) {
	s.bytes += len(value) - len(e.value)
	e.value, e.since = append([]byte{}, value...), since
	s.evict()
}

// evict removes entries, the oldest first, until the shard keeps to its limit. Those
// that were used are passed over once.
func (s *cacheShard) evict() {
	for s.bytes > s.limit {
		if s.first.used {
			s.first.used = false
			s.first = s.first.next
			continue
		}
		s.remove(s.first)
	}
}

func (s *cacheShard) remove(e *entry) {
	delete(s.entries, e.hash)
	s.bytes -= entryBytes + len(e.key) + len(e.value)
	if e.next == e {
		s.first = nil
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	if s.first == e {
		s.first = e.next
	}
}
