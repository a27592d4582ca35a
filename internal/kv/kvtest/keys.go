package kvtest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/leasehold/leasehold/internal/kv"
)

var keyTests = []test{
	{"Order", nothing, testOrder},
	{"Bounds", nothing, testBounds},
	{"EmptyValue", nothing, testEmptyValue},
	{"EmptyKey", nothing, testEmptyKey},
	{"Limits", nothing, testLimits},
	{"Largest", nothing, testLargest},
	{"CopiesArguments", nothing, testCopiesArguments},
	{"ScanAgain", nothing, testScanAgain},
	{"Binary", nothing, testBinary},
}

// awkward keys, in order.
var awkward = []string{
	"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x00", "a\x00a", "a\x01",
	"a\xff", "a\xff\x00", "a\xff\xff", "b", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff",
}

func testOrder(t *testing.T, s Store) {
	db := opened(t, s)
	var in, want []string
	for i, key := range awkward {
		in = append(in, awkward[(i*7)%len(awkward)], "v")
		want = append(want, key, "v")
	}
	db.put(in...)
	db.want(want...)
}

// testBounds scans between any two awkward keys.
func testBounds(t *testing.T, s Store) {
	db := opened(t, s)
	var pairs []string
	for _, key := range awkward {
		pairs = append(pairs, key, key)
	}
	db.put(pairs...)
	db.view(func(r kv.Reader) {
		for i := range awkward {
			wantScan(t, r, []byte(awkward[i]), nil, pairs[2*i:]...)
			for j := range awkward {
				wantScan(t, r, []byte(awkward[i]), []byte(awkward[j]), pairs[2*i:2*max(i, j)]...)
			}
		}
		wantScan(t, r, nil, []byte{})
		wantScan(t, r, []byte("a\x00b"), []byte("a\x00c"))
	})
}

func testEmptyValue(t *testing.T, s Store) {
	db := opened(t, s)
	check := func(r kv.Reader) {
		t.Helper()
		for _, key := range []string{"empty", "nil"} {
			if v, err := r.Get([]byte(key)); v == nil || len(v) != 0 || err != nil {
				t.Errorf("Get of an empty value = %#v, %v; want empty, not nil", v, err)
			}
		}
		if v, err := r.Get([]byte("none")); v != nil || err != nil {
			t.Errorf("Get of no value = %#v, %v; want nil", v, err)
		}
		wantScan(t, r, []byte{}, nil, "empty", "", "nil", "")
	}
	db.update(k(""), func(tx kv.Tx) error {
		if err := errors.Join(tx.Put([]byte("empty"), []byte{}), tx.Put([]byte("nil"), nil)); err != nil {
			return err
		}
		check(tx)
		return nil
	})
	db.view(check)
}

func testEmptyKey(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("", "nothing", "\x00", "zero")
	db.want("", "nothing", "\x00", "zero")
	if got := db.get(""); got != "nothing" {
		t.Errorf("Get of the empty key = %q", got)
	}
	db.update(nil, func(tx kv.Tx) error { return tx.Delete(nil) })
	db.want("\x00", "zero")
}

func testLimits(t *testing.T, s Store) {
	db := opened(t, s)
	key, long := bytes.Repeat([]byte("k"), kv.MaxKey), bytes.Repeat([]byte("k"), kv.MaxKey+1)
	value := make([]byte, kv.MaxValue+1)
	db.update(k("k"), func(tx kv.Tx) error {
		for name, err := range map[string]error{
			"Put of a long key":    tx.Put(long, []byte("v")),
			"Put of a large value": tx.Put([]byte("k"), value),
			"Delete of a long key": tx.Delete(long),
			"Get of a long key":    second(tx.Get(long)),
		} {
			if !errors.Is(err, kv.ErrTooLarge) {
				t.Errorf("%s: %v, want ErrTooLarge", name, err)
			}
		}
		return tx.Put(key, []byte("v")) // the transaction can go on
	})
	db.view(func(r kv.Reader) {
		if _, err := r.Get(long); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("Get of a long key in a view: %v, want ErrTooLarge", err)
		}
	})
	db.want(string(key), "v")
}

