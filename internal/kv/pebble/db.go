// Package pebble is the embedded kv engine: one folder, one process, on top of
// the log-structured store github.com/cockroachdb/pebble.
//
// How an update runs:
//
//  1. It takes the locks of its declared keys, one after the other in one fixed
//     order, and keeps them until it is durable.
//  2. It takes one of MaxInFlight places, then its time, then runs its function on
//     the newest durable snapshot. Writes gather in a batch.
//  3. The committer merges the batches that wait into one, adds the time, appends it
//     to the log and, without waiting for the disk, takes a snapshot of just that.
//  4. The syncer waits until the log is on the disk, publishes the snapshot, and
//     lets the updates return.
//
// Everything that any transaction reads comes from the newest published snapshot. Pebble itself
// shows a write before it is durable; a snapshot that is published only after the sync does not,
// and no reader ever waits for a sync. A cache in front of it holds the values that are looked up
// again and again, each with the snapshots that it is valid for (recordCache).
//
// When the log cannot be written or synced, nobody knows what is on the disk: the
// store fails for good, every call returns the cause, and Options.OnFatal is
// called so that the process can end.
package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv"
)

// MaxInFlight is how many updates run or wait for the disk at once; the others
// wait for a place. At 64 callers a sync carries some 30 commits; twice that keeps
// the disk busy while finished callers come back, and more only wait longer.
const MaxInFlight = 128

// Every key of a caller is stored behind dataPrefix; the engine's own keys lie
// below it.
const dataPrefix = 1

var (
	dataStart = []byte{dataPrefix}
	dataEnd   = []byte{dataPrefix + 1}
	timeKey   = []byte("\x00time") // the highest time shown, nanoseconds since 1970, big-endian
)

// Options says how a store is opened. The zero value is ready.
type Options struct {
	// FS is the file system; nil means that of the operating system.
	FS vfs.FS
	// Clock is the wall clock; nil means time.Now. See kv.Clock.
	Clock func() time.Time
	// CheckDeclared makes reads of undeclared keys in updates fail with
	// kv.ErrUndeclared.
	CheckDeclared bool
	// CacheBytes is the size of the cache of table blocks; 0 means 64 MiB. Pebble takes out
	// of it what is not yet in tables, 16 to 64 MiB.
	CacheBytes int64
	// RecordBytes is the size of the cache of values that are looked up again and again, which
	// spares them Pebble; 0 means 16 MiB, negative turns it off.
	RecordBytes int
	// OpenFiles is how many files are open at once, at most; 0 means 500. Pebble keeps at least 64
	// tables open if there are as many.
	OpenFiles int
	// MinFree is how many bytes must be free on the disk for an update to be
	// accepted, so that the log never meets a full disk; 0 means 64 MiB, negative
	// turns the check off. Whoever writes bodies to the same disk stops earlier, so
	// that deleting still works.
	MinFree int64
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
	// OnFatal is called once, on a goroutine of its own, when the store has failed.
	OnFatal func(error)

	tune func(*pebble.Options) // for tests
}

// DB is an open store.
type DB struct {
	pebble  *pebble.DB
	dir     string
	fs      vfs.FS
	log     *slog.Logger
	clock   *kv.Clock
	check   bool
	minFree uint64
	onFatal func(error)
	failure atomic.Pointer[error]
	dead    chan struct{} // closed when failure is set
	stalls  stalls

	records *recordCache // nil: none

	locks  lockTable
	slots  chan struct{} // one token for each update in flight
	commit committer

	mu      sync.Mutex
	closed  bool
	current *snapshot      // the newest that is durable
	running sync.WaitGroup // Add only with mu held and closed false
}

// Open opens the store in dir, which it creates if need be, and locks it against
// other processes. o may be nil.
func Open(dir string, o *Options) (*DB, error) {
	if o == nil {
		o = &Options{}
	}
	db := &DB{
		dir: dir, fs: o.FS, log: o.Logger, check: o.CheckDeclared, onFatal: o.OnFatal,
		minFree: 64 << 20,
		dead:    make(chan struct{}),
		slots:   make(chan struct{}, MaxInFlight),
	}
	db.locks.init()
	if db.fs == nil {
		db.fs = vfs.Default
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.RecordBytes == 0:
		db.records = newRecordCache(recordCacheBytes)
	case o.RecordBytes > 0:
		db.records = newRecordCache(o.RecordBytes)
	}
	if o.MinFree != 0 {
		db.minFree = uint64(max(0, o.MinFree))
	}
	if err := db.open(o); err != nil {
		return nil, fmt.Errorf("kv/pebble: open %s: %w", dir, err)
	}
	return db, nil
}

