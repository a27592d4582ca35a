package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/kv"
)

// tiny is a cache of records in which a shard holds one or two, so that most are evicted soon.
const tiny = 64 * 2 * (entryBytes + 10)

// shown is what every published snapshot shows.
type shown []map[string]string

// write is one write of a group on its way into the cache.
type write struct {
	kind       kind
	key, value string // for deletedRange, start and end; no end is ""
}

func (w write) apply(m map[string]string) {
	switch w.kind {
	case set:
		m[w.key] = w.value
	case deleted:
		delete(m, w.key)
	case deletedRange:
		maps.DeleteFunc(m, func(key, _ string) bool { return key >= w.key && (w.value == "" || key < w.value) })
	}
}

// enter does with w what recordCache.publish does.
func (w write) enter(c *recordCache, snapshot uint64) {
	switch w.kind {
	case set:
		c.change([]byte(w.key), []byte(w.value), snapshot)
	case deleted:
		c.change([]byte(w.key), nil, snapshot)
	case deletedRange:
		end := dataEnd
		if w.value != "" {
			end = append(bytes.Clone(dataStart), w.value...)
		}
		c.erase(append(bytes.Clone(dataStart), w.key...), end, snapshot)
	}
}

// TestRecordCacheModel has readers of new and old snapshots ask the cache, and enter what
// their snapshot shows, between the writes of groups that are being published. What the
// cache says is never wrong.
func TestRecordCacheModel(t *testing.T) {
	key := rapid.SampledFrom([]string{"", "a", "aa", "ab", "b", "c", "\xff"})
	end := rapid.OneOf(key, rapid.Just(""))
	value := rapid.OneOf(rapid.SampledFrom([]string{"", "1", "22"}), rapid.Just(string(make([]byte, maxRecord+1))))
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		c := newRecordCache(rapid.SampledFrom([]int{0, tiny, 1 << 20}).Draw(t, "limit"))
		published := shown{{}}
		next, n := map[string]string{}, uint64(1)
		pick := func() uint64 {
			back := rapid.IntRange(0, 3).Draw(t, "back")
			return uint64(max(0, len(published)-1-back))
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				w := write{rapid.SampledFrom([]kind{set, set, set, deleted, deletedRange}).Draw(t, "kind"), key.Draw(t, "key"), ""}
				switch w.kind {
				case set:
					w.value = value.Draw(t, "value")
				case deletedRange:
					if w.value = end.Draw(t, "end"); w.value != "" && w.value < w.key {
						w.key, w.value = w.value, w.key
					}
				}
				w.apply(next)
				w.enter(c, n)
			},
			"publish": func(t *rapid.T) {
				published, n = append(published, maps.Clone(next)), n+1
			},
			"get": func(t *rapid.T) {
				k, s := key.Draw(t, "key"), pick()
				v, _ := c.get([]byte(k), s)
				if v == nil {
					return
				}
				hits++
				if want, there := published[s][k]; !there || string(v) != want {
					t.Fatalf("snapshot %d has %q = %q (%v), the cache says %q", s, k, want, there, v)
				}
			},
			"add": func(t *rapid.T) {
				k, s := key.Draw(t, "key"), pick()
				if v, there := published[s][k]; there {
					c.add([]byte(k), []byte(v), s)
				}
			},
			"": func(t *rapid.T) { checkShards(t, c) },
		})
	})
	if hits == 0 {
		t.Error("the cache knew nothing")
	}
}

// checkShards counts what the shards hold and compares with what they say.
func checkShards(t *rapid.T, c *recordCache) {
	for i := range c.shards {
		s := &c.shards[i]
		n, size := 0, 0
		for e := s.first; e != nil; {
			if s.entries[e.hash] != e || e.next.prev != e {
				t.Fatalf("an entry of the ring is not in the map")
			}
			n, size = n+1, size+entryBytes+len(e.key)+len(e.value)
			if e = e.next; e == s.first {
				break
			}
		}
		if n != len(s.entries) || size != s.bytes || size > s.limit || len(s.erased) >= maxErased {
			t.Fatalf("shard of %d entries, %d bytes, %d ranges: %d and %d were counted, the limit is %d", len(s.entries), s.bytes, len(s.erased), n, size, s.limit)
		}
	}
}

// TestRecordCacheCollision has two keys with one hash.
func TestRecordCacheCollision(t *testing.T) {
	c := newRecordCache(recordCacheBytes)
	a, b := []byte("a"), []byte("b")
	c.add(a, []byte("1"), 1)
	s, h := c.shard(a)
	s.entries[h].key = b // as if b had the hash of a and had been read
	if v, _ := c.get(a, 1); v != nil {
		t.Errorf("a is said to have %q of b", v)
	}
	c.change(a, []byte("2"), 2)
	if e := s.entries[h]; string(e.key) != "b" || string(e.value) != "1" {
		t.Errorf("after a write to a, b has %q", e.value)
	}
	c.add(a, []byte("2"), 2)
	if v, _ := c.get(a, 2); string(v) != "2" {
		t.Errorf("a has %q", v)
	}
}

