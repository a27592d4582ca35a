// Package kvtest is the conformance suite of kv engines: what the comments of
// package kv promise, as tests. An engine that passes Run can carry Leasehold.
package kvtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
)

// Store is one store under test: the data, which outlives the handles on it.
type Store struct {
	// Open opens the store on the given wall clock, with the checking of declared keys on. It is
	// called again only after the previous handle was closed, and only if Durable.
	Open func(clock func() time.Time) (kv.DB, error)

	// Durable says that the store keeps its data between Close and Open.
	Durable bool

	// Crash, if the engine's medium can simulate it, opens a separate handle on the state that a
	// power failure at this moment would leave. The store itself goes on. The caller closes the
	// handle. Crash is safe for concurrent use.
	Crash func(clock func() time.Time) (kv.DB, error)

	// HoldSync, if the engine's medium can simulate it, keeps writes from becoming
	// durable until release is called.
	HoldSync func() (release func())
}

// Run tests the engine whose stores open makes; every call makes a new, empty one.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Keys", keyTests},
		{"Transactions", txTests},
		{"Isolation", isolationTests},
		{"Time", timeTests},
		{"Durability", durabilityTests},
		{"Model", modelTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					s := open(t)
					if reason := c.needs.missing(s); reason != "" {
						t.Skip(reason)
					}
					c.run(t, s)
				})
			}
		})
	}
}

// test is one test of the suite and what it needs of a store.
type test struct {
	name  string
	needs needs
	run   func(*testing.T, Store)
}

type needs int

const (
	nothing needs = iota
	durable
	crash
	holdSync
)

func (n needs) missing(s Store) string {
	switch {
	case n == durable && !s.Durable:
		return "the engine keeps nothing between handles"
	case n == crash && s.Crash == nil:
		return "the engine's medium cannot simulate a power failure"
	case n == holdSync && s.HoldSync == nil:
		return "the engine's medium cannot hold back a sync"
	}
	return ""
}

// Wall is a wall clock that stands still until it is stepped. It is safe for concurrent use.
type Wall struct {
	mu  sync.Mutex
	now time.Time
}

// NewWall returns a clock that stands at noon of the first day of 2026, UTC.
func NewWall() *Wall {
	return &Wall{now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
}

// Now returns the time the clock stands at.
func (w *Wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Step moves the clock by d, which may be negative.
func (w *Wall) Step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// handle is an open store and the usual ways to use it in a test.
type handle struct {
	t *testing.T
	kv.DB
}

// opened opens s on a clock of the process, and closes it when the test ends
// unless the test did.
func opened(t *testing.T, s Store) handle { return openedAt(t, s.Open, nil) }

func openedAt(t *testing.T, open func(func() time.Time) (kv.DB, error), clock func() time.Time) handle {
	t.Helper()
	db, err := open(clock)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return handle{t, db}
}

// update runs fn with keys declared and fails the test if that fails.
func (h handle) update(keys []kv.Key, fn func(kv.Tx) error) {
	h.t.Helper()
	if err := h.Update(context.Background(), keys, fn); err != nil {
		h.t.Fatalf("Update: %v", err)
	}
}

// put stores pairs, given as key, value, key, value and so on, in one update.
func (h handle) put(pairs ...string) {
	h.t.Helper()
	h.update(nil, func(tx kv.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Put([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// get reads one key in a view; a key that is not there reads as "<none>".
func (h handle) get(key string) (value string) {
	h.t.Helper()
	h.view(func(r kv.Reader) { value = read(h.t, r, key) })
	return value
}

func (h handle) view(fn func(kv.Reader)) {
	h.t.Helper()
	err := h.View(context.Background(), func(r kv.Reader) error { fn(r); return nil })
	if err != nil {
		h.t.Fatalf("View: %v", err)
	}
}

// want fails the test unless the store holds exactly these pairs.
func (h handle) want(pairs ...string) {
	h.t.Helper()
	h.view(func(r kv.Reader) { wantScan(h.t, r, nil, nil, pairs...) })
}

// read gets key; a key that is not there reads as "<none>".
func read(t *testing.T, r kv.Reader, key string) string {
	t.Helper()
	v, err := r.Get([]byte(key))
	if err != nil {
		t.Errorf("Get(%q): %v", key, err)
	}
	if v == nil {
		return "<none>"
	}
	return string(v)
}

// scan returns the pairs of a scan as key, value, key, value and so on.
func scan(t *testing.T, r kv.Reader, start, end []byte) (pairs []string) {
	t.Helper()
	for p, err := range r.Scan(start, end) {
		if err != nil {
			t.Errorf("Scan(%q, %q): %v", start, end, err)
			break
		}
		pairs = append(pairs, string(p.Key), string(p.Value))
	}
	return pairs
}

func wantScan(t *testing.T, r kv.Reader, start, end []byte, want ...string) {
	t.Helper()
	got := scan(t, r, start, end)
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = got[i] == want[i]
	}
	if !same {
		t.Errorf("Scan(%q, %q) = %q, want %q", start, end, got, want)
	}
}

// k makes declared keys of strings.
func k(names ...string) (keys []kv.Key) {
	for _, n := range names {
		keys = append(keys, kv.Key(n))
	}
	return keys
}
