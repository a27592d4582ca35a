// Package mem is a kv engine in memory, for tests and for trying things out. Nothing outlives the
// process.
//
// The store is one copy-on-write B-tree. A transaction gets a copy, which costs
// a few words; an update that succeeds makes its copy the store. Updates run one
// after the other, whatever they declare.
package mem

import (
	"bytes"
	"context"
	"iter"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"github.com/leasehold/leasehold/internal/kv"
)

// Options says how a store behaves. The zero value is ready.
type Options struct {
	// Clock is the wall clock; nil means time.Now.
	Clock func() time.Time
	// SkipChecks lets reads of undeclared keys succeed, which otherwise fail with kv.ErrUndeclared.
	SkipChecks bool
}

// DB is a store in memory.
type DB struct {
	clock   *kv.Clock
	checks  bool
	writing chan struct{} // holds a token while an update runs

	mu      sync.Mutex
	tree    *tree // changed only by replacing it
	closed  bool
	running sync.WaitGroup // Add only with mu held and closed false
}

type tree = btree.BTreeG[kv.Pair]

// Open returns an empty store. o may be nil.
func Open(o *Options) *DB {
	if o == nil {
		o = &Options{}
	}
	return &DB{
		clock:   kv.NewClock(o.Clock, time.Time{}),
		checks:  !o.SkipChecks,
		writing: make(chan struct{}, 1),
		tree:    btree.NewBTreeGOptions(less, btree.Options{NoLocks: true}),
	}
}

func less(a, b kv.Pair) bool { return bytes.Compare(a.Key, b.Key) < 0 }

// View implements kv.DB.
func (db *DB) View(ctx context.Context, fn func(kv.Reader) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.Done()
	return fn(&reader{tree: db.copy(), now: db.clock.Now()})
}

// Update implements kv.DB.
func (db *DB) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.Done()
	select {
	case db.writing <- struct{}{}:
		defer func() { <-db.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	t := &tx{reader{tree: db.copy(), now: db.clock.Next(), keys: keys, checks: db.checks}}
	if err := fn(t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.tree = t.tree
	return nil
}

// Close implements kv.DB. A second call returns kv.ErrClosed.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return kv.ErrClosed
	}
	db.closed = true
	db.mu.Unlock()
	db.running.Wait()
	return nil
}

func (db *DB) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return kv.ErrClosed
	}
	db.running.Add(1)
	return nil
}

func (db *DB) copy() *tree {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.tree.Copy()
}

// reader reads a tree of its own.
type reader struct {
	tree   *tree
	now    time.Time
	keys   []kv.Key
	checks bool

	scanning bool
}

func (r *reader) Now() time.Time { return r.now }

func (r *reader) Get(key []byte) ([]byte, error) {
	if len(key) > kv.MaxKey {
		return nil, kv.ErrTooLarge
	}
	if r.checks && !kv.CoversKey(r.keys, key) {
		return nil, kv.ErrUndeclared
	}
	p, ok := r.tree.Get(kv.Pair{Key: key})
	if !ok {
		return nil, nil
	}
	return p.Value, nil
}

func (r *reader) Scan(start, end []byte) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		if r.checks && !kv.Covers(r.keys, start, end) {
			yield(kv.Pair{}, kv.ErrUndeclared)
			return
		}
		if r.scanning {
			yield(kv.Pair{}, kv.ErrNested)
			return
		}
		r.scanning = true
		defer func() { r.scanning = false }()
		r.tree.Copy().Ascend(kv.Pair{Key: start}, func(p kv.Pair) bool {
			if end != nil && bytes.Compare(p.Key, end) >= 0 {
				return false
			}
			return yield(p, nil)
		})
	}
}

// tx writes to its tree.
type tx struct{ reader }

func (t *tx) Put(key, value []byte) error {
	if len(key) > kv.MaxKey || len(value) > kv.MaxValue {
		return kv.ErrTooLarge
	}
	t.tree.Set(kv.Pair{Key: bytes.Clone(key), Value: append([]byte{}, value...)})
	return nil
}

func (t *tx) Delete(key []byte) error {
	if len(key) > kv.MaxKey {
		return kv.ErrTooLarge
	}
	t.tree.Delete(kv.Pair{Key: key})
	return nil
}

// DeleteRange implements kv.RangeDeleter, though one by one.
func (t *tx) DeleteRange(start, end []byte) error {
	all := &reader{tree: t.tree.Copy()}
	for p := range all.Scan(start, end) {
		t.tree.Delete(p)
	}
	return nil
}
