package kvtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/leasehold/leasehold/internal/kv"
)

var txTests = []test{
	{"OwnWrites", nothing, testOwnWrites},
	{"ScanIsFixed", nothing, testScanIsFixed},
	{"DeleteRange", nothing, testDeleteRange},
	{"ErrorRollsBack", nothing, testErrorRollsBack},
	{"PanicRollsBack", nothing, testPanicRollsBack},
	{"CancelRollsBack", nothing, testCancelRollsBack},
	{"CancelWhileWaiting", nothing, testCancelWhileWaiting},
	{"ManyWrites", nothing, testManyWrites},
	{"Undeclared", nothing, testUndeclared},
	{"KeysInAnyOrder", nothing, testKeysInAnyOrder},
	{"Closed", nothing, testClosed},
}

var errTest = errors.New("the function failed")

// scribble writes in all ways a transaction can.
func scribble(tx kv.Tx) error {
	return errors.Join(tx.Put([]byte("a"), []byte("changed")), tx.Put([]byte("new"), nil),
		tx.Delete([]byte("b")), kv.DeleteRange(tx, []byte("c"), []byte("d")))
}

func testOwnWrites(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "2", "c", "3", "d", "4")
	db.update(k(""), func(tx kv.Tx) error {
		err := errors.Join(tx.Put([]byte("b"), []byte("changed")), tx.Delete([]byte("c")),
			tx.Put([]byte("bb"), []byte("new")), tx.Put([]byte("z"), []byte("last")), tx.Put([]byte(""), []byte("first")))
		for key, want := range map[string]string{"a": "1", "b": "changed", "bb": "new", "c": "<none>", "z": "last"} {
			if got := read(t, tx, key); got != want {
				t.Errorf("Get(%q) inside = %q, want %q", key, got, want)
			}
		}
		wantScan(t, tx, nil, nil, "", "first", "a", "1", "b", "changed", "bb", "new", "d", "4", "z", "last")
		wantScan(t, tx, []byte("b"), []byte("d"), "b", "changed", "bb", "new")
		err = errors.Join(err, tx.Put([]byte("c"), []byte("again")), tx.Delete([]byte("bb")), tx.Delete([]byte("a")))
		wantScan(t, tx, []byte("a"), []byte("cc"), "b", "changed", "c", "again")
		return err
	})
	db.want("", "first", "b", "changed", "c", "again", "d", "4", "z", "last")
}

// testScanIsFixed writes while a scan runs, which the scan does not show.
func testScanIsFixed(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "2", "c", "3")
	for _, before := range []bool{false, true} {
		db.update(k(""), func(tx kv.Tx) error {
			var err error
			if before {
				err = tx.Put([]byte("a2"), []byte("own"))
			}
			n := 0
			for p, e := range tx.Scan(nil, nil) {
				n++
				next := append([]byte(string(p.Key)), 'x')
				err = errors.Join(err, e, tx.Delete(p.Key), tx.Put([]byte("b"), []byte("written")), tx.Put(next, nil))
			}
			if want := map[bool]int{false: 3, true: 4}[before]; n != want {
				t.Errorf("a scan during which keys were written: %d pairs, want %d", n, want)
			}
			return errors.Join(err, restore(tx))
		})
	}
	db.want("a", "1", "b", "2", "c", "3")
}

// restore puts back what testScanIsFixed began with.
func restore(tx kv.Tx) error {
	return errors.Join(kv.DeleteRange(tx, nil, nil), tx.Put([]byte("a"), []byte("1")),
		tx.Put([]byte("b"), []byte("2")), tx.Put([]byte("c"), []byte("3")))
}