// TestRecordCacheKeepsUsed reads one key between many others.
func TestRecordCacheKeepsUsed(t *testing.T) {
	c := newRecordCache(64 * 10 * (entryBytes + 10))
	for i := range 100_000 {
		c.add(fmt.Append(nil, i), []byte("1"), 1)
		if v, _ := c.get([]byte("0"), 1); v == nil {
			t.Fatalf("after %d others the key was gone", i)
		}
	}
}

// TestRecordCacheServes finds that a record that is read and written again and again is not
// looked up in Pebble.
func TestRecordCacheServes(t *testing.T) {
	db := openTest(t, vfs.NewMem(), Options{})
	for i := range 10 {
		value := fmt.Sprint(i)
		if err := put(db, "a", value); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if v, err := get(db, "a"); v != value || err != nil {
				t.Errorf("a = %q, %v; want %s", v, err, value)
			}
		}
		if v, _ := db.records.get([]byte("a"), db.current.number); string(v) != value {
			t.Errorf("the cache has %q, want %s", v, value)
		}
	}
}

// TestRecordCachePasses reads many keys once each, which leaves the cache as it is.
func TestRecordCachePasses(t *testing.T) {
	c := newRecordCache(recordCacheBytes)
	wanted := 0
	for i := range 10_000 {
		if _, again := c.get(fmt.Append(nil, i), 1); again {
			wanted++
		}
	}
	if wanted > 0 {
		t.Errorf("%d of the keys were wanted at once", wanted)
	}
	if _, again := c.get([]byte("9999"), 1); !again {
		t.Error("the second time the key was not wanted")
	}
}

// TestRecordCacheLargeUpdate changes a record in an update that is larger than a memtable,
// whose batch Pebble takes away.
func TestRecordCacheLargeUpdate(t *testing.T) {
	db := openTest(t, vfs.NewMem(), Options{})
	if err := put(db, "a", "1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := get(db, "a"); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Update(context.Background(), nil, func(tx kv.Tx) error {
		return errors.Join(tx.Put([]byte("b"), make([]byte, 16<<20)), tx.Put([]byte("c"), make([]byte, 16<<20)), tx.Put([]byte("a"), []byte("2")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := get(db, "a"); v != "2" || err != nil {
		t.Errorf("a = %q, %v; want 2", v, err)
	}
}

// TestGetAgreesWithScan runs readers, some of which stay while others write, and compares
// what they get, maybe from the cache, with what they scan, which is Pebble's.
func TestGetAgreesWithScan(t *testing.T) {
	for _, limit := range []int{tiny, recordCacheBytes} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			db := openTest(t, vfs.NewMem(), Options{RecordBytes: limit})
			ctx := context.Background()
			var writers, readers sync.WaitGroup
			var stop atomic.Bool
			for g := range 4 {
				readers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(g), 1))
					for !stop.Load() && !t.Failed() {
						if err := db.View(ctx, func(r kv.Reader) error { return compareReads(rng, r, 1+9*(g%2)) }); err != nil {
							t.Error(err)
						}
					}
				})
				writers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(g), 2))
					for i := range 1000 {
						if err := scribble(db, rng, fmt.Sprint(g, "/", i)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			writers.Wait()
			stop.Store(true)
			readers.Wait()
		})
	}
}

const scribbled = 40 // keys

// compareReads reads everything several times, in one snapshot.
func compareReads(rng *rand.Rand, r kv.Reader, times int) error {
	var first map[string]string
	for range times {
		got := map[string]string{}
		for _, i := range rng.Perm(scribbled) {
			key := fmt.Sprintf("%02d", i)
			v, err := r.Get([]byte(key))
			if err != nil {
				return err
			}
			if v != nil {
				got[key] = string(v)
			}
		}
		scanned := map[string]string{}
		for p, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			scanned[string(p.Key)] = string(p.Value)
		}
		if first == nil {
			first = scanned
		}
		if !maps.Equal(got, scanned) || !maps.Equal(scanned, first) {
			return fmt.Errorf("Get shows %q, Scan %q, and at first %q", got, scanned, first)
		}
	}
	return nil
}

// scribble writes to some keys, or deletes them.
func scribble(db *DB, rng *rand.Rand, value string) error {
	return db.Update(context.Background(), []kv.Key{{}}, func(tx kv.Tx) error {
		for range 1 + rng.IntN(4) {
			i := rng.IntN(scribbled)
			key := fmt.Appendf(nil, "%02d", i)
			var err error
			switch rng.IntN(10) {
			case 0:
				err = kv.DeleteRange(tx, key, fmt.Appendf(nil, "%02d", i+5))
			case 1, 2:
				err = tx.Delete(key)
			default:
				_, err = tx.Get(key)
				err = errors.Join(err, tx.Put(key, []byte(value)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
