package kvtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
)

var timeTests = []test{
	{"OneNow", nothing, testOneNow},
	{"TickApart", nothing, testTickApart},
	{"Monotone", nothing, testMonotone},
	{"WallSteps", nothing, testWallSteps},
	{"Reopened", durable, testTimeReopened},
	{"ReopenedParallel", durable, testTimeReopenedParallel},
	{"Crashed", crash, testTimeCrashed},
}

// now returns the time of a view.
func (h handle) now() (at time.Time) {
	h.t.Helper()
	h.view(func(r kv.Reader) { at = r.Now() })
	return at
}

// stamp writes key and returns the time of the update.
func (h handle) stamp(key string) (at time.Time) {
	h.t.Helper()
	h.update(k(key), func(tx kv.Tx) error {
		at = tx.Now()
		return tx.Put([]byte(key), []byte(at.String()))
	})
	return at
}

func testOneNow(t *testing.T, s Store) {
	wall := NewWall()
	db := openedAt(t, s.Open, wall.Now)
	look := func(r kv.Reader) {
		at := r.Now()
		wall.Step(time.Second)
		if !r.Now().Equal(at) {
			t.Errorf("Now changed within a transaction from %v to %v", at, r.Now())
		}
	}
	db.view(look)
	db.update(nil, func(tx kv.Tx) error { look(tx); return nil })
}

// testTickApart updates one key on a clock that stands.
func testTickApart(t *testing.T, s Store) {
	wall := NewWall()
	db := openedAt(t, s.Open, wall.Now)
	at := db.now()
	for range 100 {
		if next := db.stamp("a"); next.Sub(at) < kv.Tick {
			t.Fatalf("an update at %v after one at %v", next, at)
		} else {
			at = next
		}
		if seen := db.now(); seen.Before(at) {
			t.Fatalf("a view at %v after an update at %v", seen, at)
		}
	}
	if ahead := at.Sub(wall.Now()); ahead > 1000*kv.Tick {
		t.Errorf("100 updates moved the time by %v", ahead)
	}
}

// testMonotone has every transaction look for times after its own in what it reads
// and in what returned before it began.
func testMonotone(t *testing.T, s Store) {
	db := opened(t, s)
	var mu sync.Mutex
	var highest time.Time // of updates that returned
	parallel(t, 8, func(g int) error {
		key := fmt.Sprintf("key/%d", g%3)
		for range 50 {
			mu.Lock()
			before := highest
			mu.Unlock()
			var at time.Time
			check := func(r kv.Reader) error {
				at = r.Now()
				if at.Before(before) {
					t.Errorf("Now %v after an update at %v returned", at, before)
				}
				v, err := r.Get([]byte(key))
				if v == nil || err != nil {
					return err
				}
				written := new(time.Time)
				if err := written.UnmarshalBinary(v); err != nil {
					return err
				}
				if _, update := r.(kv.Tx); at.Before(*written) || update && at.Sub(*written) < kv.Tick {
					t.Errorf("Now %v reads what was written at %v", at, written)
				}
				return nil
			}
			if err := db.View(context.Background(), check); err != nil {
				return err
			}
			if err := db.Update(context.Background(), k(key), func(tx kv.Tx) error {
				if err := check(tx); err != nil {
					return err
				}
				b, err := at.MarshalBinary()
				if err != nil {
					return err
				}
				return tx.Put([]byte(key), b)
			}); err != nil {
				return err
			}
			mu.Lock()
			if at.After(highest) {
				highest = at
			}
			mu.Unlock()
		}
		return nil
	})
}

// testWallSteps steps the wall clock back under an open store.
func testWallSteps(t *testing.T, s Store) {
	wall := NewWall()
	db := openedAt(t, s.Open, wall.Now)
	at := db.stamp("a")
	wall.Step(-time.Hour)
	for _, next := range []time.Time{db.stamp("a"), db.stamp("b")} {
		if d := next.Sub(at); d < kv.Tick || d > time.Second {
			t.Errorf("after the wall clock stepped back: %v later", d)
		}
	}
	if seen := db.now(); seen.Before(at) {
		t.Errorf("a view after the step: %v before the update", at.Sub(seen))
	}
	wall.Step(2 * time.Hour)
	if d := db.stamp("a").Sub(at); d < time.Hour-time.Millisecond {
		t.Errorf("an hour later: %v", d)
	}
}

// testTimeReopened reopens the store with the wall clock ahead, behind and at the
// time of the store.
func testTimeReopened(t *testing.T, s Store) {
	wall := NewWall()
	var last time.Time
	for _, step := range []time.Duration{0, time.Hour, -30 * time.Minute, 0, -24 * time.Hour, 24 * time.Hour} {
		before := wall.Now()
		wall.Step(step)
		db := openedAt(t, s.Open, wall.Now)
		seen := db.now()
		if seen.Before(last) {
			t.Errorf("step %v: a view at %v, closed at %v", step, seen, last)
		}
		ahead := seen.Sub(wall.Now()) // of the wall clock
		if behind := max(0, last.Sub(wall.Now())); ahead < 0 || ahead > behind+time.Second {
			t.Errorf("step %v from %v: time is %v ahead of the wall clock", step, before, ahead)
		}
		at := db.stamp("a")
		if at.Sub(last) < kv.Tick {
			t.Errorf("step %v: an update at %v, closed at %v", step, at, last)
		}
		// A lease that ran for another 15 s when the store was closed ends after 15 s.
		wall.Step(15 * time.Second)
		if d := db.now().Sub(at); d < 15*time.Second-time.Millisecond || d > 16*time.Second {
			t.Errorf("step %v: 15 s later it is %v later", step, d)
		}
		last = db.stamp("b")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// testTimeReopenedParallel closes after updates that became durable in any order.
func testTimeReopenedParallel(t *testing.T, s Store) {
	wall := NewWall()
	var mu sync.Mutex
	var last time.Time
	for range 3 {
		db := openedAt(t, s.Open, wall.Now)
		if seen := db.now(); seen.Before(last) {
			t.Errorf("a view at %v after an update at %v", seen, last)
		}
		parallel(t, 20, func(g int) error {
			at := db.stamp(fmt.Sprint(g))
			mu.Lock()
			defer mu.Unlock()
			if at.After(last) {
				last = at
			}
			return nil
		})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wall.Step(-time.Minute)
	}
}

// testTimeCrashed finds the time after a power failure no earlier than the last
// update that returned, though the wall clock went back.
func testTimeCrashed(t *testing.T, s Store) {
	wall := NewWall()
	db := openedAt(t, s.Open, wall.Now)
	for range 20 {
		wall.Step(time.Minute)
		at := db.stamp("a")
		behind := NewWall()
		after := openedAt(t, s.Crash, behind.Now)
		if seen := after.now(); seen.Before(at) {
			t.Errorf("after a crash the time is %v, an update returned at %v", seen, at)
		}
		if next := after.stamp("a"); next.Sub(at) < kv.Tick || next.Sub(at) > time.Second {
			t.Errorf("after a crash an update at %v, the last was at %v", next, at)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
