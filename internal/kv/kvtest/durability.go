package kvtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leasehold/leasehold/internal/kv"
)

var durabilityTests = []test{
	{"Reopen", durable, testReopen},
	{"ReopenLarge", durable, testReopenLarge},
	{"AcknowledgedSurvives", crash, testAcknowledgedSurvives},
	{"ShownSurvives", crash, testShownSurvives},
	{"NotShownBeforeDurable", holdSync, testNotShownBeforeDurable},
}

func testReopen(t *testing.T, s Store) {
	want := []string{}
	for i := range 5 {
		db := opened(t, s)
		db.want(want...)
		key := fmt.Sprint(i)
		db.put(key, "kept", "gone", "x")
		db.update(nil, func(tx kv.Tx) error { return tx.Delete([]byte("gone")) })
		db.Update(context.Background(), nil, func(tx kv.Tx) error {
			return errors.Join(tx.Put([]byte("failed"), nil), errTest)
		})
		want = append(want, key, "kept")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db := opened(t, s)
	db.update(nil, func(tx kv.Tx) error { return kv.DeleteRange(tx, []byte("1"), []byte("4")) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, s).want("0", "kept", "4", "kept")
}

func testReopenLarge(t *testing.T, s Store) {
	sizes := []int{0, 1, 4 << 10, 32 << 10, 300_000, 3 << 20}
	value := func(i int) []byte { return fmt.Appendf(make([]byte, sizes[i]), "end of %d", i) }
	db := opened(t, s)
	for i := range sizes {
		db.update(nil, func(tx kv.Tx) error { return tx.Put(fmt.Appendf(nil, "key/%d", i), value(i)) })
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = opened(t, s)
	for i := range sizes {
		if got := db.get(fmt.Sprintf("key/%d", i)); got != string(value(i)) {
			t.Errorf("value %d has %d bytes, want %d", i, len(got), len(value(i)))
		}
	}
}

// testAcknowledgedSurvives crashes while writers write: every update that returned before is there,
// and each update is there whole or not at all.
func testAcknowledgedSurvives(t *testing.T, s Store) {
	db := opened(t, s)
	const writers, each = 8, 40
	var mu sync.Mutex
	returned := make([]int, writers)
	parallel(t, writers, func(g int) error {
		a, b := fmt.Sprintf("a/%d", g), fmt.Sprintf("b/%d", g)
		for i := 1; i <= each; i++ {
			if err := db.Update(context.Background(), k(a, b), func(tx kv.Tx) error {
				return errors.Join(add(tx, a, 1), add(tx, b, -1))
			}); err != nil {
				return err
			}
			mu.Lock()
			returned[g] = i
			floor := append([]int{}, returned...)
			mu.Unlock()
			if i%10 == 0 {
				if err := checkCrash(s, floor); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// checkCrash looks at what a power failure now would leave.
func checkCrash(s Store, floor []int) error {
	after, err := s.Crash(nil)
	if err != nil {
		return err
	}
	defer after.Close()
	return after.View(context.Background(), func(r kv.Reader) error {
		for g, n := range floor {
			a, err1 := number(r, fmt.Sprintf("a/%d", g))
			b, err2 := number(r, fmt.Sprintf("b/%d", g))
			if a+b != 0 {
				return fmt.Errorf("an update survived by half: %d and %d", a, b)
			}
			if a < n {
				return fmt.Errorf("update %d of writer %d had returned; after a crash there are %d", n, g, a)
			}
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
		}
		return nil
	})
}

// testShownSurvives crashes right after each of many views: everything that the view showed is
// there.
func testShownSurvives(t *testing.T, s Store) {
	db := opened(t, s)
	const writers, each = 8, 30
	var writing atomic.Int32
	writing.Store(writers)
	var wg sync.WaitGroup
	for g := range writers {
		wg.Go(func() {
			defer writing.Add(-1)
			a, b := fmt.Sprintf("a/%d", g), fmt.Sprintf("b/%d", g)
			for range each {
				if err := db.Update(context.Background(), k(a, b), func(tx kv.Tx) error {
					return errors.Join(add(tx, a, 1), add(tx, b, -1))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for done := false; !done; {
		done = writing.Load() == 0
		seen := make([]int, writers)
		db.view(func(r kv.Reader) {
			for g := range seen {
				n, err := number(r, fmt.Sprintf("a/%d", g))
				if err != nil {
					t.Error(err)
				}
				seen[g] = n
			}
		})
		if err := checkCrash(s, seen); err != nil {
			t.Errorf("after a view: %v", err)
			break
		}
	}
	wg.Wait()
}

// testNotShownBeforeDurable keeps an update from becoming durable: views go on
// without waiting for it and do not show it, until it returns.
func testNotShownBeforeDurable(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "old", "b", "old")
	release := sync.OnceFunc(s.HoldSync())
	t.Cleanup(release)
	done := make(chan error, 1)
	inside := make(chan struct{})
	go func() {
		done <- db.Update(context.Background(), k("a"), func(tx kv.Tx) error {
			defer close(inside)
			return errors.Join(tx.Put([]byte("a"), []byte("new")), tx.Delete([]byte("b")), tx.Put([]byte("c"), nil))
		})
	}()
	<-inside
	for range 200 {
		db.want("a", "old", "b", "old")
		if got := db.get("c"); got != "<none>" || t.Failed() {
			t.Fatalf("c = %q before it is durable", got)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("Update returned %v before it is durable", err)
	default:
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	db.want("a", "new", "c", "")
}