func testDeleteRange(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("\x00", "0", "a", "1", "b", "2", "c", "3", "d", "4", "\xff", "5")
	db.update(k(""), func(tx kv.Tx) error {
		err := errors.Join(tx.Put([]byte("b2"), []byte("own")), tx.Put([]byte("d2"), []byte("own")),
			kv.DeleteRange(tx, []byte("b"), []byte("d")), tx.Put([]byte("b3"), []byte("after")))
		wantScan(t, tx, []byte("a"), []byte("e"), "a", "1", "b3", "after", "d", "4", "d2", "own")
		for key, want := range map[string]string{"b": "<none>", "b2": "<none>", "b3": "after", "d": "4"} {
			if got := read(t, tx, key); got != want {
				t.Errorf("Get(%q) after DeleteRange = %q, want %q", key, got, want)
			}
		}
		return errors.Join(err, kv.DeleteRange(tx, []byte("d"), []byte("d")), kv.DeleteRange(tx, []byte("d"), []byte("a")))
	})
	db.want("\x00", "0", "a", "1", "b3", "after", "d", "4", "d2", "own", "\xff", "5")
	db.update(k(""), func(tx kv.Tx) error { return kv.DeleteRange(tx, []byte("b"), nil) })
	db.want("\x00", "0", "a", "1")
	db.update(k(""), func(tx kv.Tx) error { return kv.DeleteRange(tx, nil, nil) })
	db.want()
	db.put("a", "back")
	db.want("a", "back")
}

func testErrorRollsBack(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "2", "c", "3")
	err := db.Update(context.Background(), k(""), func(tx kv.Tx) error {
		return errors.Join(scribble(tx), errTest)
	})
	if !errors.Is(err, errTest) {
		t.Errorf("Update = %v, want the function's error", err)
	}
	if err := db.View(context.Background(), func(kv.Reader) error { return errTest }); !errors.Is(err, errTest) {
		t.Errorf("View = %v, want the function's error", err)
	}
	db.want("a", "1", "b", "2", "c", "3")
	db.put("a", "free") // the keys are free again
}

func testPanicRollsBack(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "2", "c", "3")
	for name, run := range map[string]func(){
		"Update": func() {
			db.Update(context.Background(), k("a", "b"), func(tx kv.Tx) error {
				scribble(tx)
				panic(errTest)
			})
		},
		"View": func() { db.View(context.Background(), func(kv.Reader) error { panic(errTest) }) },
	} {
		func() {
			defer func() {
				if r := recover(); r != any(errTest) {
					t.Errorf("%s: recovered %v, want the function's panic", name, r)
				}
			}()
			run()
		}()
	}
	db.want("a", "1", "b", "2", "c", "3")
	db.update(k("a", "b"), func(tx kv.Tx) error { return nil })
}

func testCancelRollsBack(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "b", "2", "c", "3")
	ctx, cancel := context.WithCancel(context.Background())
	err := db.Update(ctx, k(""), func(tx kv.Tx) error {
		cancel()
		return scribble(tx)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update with a context that ended = %v, want Canceled", err)
	}
	ran := false
	errs := errors.Join(db.View(ctx, func(kv.Reader) error { ran = true; return nil }),
		db.Update(ctx, nil, func(kv.Tx) error { ran = true; return nil }))
	if ran || !errors.Is(errs, context.Canceled) {
		t.Errorf("with a context that ended before: ran %v, error %v", ran, errs)
	}
	db.want("a", "1", "b", "2", "c", "3")
}