func testLargest(t *testing.T, s Store) {
	db := opened(t, s)
	key := bytes.Repeat([]byte{0xff}, kv.MaxKey)
	value := bytes.Repeat([]byte("0123456789abcdef"), kv.MaxValue/16)
	db.update([]kv.Key{key}, func(tx kv.Tx) error {
		if err := tx.Put(key, value); err != nil {
			return err
		}
		if v, err := tx.Get(key); err != nil || !bytes.Equal(v, value) {
			t.Errorf("Get of the largest value inside: %d bytes, %v", len(v), err)
		}
		return nil
	})
	db.view(func(r kv.Reader) {
		if v, err := r.Get(key); err != nil || !bytes.Equal(v, value) {
			t.Errorf("Get of the largest value: %d bytes, %v", len(v), err)
		}
		for p, err := range r.Scan([]byte{0xff}, nil) {
			if err != nil || !bytes.Equal(p.Key, key) || !bytes.Equal(p.Value, value) {
				t.Errorf("Scan of the largest: %d, %d bytes, %v", len(p.Key), len(p.Value), err)
			}
		}
	})
}

// testCopiesArguments changes the arguments right after the call.
func testCopiesArguments(t *testing.T, s Store) {
	db := opened(t, s)
	db.put("gone", "x")
	db.update(k(""), func(tx kv.Tx) error {
		key, value := []byte("key1"), []byte("value1")
		err := tx.Put(key, value)
		copy(key, "gone")
		copy(value, "xxxxxx")
		err = errors.Join(err, tx.Delete(key))
		copy(key, "xxxx")
		wantScan(t, tx, nil, nil, "key1", "value1")
		return err
	})
	db.want("key1", "value1")
}

// testScanAgain begins scans one after another in one reader, forward, back, and
// with other bounds, as a listing with a delimiter does.
func testScanAgain(t *testing.T, s Store) {
	db := opened(t, s)
	var all []string
	for _, dir := range []string{"a/", "b/", "c/"} {
		for _, n := range []string{"1", "2", "3"} {
			all = append(all, dir+n, n)
		}
	}
	db.put(all...)
	look := func(r kv.Reader) {
		var dirs []string
		for at := []byte{}; ; {
			var first []byte
			for p, err := range r.Scan(at, nil) {
				if err != nil {
					t.Error(err)
				}
				first = append(first, p.Key[:2]...)
				break
			}
			if first == nil {
				break
			}
			dirs = append(dirs, string(first))
			at = kv.PrefixEnd(first)
		}
		if len(dirs) != 3 {
			t.Errorf("folders: %q", dirs)
		}
		wantScan(t, r, []byte("b/"), []byte("b0"), all[6:12]...)
		wantScan(t, r, []byte("a/2"), []byte("b/2"), all[2:8]...)
		wantScan(t, r, nil, nil, all...)
		seq := r.Scan([]byte("c/"), nil) // a sequence can be run twice
		for range 2 {
			n := 0
			for range seq {
				n++
			}
			if n != 3 {
				t.Errorf("a sequence run again: %d pairs, want 3", n)
			}
		}
		n := 0
		for _, err := range seq {
			if err != nil {
				t.Errorf("around a scan: %v", err)
			}
			n++
			for _, err := range r.Scan(nil, nil) {
				if !errors.Is(err, kv.ErrNested) {
					t.Errorf("scan within a scan: %v", err)
				}
				break
			}
		}
		if n != 3 {
			t.Errorf("a scan around another: %d pairs, want 3", n)
		}
		if got := read(t, r, "b/2"); got != "2" {
			t.Errorf("Get after scans = %q", got)
		}
	}
	db.view(func(r kv.Reader) { look(r) })
	db.update(k(""), func(tx kv.Tx) error {
		look(tx)
		err := errors.Join(tx.Put([]byte("b/2"), []byte("2")), tx.Put([]byte("d"), nil), tx.Delete([]byte("d")))
		look(tx)
		return err
	})
}

// testBinary stores every byte in keys and values.
func testBinary(t *testing.T, s Store) {
	db := opened(t, s)
	var all []string
	for i := range 256 {
		b := string([]byte{byte(i)})
		all = append(all, "k"+b+"k", b+"v"+b)
	}
	db.put(all...)
	db.want(all...)
	for i := 0; i < len(all); i += 2 {
		if got := db.get(all[i]); got != all[i+1] {
			t.Errorf("Get(%q) = %q, want %q", all[i], got, all[i+1])
		}
	}
}

func second[A, B any](_ A, b B) B { return b }