func (db *DB) open(o *Options) error {
	err := db.contain(func() (err error) {
		db.pebble, err = pebble.Open(db.dir, db.engineOptions(o))
		return err
	})
	if err != nil {
		return err
	}
	floor, err := db.storedTime()
	if err != nil {
		return errors.Join(err, db.pebble.Close())
	}
	db.clock = kv.NewClock(o.Clock, floor)
	wall := time.Now
	if o.Clock != nil {
		wall = o.Clock
	}
	if behind := db.clock.Now().Sub(wall()); behind > time.Second {
		db.log.Warn("the wall clock is behind the store, whose time goes on from where it was", "behind", behind)
	}
	db.current = &snapshot{Snapshot: db.pebble.NewSnapshot(), refs: 1}
	db.commit.start(db)
	return nil
}

// View implements kv.DB. It never waits for a lock or for the disk to sync.
func (db *DB) View(ctx context.Context, fn func(kv.Reader) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.Done()
	r := db.newReader()
	defer db.release(&r)
	r.now = db.clock.Now() // after the snapshot: all that it shows happened before
	return fn(&r)
}

// Update implements kv.DB.
func (db *DB) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.Done()
	held, err := db.locks.acquire(ctx, keys)
	if err != nil {
		return err
	}
	defer db.locks.release(held)
	select {
	case db.slots <- struct{}{}:
		defer func() { <-db.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	t := tx{reader: db.newReader(), db: db, keys: keys}
	t.now = db.clock.Next()
	defer t.close()
	if err := fn(&t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.batch == nil {
		return nil
	}
	err = db.commit.do(t.batch)
	if err != nil && !errors.Is(err, kv.ErrReadOnly) {
		err = fmt.Errorf("%w: %w", kv.ErrUnknown, err)
	}
	return err
}

// Close implements kv.DB. A second call returns kv.ErrClosed. A store that has
// failed keeps its folder locked until the process ends; its Close returns the cause.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return kv.ErrClosed
	}
	db.closed = true
	db.mu.Unlock()
	db.running.Wait()
	db.commit.finish()
	if err := db.failed(); err != nil {
		return err
	}
	return db.contain(func() error {
		return errors.Join(db.current.Close(), db.pebble.Close())
	})
}

// begin counts a transaction in; db.running.Done counts it out.
func (db *DB) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return kv.ErrClosed
	}
	if err := db.failed(); err != nil {
		return err
	}
	db.running.Add(1)
	return nil
}

// snapshot is shared by the transactions that began while it was the newest.
type snapshot struct {
	*pebble.Snapshot
	number uint64 // the first is 0, and each that is published has the next
	refs   int    // with DB.mu held; DB.current counts as one
}

// pin returns the newest durable snapshot, to be given back with unpin.
func (db *DB) pin() *snapshot {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.current.refs++
	return db.current
}

func (db *DB) unpin(s *snapshot) error {
	db.mu.Lock()
	s.refs--
	last := s.refs == 0
	db.mu.Unlock()
	if !last {
		return nil
	}
	return s.Close()
}

// publish makes s, which is durable, what transactions read from now on.
// writes is what it shows and the one before does not. Only one may be published at a time.
func (db *DB) publish(s *pebble.Snapshot, writes batchrepr.Reader) error {
	next := &snapshot{Snapshot: s, number: db.current.number + 1, refs: 1}
	if db.records != nil {
		if err := db.records.publish(writes, next.number); err != nil {
			return err
		}
	}
	db.mu.Lock()
	old := db.current
	db.current = next
	db.mu.Unlock()
	return db.unpin(old)
}

// failed returns why the store has failed, nil if it has not.
func (db *DB) failed() error {
	if p := db.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail ends the store: what it was doing can no longer be trusted to be on the
// disk. Only the first cause counts. It returns that.
func (db *DB) fail(cause error) error {
	err := fmt.Errorf("kv/pebble: store has failed: %w", cause)
	if db.failure.CompareAndSwap(nil, &err) {
		close(db.dead)
		db.log.Error("the store has failed; the process must end", "err", cause.Error()) // without the stack
		if db.onFatal != nil {
			go db.onFatal(err)
		}
	}
	return db.failed()
}

// contain runs fn. When Pebble cannot go on it panics, ends the goroutine, or waits for a goroutine
// that it has ended; contain returns an error for each.
func (db *DB) contain(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				db.fail(fmt.Errorf("%v", r))
			}
		}()
		result <- fn()
	}()
	select {
	case err := <-result:
		return err
	case <-db.dead:
		return db.failed()
	}
}

// storedTime reads the highest time that was shown, as far as it was stored.
func (db *DB) storedTime() (time.Time, error) {
	v, closer, err := db.pebble.Get(timeKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	defer closer.Close()
	if len(v) != 8 {
		return time.Time{}, fmt.Errorf("the stored time has %d bytes, not 8", len(v))
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(v))), nil
}
