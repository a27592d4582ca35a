package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/kvtest"
)

// TestConformance runs the suite in memory, with a cache of records that evicts all the time.
func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kvtest.Store {
		mem, g := vfs.NewCrashableMem(), &gate{}
		open := func(fs vfs.FS) func(func() time.Time) (kv.DB, error) {
			return func(clock func() time.Time) (kv.DB, error) {
				return orNil(Open("db", &Options{FS: fs, Clock: clock, CheckDeclared: true, RecordBytes: tiny}))
			}
		}
		return kvtest.Store{
			Open:    open(&testFS{mem, g.before}),
			Durable: true,
			Crash: func(clock func() time.Time) (kv.DB, error) {
				return open(crash(mem, rand.Uint64()))(clock)
			},
			HoldSync: func() func() {
				g.Lock()
				return g.Unlock
			},
		}
	})
}

// TestConformanceDisk runs the suite on the file system of the operating system, with a
// cache of records that keeps them all.
func TestConformanceDisk(t *testing.T) {
	kvtest.Run(t, func(t *testing.T) kvtest.Store {
		dir := t.TempDir()
		return kvtest.Store{
			Open: func(clock func() time.Time) (kv.DB, error) {
				return orNil(Open(dir, &Options{Clock: clock, CheckDeclared: true}))
			},
			Durable: true,
		}
	})
}

// orNil keeps a nil *DB from becoming a kv.DB that is not nil.
func orNil(db *DB, err error) (kv.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}

// openTest opens a store that the test closes at its end.
func openTest(t *testing.T, fs vfs.FS, o Options) *DB {
	t.Helper()
	o.FS, o.CheckDeclared = fs, true
	db, err := Open("db", &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func put(db *DB, key, value string) error {
	return db.Update(context.Background(), []kv.Key{[]byte(key)}, func(tx kv.Tx) error {
		return tx.Put([]byte(key), []byte(value))
	})
}

func get(db *DB, key string) (value string, err error) {
	err = db.View(context.Background(), func(r kv.Reader) error {
		v, err := r.Get([]byte(key))
		value = string(v)
		return err
	})
	return value, err
}

// TestFullDisk takes the free space away and gives it back.
func TestFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	free := func(bytes uint64) { mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes, TotalBytes: 1 << 30}) }
	free(1 << 30)
	db := openTest(t, mem, Options{})
	if err := put(db, "a", "1"); err != nil {
		t.Fatal(err)
	}
	free(64<<20 - 1)
	if err := put(db, "a", "2"); !errors.Is(err, kv.ErrReadOnly) {
		t.Errorf("Update on a full disk: %v, want ErrReadOnly", err)
	}
	if err := db.Update(context.Background(), nil, func(kv.Tx) error { return nil }); err != nil {
		t.Errorf("Update that writes nothing: %v", err)
	}
	if v, err := get(db, "a"); v != "1" || err != nil {
		t.Errorf("on a full disk a = %q, %v; want 1", v, err)
	}
	free(64 << 20)
	if err := put(db, "a", "3"); err != nil {
		t.Errorf("Update when there is space again: %v", err)
	}
	if v, err := get(db, "a"); v != "3" || err != nil {
		t.Errorf("a = %q, %v; want 3", v, err)
	}
}

