// Package kv is the ordered, transactional key-value store that holds
// everything small: records of accounts, containers, blobs and leases.
//
// An engine implements DB and passes kvtest.Run; nothing about blobs is
// written per engine.
package kv

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Limits that every engine refuses to exceed, rather than truncate.
const (
	// MaxKey is the longest key in bytes: a blob name of 1,024 characters takes
	// at most 4,096 bytes, and the key layout adds less than 1,024 around it.
	MaxKey = 8 << 10
	// MaxValue is the largest value in bytes: a list of 50,000 blocks with
	// 64-byte IDs takes about 5 MiB.
	MaxValue = 16 << 20
	// MaxUpdate is how many bytes of keys and values one update may write, at least:
	// an engine may refuse more. The largest that have to fit give up 100,000 uncommitted
	// blocks, at some 300 bytes each (docs/facts/largest-transactions.md).
	MaxUpdate = 64 << 20
	// Tick is the least distance between the times of two updates that declare
	// a common key, so that such a time can serve as a version stamp. It is the
	// resolution of the timestamps of the Blob service (seven fractional digits).
	Tick = 100 * time.Nanosecond
)

// Errors that every engine reports with errors.Is.
var (
	// ErrTooLarge is returned by Put for a key or a value over the limit, by Get and
	// Delete for a key over it, and by all writes beyond what an update may write.
	// The transaction can go on.
	ErrTooLarge = errors.New("kv: key or value over the limit")
	// ErrUndeclared is returned by Get and Scan inside Update, for engines opened
	// with checking on, when the key or range is not covered by a declared key.
	ErrUndeclared = errors.New("kv: read of a key that was not declared")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("kv: store is closed")
	// ErrReadOnly is wrapped by Update when the engine can't write for a reason
	// that may pass (disk full, read-only file system). Nothing was changed.
	ErrReadOnly = errors.New("kv: store cannot write")
	// ErrUnknown is wrapped by Update when its commit may or may not have happened, and it could
	// not be found out in time.
	ErrUnknown = errors.New("kv: it is not known whether the update has happened")
	// ErrNested is yielded by a scan that begins before another of the same reader has ended.
	ErrNested = errors.New("kv: scan within a scan")
)

// Key names what an update depends on. It covers itself and every key that begins
// with it. The keys that a program declares must come from a prefix-free set (no
// declared key is a proper prefix of another; meta ends each with a terminator),
// because exclusion is between equal declared keys only.
type Key = []byte

// Pair is a key and its value. Both are valid until the iteration goes on; a
// caller that keeps them copies them.
type Pair struct {
	Key, Value []byte
}

// DB is an ordered key-value store with serializable transactions. Keys are
// ordered as unsigned bytes. It is safe for concurrent use.
type DB interface {
	// View runs fn on one consistent and durable snapshot: nothing is shown that
	// a crash could still take back.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn alone among all updates that declare one of the same keys. Its
	// writes are durable and visible when Update returns nil; when fn returns an
	// error or panics, or ctx ends before the commit began, nothing is changed. fn may
	// run more than once; only the effects of its last run count. What it decides
	// on must be read from keys that the declared keys cover; writes may go anywhere.
	// Keys may be given in any order and more than once.
	Update(ctx context.Context, keys []Key, fn func(Tx) error) error

	// Close waits for running transactions and releases the engine.
	Close() error
}

// Reader reads within one transaction. It must not be used after the function it
// was given to has returned, and by one goroutine at a time.
type Reader interface {
	// Now is the time of the transaction: one value throughout, never before the
	// Now of a transaction that committed earlier (also across a restart), and, in
	// Update, later by at least Tick than the Now of every earlier update that
	// declared one of the same keys.
	Now() time.Time
	// Get returns the value of key, nil when there is none, and an empty non-nil slice
	// for an empty value. The slice is valid until the transaction ends and must not
	// be modified.
	Get(key []byte) ([]byte, error)
	// Scan yields the pairs with start <= key < end in ascending order, the
	// transaction's own writes included; a nil end means no bound. An error ends it.
	// Writes made while it runs, say to remove what it yields, it does not show.
	// Scans within one reader may follow each other but not nest (ErrNested). Beginning a new
	// scan after another was left early is cheap (one seek).
	Scan(start, end []byte) iter.Seq2[Pair, error]
}

// Tx reads and writes within one update. Put and Delete copy what they are given.
type Tx interface {
	Reader
	// Put sets the value of key.
	Put(key, value []byte) error
	// Delete removes key; removing what is not there is no error.
	Delete(key []byte) error
}

// RangeDeleter is implemented by a Tx that can drop a whole range at a cost that
// does not grow with it. DeleteRange falls back to single deletes without it.
type RangeDeleter interface {
	// DeleteRange removes every key with start <= key < end; a nil end means no
	// bound. As a write it needs no declared key.
	DeleteRange(start, end []byte) error
}
