package pebble

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv"
)

var (
	histories = flag.Int("histories", 40, "how many random histories the crash and fault tests run")
	firstSeed = flag.Uint64("seed", 0, "the seed of the first history; 0: chosen by the time")
)

const crashWriters = 4

// Each writer of a history makes its steps 1, 2, 3 and so on, in one update each.
// What it has written after step n follows from n alone, so that an update that
// survived by half shows.

// makeStep makes step n of writer w.
func makeStep(tx kv.Tx, w, n int) error {
	folder := fmt.Appendf(nil, "w%d/", w)
	var err error
	if n%7 == 0 {
		err = kv.DeleteRange(tx, folder, kv.PrefixEnd(folder))
	}
	if n%3 == 0 {
		err = errors.Join(err, tx.Delete(fmt.Appendf(nil, "w%d/k%d", w, (n+1)%5)))
	}
	return errors.Join(err, tx.Put(fmt.Appendf(nil, "w%d/k%d", w, n%5), stepValue(n)),
		tx.Put(fmt.Appendf(nil, "w%d/", w), strconv.AppendInt(nil, int64(n), 10)))
}

func stepValue(n int) []byte { return fmt.Appendf(make([]byte, n*977%3000), "%d", n) }

// afterStep is what writer w has stored after step n, by key.
func afterStep(w, n int) map[string]string {
	m := map[string]string{}
	for i := max(1, n-n%7); i <= n; i++ { // since the last removal of all
		if i%3 == 0 {
			delete(m, fmt.Sprintf("w%d/k%d", w, (i+1)%5))
		}
		m[fmt.Sprintf("w%d/k%d", w, i%5)] = string(stepValue(i))
	}
	if n > 0 {
		m[fmt.Sprintf("w%d/", w)] = strconv.Itoa(n)
	}
	return m
}

// floor is the least that must be found: the steps that were acknowledged or shown,
// and the highest time of an update that was acknowledged.
type floor struct {
	steps [crashWriters]int
	time  time.Time
}

// check looks whether a store holds at least the floor, and of each writer exactly
// what it had stored after some step. It returns those steps.
func (f floor) check(db *DB) (steps [crashWriters]int, err error) {
	err = db.View(context.Background(), func(r kv.Reader) error {
		if r.Now().Before(f.time) {
			return fmt.Errorf("the time is %v, an update was acknowledged at %v", r.Now(), f.time)
		}
		for w := range steps {
			folder := fmt.Appendf(nil, "w%d/", w)
			v, err := r.Get(folder)
			if err != nil {
				return err
			}
			if v != nil {
				if steps[w], err = strconv.Atoi(string(v)); err != nil {
					return err
				}
			}
			if steps[w] < f.steps[w] {
				return fmt.Errorf("writer %d is at step %d, step %d was acknowledged or shown", w, steps[w], f.steps[w])
			}
			want := afterStep(w, steps[w])
			for p, err := range r.Scan(folder, kv.PrefixEnd(folder)) {
				if err != nil {
					return err
				}
				if got, ok := want[string(p.Key)]; !ok || got != string(p.Value) {
					return fmt.Errorf("writer %d after step %d: %q has %d bytes, wanted %v with %d", w, steps[w], p.Key, len(p.Value), ok, len(got))
				}
				delete(want, string(p.Key))
			}
			if len(want) > 0 {
				return fmt.Errorf("writer %d after step %d: %d keys are missing", w, steps[w], len(want))
			}
		}
		return nil
	})
	return steps, err
}

// history is a disk, what is known to be on it, and how to use it.
type history struct {
	disk *vfs.MemFS
	mu   sync.Mutex
	floor
}

func (h *history) known() floor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.floor
}

func (h *history) raise(w, n int, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps[w] = max(h.steps[w], n)
	if at.After(h.time) {
		h.time = at
	}
}

// options make tables and logs small, so that a short history has several, and let
// time stand, so that it moves by updates only and a restart has to remember it.
func (h *history) options(fs vfs.FS) *Options {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &Options{FS: fs, CheckDeclared: true, Clock: func() time.Time { return start },
		tune: func(o *pebble.Options) { o.MemTableSize = 32 << 10 }}
}

// run has the writers make steps each and views raise the floor meanwhile. It
// returns the errors of updates and views.
func (h *history) run(db *DB, from [crashWriters]int, steps int) error {
	var wg sync.WaitGroup
	var writing atomic.Int32
	writing.Store(crashWriters)
	errs := make([]error, crashWriters+1)
	for w := range crashWriters {
		wg.Go(func() {
			defer writing.Add(-1)
			for n := from[w] + 1; n <= from[w]+steps; n++ {
				var at time.Time
				if errs[w] = db.Update(context.Background(), []kv.Key{fmt.Appendf(nil, "w%d/", w)}, func(tx kv.Tx) error {
					at = tx.Now()
					return makeStep(tx, w, n)
				}); errs[w] != nil {
					return
				}
				h.raise(w, n, at)
			}
		})
	}
	for errs[crashWriters] == nil && writing.Load() > 0 {
		var seen [crashWriters]int
		seen, errs[crashWriters] = h.known().check(db)
		for w, n := range seen {
			h.raise(w, n, time.Time{})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// TestCrashes runs random histories in which the power fails at any action on any
// file, goes on from what is left, and lets it fail again.
func TestCrashes(t *testing.T) {
	eachSeed(t, func(seed uint64) error {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := &history{disk: vfs.NewCrashableMem()}
		for range 3 {
			left, err := h.untilCrash(rng)
			if err != nil {
				return err
			}
			for _, l := range left {
				db, err := Open("db", l.options(l.disk))
				if err != nil {
					return fmt.Errorf("open after a crash: %w", err)
				}
				_, err = l.check(db)
				if err := errors.Join(err, db.Close()); err != nil {
					return fmt.Errorf("after a crash: %w", err)
				}
			}
			h = left[rng.IntN(len(left))]
		}
		return nil
	})
}

// untilCrash uses the store for a while and returns what power failures at some
// moments would have left, which includes the end.
func (h *history) untilCrash(rng *rand.Rand) (left []*history, err error) {
	var actions atomic.Int64
	at := map[int64]uint64{}
	for range 2 {
		at[1+rng.Int64N(200)] = rng.Uint64()
	}
	fail := func(seed uint64) {
		known := h.known() // before the failure
		left = append(left, &history{disk: crash(h.disk, seed), floor: known})
	}
	var mu sync.Mutex
	fs := &testFS{h.disk, func(string, string) error {
		if seed, ok := at[actions.Add(1)]; ok {
			mu.Lock()
			defer mu.Unlock()
			fail(seed)
		}
		return nil
	}}
	db, err := Open("db", h.options(fs))
	if err != nil {
		return nil, err
	}
	from, err := h.check(db)
	if err == nil {
		err = h.run(db, from, 1+rng.IntN(20))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	fail(rng.Uint64())
	return left, nil
}

// eachSeed runs fn with as many seeds as were asked for.
func eachSeed(t *testing.T, fn func(seed uint64) error) {
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	n := *histories
	if testing.Short() {
		n /= 4
	}
	for i := range uint64(n) {
		if err := fn(seed + i); err != nil {
			t.Fatalf("-histories 1 -seed %d: %v", seed+i, err)
		}
	}
}