// TestUpdateLimit writes as much as an update may, and more.
func TestUpdateLimit(t *testing.T) {
	db := openTest(t, vfs.NewMem(), Options{})
	value := make([]byte, kv.MaxValue)
	err := db.Update(context.Background(), nil, func(tx kv.Tx) error {
		for range kv.MaxUpdate / len(value) {
			if err := tx.Put([]byte("a"), value); err != nil {
				t.Errorf("Put within the limit: %v", err)
			}
		}
		if err := errors.Join(tx.Put([]byte("b"), value), tx.Put([]byte("b"), value)); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("Put over the limit: %v, want ErrTooLarge", err)
		}
		return tx.Put([]byte("c"), nil)
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
}

// TestKeepTime has only views for some seconds, and crashes: a view after that is
// not earlier, but for the last second, though the wall clock went back.
func TestKeepTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewCrashableMem()
		db := openTest(t, mem, Options{})
		var shown time.Time
		for range 10 {
			<-time.After(time.Second)
			db.View(context.Background(), func(r kv.Reader) error { shown = r.Now(); return nil })
		}
		back := time.Now().Add(-time.Hour)
		after := openTest(t, crash(mem, 1), Options{Clock: func() time.Time { return back }})
		after.View(context.Background(), func(r kv.Reader) error {
			if lost := shown.Sub(r.Now()); lost > 2*time.Second {
				t.Errorf("a view after the crash is %v before one that was shown", lost)
			}
			return nil
		})
		if err := errors.Join(after.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestIdle finds a store that nobody uses writing nothing.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openTest(t, vfs.NewMem(), Options{})
		if err := put(db, "a", "1"); err != nil {
			t.Error(err)
		}
		<-time.After(2 * time.Second)
		before := db.Metrics()
		<-time.After(time.Hour)
		if after := db.Metrics(); after.Syncs != before.Syncs {
			t.Errorf("%d syncs in an idle hour", after.Syncs-before.Syncs)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckpoint(t *testing.T) {
	mem := vfs.NewMem()
	db := openTest(t, mem, Options{})
	for i := range 100 {
		if err := put(db, fmt.Sprint("key/", i), "before"); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Checkpoint(context.Background(), "copy"); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(context.Background(), "copy"); err == nil {
		t.Error("a checkpoint overwrote another")
	}
	if err := put(db, "key/1", "after"); err != nil {
		t.Fatal(err)
	}
	stats, err := db.Verify(context.Background())
	if err != nil || stats.Keys != 100 {
		t.Errorf("Verify: %+v, %v; want 100 keys", stats, err)
	}
	c, err := Open("copy", &Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := get(c, "key/1"); v != "before" || err != nil {
		t.Errorf("in the copy key/1 = %q, %v; want before", v, err)
	}
	if stats, err := c.Verify(context.Background()); err != nil || stats.Keys != 100 {
		t.Errorf("Verify of the copy: %+v, %v; want 100 keys", stats, err)
	}
}

// TestVerify changes one byte in the middle of every table.
func TestVerify(t *testing.T) {
	mem := vfs.NewMem()
	db := openTest(t, mem, Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		if err := put(db, fmt.Sprint("key/", i), fmt.Sprint(rng.Uint64(), rng.Uint64())); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.pebble.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List("db")
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, name := range names {
		if bytes.HasSuffix([]byte(name), []byte(".sst")) {
			data, err := mem.UnsafeGetFileDataBuffer(mem.PathJoin("db", name))
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/3] ^= 1
			changed++
		}
	}
	if changed == 0 {
		t.Fatalf("no tables in %q", names)
	}
	db = openTest(t, mem, Options{})
	if stats, err := db.Verify(context.Background()); err == nil {
		t.Errorf("Verify of a store with a wrong byte found %+v and no error", stats)
	}
}

// TestMetrics finds the numbers in motion.
func TestMetrics(t *testing.T) {
	db := openTest(t, vfs.NewMem(), Options{})
	for range 3 {
		if err := put(db, "a", "1"); err != nil {
			t.Fatal(err)
		}
	}
	m := db.Metrics()
	if m.Commits != 3 || m.Syncs < 3 || m.MemTableBytes <= 0 || m.DiskBytes <= 0 {
		t.Errorf("after three updates: %+v", m)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if m := db.Metrics(); m != (kv.Metrics{}) {
		t.Errorf("of a closed store: %+v", m)
	}
}

// TestLocksInOrder queues up for one lock and counts who gets it when.
func TestLocksInOrder(t *testing.T) {
	var l lockTable
	l.init()
	ctx, cancel := context.WithCancel(context.Background())
	key := []kv.Key{[]byte("a")}
	held, err := l.acquire(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var order []int // changed only by who has the lock
	waiting := func() int {
		s := l.shard(held[0])
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.held[held[0]])
	}
	for i := range 10 {
		wg.Go(func() {
			c := context.Background()
			if i%3 == 2 {
				c = ctx
			}
			mine, err := l.acquire(c, key)
			if err != nil {
				return
			}
			order = append(order, i)
			l.release(mine)
		})
		for waiting() <= i {
			<-time.After(0)
		}
	}
	cancel()
	for waiting() > 7 {
		<-time.After(0)
	}
	l.release(held)
	wg.Wait()
	if got := fmt.Sprint(order); got != "[0 1 3 4 6 7 9]" {
		t.Errorf("the lock went to %s, want the order of arrival without those who left", got)
	}
	for i := range l.shards {
		if n := len(l.shards[i].held); n != 0 {
			t.Errorf("%d locks are left", n)
		}
	}
}
