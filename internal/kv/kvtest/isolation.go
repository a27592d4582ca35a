package kvtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leasehold/leasehold/internal/kv"
)

var isolationTests = []test{
	{"NoLostUpdate", nothing, testNoLostUpdate},
	{"NoWriteSkew", nothing, testNoWriteSkew},
	{"Transfers", nothing, testTransfers},
	{"ViewIsOneSnapshot", nothing, testViewIsOneSnapshot},
	{"ViewSeesWhatReturned", nothing, testViewSeesWhatReturned},
	{"ManyKeys", nothing, testManyKeys},
	{"ManyWaiters", nothing, testManyWaiters},
	{"LastRunCounts", nothing, testLastRunCounts},
	{"CloseWaits", nothing, testCloseWaits},
}

// parallel runs fn n times at once, with 0 to n-1.
func parallel(t *testing.T, n int, fn func(int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			if err := fn(g); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// number reads key as a decimal number, 0 if there is none.
func number(r kv.Reader, key string) (int, error) {
	v, err := r.Get([]byte(key))
	if err != nil || v == nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

// add adds d to the number at key.
func add(tx kv.Tx, key string, d int) error {
	n, err := number(tx, key)
	if err != nil {
		return err
	}
	return tx.Put([]byte(key), strconv.AppendInt(nil, int64(n+d), 10))
}

func testNoLostUpdate(t *testing.T, s Store) {
	db := opened(t, s)
	const workers, each = 16, 40
	parallel(t, workers, func(g int) error {
		for i := range each {
			key := fmt.Sprintf("counter/%d", (g+i)%3)
			if err := db.Update(context.Background(), k(key), func(tx kv.Tx) error { return add(tx, key, 1) }); err != nil {
				return err
			}
		}
		return nil
	})
	sum := 0
	db.view(func(r kv.Reader) {
		for i := range 3 {
			n, err := number(r, fmt.Sprintf("counter/%d", i))
			if err != nil {
				t.Error(err)
			}
			sum += n
		}
	})
	if sum != workers*each {
		t.Errorf("%d updates counted, want %d", sum, workers*each)
	}
}

// testNoWriteSkew has pairs of which at most one may be on: each update turns on
// its side only when it reads that the other is off.
func testNoWriteSkew(t *testing.T, s Store) {
	db := opened(t, s)
	const rounds = 60
	for i := range rounds {
		a, b := fmt.Sprintf("pair/%d/a", i), fmt.Sprintf("pair/%d/b", i)
		parallel(t, 4, func(g int) error {
			mine, other := a, b
			if g%2 == 1 {
				mine, other = b, a
			}
			return db.Update(context.Background(), k(mine, other), func(tx kv.Tx) error {
				if v, err := tx.Get([]byte(other)); v != nil || err != nil {
					return err
				}
				return tx.Put([]byte(mine), []byte("on"))
			})
		})
		if on := db.get(a) + db.get(b); on != "on<none>" && on != "<none>on" {
			t.Fatalf("round %d: %q and %q are on", i, db.get(a), db.get(b))
		}
	}
}

// testTransfers moves amounts between accounts, while views find the sum unchanged.
func testTransfers(t *testing.T, s Store) {
	db := opened(t, s)
	const accounts, workers, each = 5, 8, 60
	name := func(i int) string { return fmt.Sprintf("account/%d/", i%accounts) }
	for i := range accounts {
		db.put(name(i), "100")
	}
	total := func(r kv.Reader) (sum int, err error) {
		for p, err := range r.Scan([]byte("account/"), []byte("account0")) {
			if err != nil {
				return 0, err
			}
			n, err := strconv.Atoi(string(p.Value))
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}
	parallel(t, workers, func(g int) error {
		for i := range each {
			if g%4 == 0 {
				if err := db.View(context.Background(), func(r kv.Reader) error {
					sum, err := total(r)
					if sum != accounts*100 {
						err = errors.Join(err, fmt.Errorf("a view saw %d, want %d", sum, accounts*100))
					}
					return err
				}); err != nil {
					return err
				}
				continue
			}
			from, to := name(g+i), name(g+i*i+1)
			if err := db.Update(context.Background(), k(from, to), func(tx kv.Tx) error {
				return errors.Join(add(tx, from, -7), add(tx, to, 7))
			}); err != nil {
				return err
			}
		}
		return nil
	})
	db.view(func(r kv.Reader) {
		if sum, err := total(r); sum != accounts*100 || err != nil {
			t.Errorf("in the end %d, %v; want %d", sum, err, accounts*100)
		}
	})
}

// testViewIsOneSnapshot changes the store while a view reads.
func testViewIsOneSnapshot(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "1", "c", "1")
	db.view(func(r kv.Reader) {
		if got := read(t, r, "a"); got != "1" {
			t.Errorf("a = %q", got)
		}
		db.put("b", "2", "bb", "2")
		db.update(nil, func(tx kv.Tx) error { return tx.Delete([]byte("c")) })
		wantScan(t, r, nil, nil, "a", "1", "b", "1", "c", "1")
		if got := read(t, r, "b"); got != "1" {
			t.Errorf("b = %q in a view that began before the change", got)
		}
		db.put("a", "3")
		wantScan(t, r, nil, nil, "a", "1", "b", "1", "c", "1")
	})
	db.want("a", "3", "b", "2", "bb", "2")
}

// testViewSeesWhatReturned looks for every update right after it returned.
func testViewSeesWhatReturned(t *testing.T, s Store) {
	db := opened(t, s)
	parallel(t, 8, func(g int) error {
		key := fmt.Sprintf("writer/%d", g)
		for i := 1; i <= 50; i++ {
			if err := db.Update(context.Background(), k(key), func(tx kv.Tx) error { return add(tx, key, 1) }); err != nil {
				return err
			}
			if err := db.View(context.Background(), func(r kv.Reader) error {
				n, err := number(r, key)
				if n != i {
					err = errors.Join(err, fmt.Errorf("a view after update %d of %s saw %d", i, key, n))
				}
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// testManyKeys declares many keys at once, all in conflict with each other.
func testManyKeys(t *testing.T, s Store) {
	db := opened(t, s)
	const n = 100
	var keys []kv.Key
	for i := range n {
		keys = append(keys, fmt.Appendf(nil, "key/%d/", i))
	}
	parallel(t, 6, func(g int) error {
		for i := range 10 {
			mine := append(append([]kv.Key{}, keys[(g*17+i)%n:]...), keys[:n/2]...)
			if err := db.Update(context.Background(), mine, func(tx kv.Tx) error { return add(tx, "key/0/", 1) }); err != nil {
				return err
			}
		}
		return nil
	})
	if got := db.get("key/0/"); got != "60" {
		t.Errorf("counted %s, want 60", got)
	}
}

// testManyWaiters sends many more updates at one key than any engine admits.
func testManyWaiters(t *testing.T, s Store) {
	db := opened(t, s)
	const n = 500
	var inside atomic.Int32
	parallel(t, n, func(int) error {
		return db.Update(context.Background(), k("hot"), func(tx kv.Tx) error {
			if inside.Add(1) != 1 {
				t.Error("two updates of one key ran at once")
			}
			defer inside.Add(-1)
			return add(tx, "hot", 1)
		})
	})
	if got := db.get("hot"); got != strconv.Itoa(n) {
		t.Errorf("counted %s, want %d", got, n)
	}
}

// testLastRunCounts has functions that write something else each time they run; an
// engine may run them again, but only the last run may leave anything.
func testLastRunCounts(t *testing.T, s Store) {
	db := opened(t, s)
	var mu sync.Mutex
	last := map[string]string{}
	parallel(t, 16, func(g int) error {
		for i := range 20 {
			id := fmt.Sprintf("%d.%d", g, i)
			runs := 0
			if err := db.Update(context.Background(), k("shared"), func(tx kv.Tx) error {
				runs++
				mu.Lock()
				last[id] = fmt.Sprint(runs)
				mu.Unlock()
				return errors.Join(add(tx, "shared", 1), tx.Put(fmt.Appendf(nil, "run/%s/%d", id, runs), nil))
			}); err != nil {
				return err
			}
		}
		return nil
	})
	db.view(func(r kv.Reader) {
		n := 0
		for p, err := range r.Scan([]byte("run/"), []byte("run0")) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			key := string(p.Key)
			if id := key[len("run/") : len(key)-2]; "run/"+id+"/"+last[id] != key {
				t.Errorf("%s is left, but run %s was the last", key, last[id])
			}
		}
		if n != len(last) {
			t.Errorf("%d runs left something, want %d", n, len(last))
		}
	})
}

// testCloseWaits closes the store while transactions run.
func testCloseWaits(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1")
	inside, leave := make(chan struct{}, 2), make(chan struct{})
	results := make(chan error, 2)
	var left atomic.Int32
	go func() {
		results <- db.Update(context.Background(), k("a"), func(tx kv.Tx) error {
			inside <- struct{}{}
			<-leave
			left.Add(1)
			return add(tx, "a", 1)
		})
	}()
	go func() {
		results <- db.View(context.Background(), func(r kv.Reader) error {
			inside <- struct{}{}
			<-leave
			left.Add(1)
			_, err := r.Get([]byte("a"))
			return err
		})
	}()
	<-inside
	<-inside
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	close(leave)
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if left.Load() != 2 {
		t.Errorf("Close returned while %d transactions ran", 2-left.Load())
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Errorf("transactions that ran at Close: %v", err)
	}
}