// testCancelWhileWaiting cancels an update that waits for another's key.
func testCancelWhileWaiting(t *testing.T, s Store) {
	db := opened(t, s)
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- db.Update(context.Background(), k("a", "b"), func(tx kv.Tx) error {
			close(inside)
			<-leave
			return tx.Put([]byte("a"), []byte("first"))
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error)
	go func() {
		waiting <- db.Update(ctx, k("b", "c"), func(tx kv.Tx) error { return tx.Put([]byte("c"), nil) })
	}()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("an update that waited = %v, want Canceled", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	db.update(k("c", "b", "a"), func(tx kv.Tx) error { return nil }) // nothing is left behind
	db.want("a", "first")
}

// testManyWrites writes and reads back more than any small buffer holds.
func testManyWrites(t *testing.T, s Store) {
	db := opened(t, s)
	const n = 3000
	name := func(i int) []byte { return fmt.Appendf(nil, "key-%06d", i*7919%n) }
	db.update(k("key-"), func(tx kv.Tx) error {
		for i := range n {
			if err := tx.Put(name(i), name(i)); err != nil {
				return err
			}
			if i%3 == 0 {
				if err := tx.Delete(name(i / 2)); err != nil {
					return err
				}
			}
			if got := read(t, tx, string(name(i))); got != string(name(i)) && i > 0 {
				t.Errorf("Get(%q) = %q", name(i), got)
			}
		}
		return nil
	})
	live := map[string]bool{}
	for i := range n {
		live[string(name(i))] = true
		if i%3 == 0 {
			delete(live, string(name(i/2)))
		}
	}
	count := 0
	db.view(func(r kv.Reader) {
		for p, err := range r.Scan(nil, nil) {
			if err != nil || !live[string(p.Key)] || string(p.Key) != string(p.Value) {
				t.Fatalf("found %q: %q, %v", p.Key, p.Value, err)
			}
			count++
		}
		for i := range n {
			if got := read(t, r, string(name(i))); (got == "<none>") == live[string(name(i))] {
				t.Fatalf("Get(%q) = %q, live %v", name(i), got, live[string(name(i))])
			}
		}
	})
	if count != len(live) {
		t.Errorf("%d keys, want %d", count, len(live))
	}
}

// testUndeclared reads what no declared key covers: an error, except in a view.
func testUndeclared(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("a", "1", "a/x", "2", "b", "3", "\xff\xff", "4")
	db.update(k("a/", "c", "\xff"), func(tx kv.Tx) error {
		for key, ok := range map[string]bool{
			"a/": true, "a/x": true, "c": true, "c1": true, "\xff": true, "\xff\xff": true,
			"a": false, "a0": false, "b": false, "": false, "\xfe": false,
		} {
			_, err := tx.Get([]byte(key))
			if ok != (err == nil) || !ok && !errors.Is(err, kv.ErrUndeclared) {
				t.Errorf("Get(%q) = %v, declared %v", key, err, ok)
			}
		}
		for _, c := range []struct {
			start, end []byte
			ok         bool
		}{
			{[]byte("a/"), []byte("a0"), true},
			{[]byte("a/x"), []byte("a/y"), true},
			{[]byte("c"), []byte("d"), true},
			{[]byte("\xff"), nil, true},
			{[]byte("z"), []byte("z"), true}, // empty
			{[]byte("a"), []byte("a0"), false},
			{[]byte("a/"), []byte("a00"), false},
			{[]byte("a/"), nil, false},
			{[]byte("a/"), []byte("c1"), false},
			{nil, nil, false},
		} {
			var err error
			for _, e := range tx.Scan(c.start, c.end) {
				err = errors.Join(err, e)
			}
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, kv.ErrUndeclared) {
				t.Errorf("Scan(%q, %q) = %v, declared %v", c.start, c.end, err, c.ok)
			}
		}
		return errors.Join(tx.Put([]byte("b"), []byte("5")), tx.Delete([]byte("a")),
			kv.DeleteRange(tx, []byte("a/"), []byte("a0"))) // writes go anywhere
	})
	db.want("b", "5", "\xff\xff", "4")
}

// testKeysInAnyOrder declares keys in orders that would dead-lock were they taken
// as given, and one more than once.
func testKeysInAnyOrder(t *testing.T, s Store) {
	db := opened(t, s)
	orders := [][]kv.Key{k("a", "b", "c"), k("c", "b", "a"), k("b", "a", "b", "c", "b"), k("c", "c", "a", "b", "a")}
	const each = 50
	parallel(t, len(orders), func(g int) error {
		for range each {
			if err := db.Update(context.Background(), orders[g], func(tx kv.Tx) error {
				return add(tx, "a", 1)
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if got, want := db.get("a"), fmt.Sprint(each*len(orders)); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

func testClosed(t *testing.T, s Store) {
	db := opened(t, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"View":   db.View(context.Background(), func(kv.Reader) error { return nil }),
		"Update": db.Update(context.Background(), k("a"), func(kv.Tx) error { return nil }),
		"Close":  db.Close(),
	} {
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}
