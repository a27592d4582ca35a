package kvtest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/kv"
)

var modelTests = []test{{"Random", nothing, testRandom}}

// model is the obvious store: a map that is sorted when it is scanned.
type model map[string]string

func (m model) scan(start, end []byte) (pairs []string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key >= string(start) && (end == nil || key < string(end)) {
			pairs = append(pairs, key, m[key])
		}
	}
	return pairs
}

func (m model) deleteRange(start, end []byte) {
	maps.DeleteFunc(m, func(key, _ string) bool {
		return key >= string(start) && (end == nil || key < string(end))
	})
}

var (
	genKey   = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 0xfe, 0xff}), 0, 4)
	genValue = rapid.SliceOfN(rapid.Byte(), 0, 20)
	genEnd   = rapid.OneOf(genKey, rapid.Just([]byte(nil)))
)

// testRandom runs random transactions on the store and on the model, within one
// store, so that each run begins with what the ones before it left.
func testRandom(t *testing.T, s Store) {
	db := opened(t, s)
	m := model{}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(rt, "transactions") {
			own := maps.Clone(m)
			commit := rapid.IntRange(0, 3).Draw(rt, "commit") > 0
			err := db.Update(context.Background(), k(""), func(tx kv.Tx) error {
				own = maps.Clone(m)
				for range rapid.IntRange(0, 12).Draw(rt, "steps") {
					step(rt, tx, own)
				}
				if !commit {
					return errTest
				}
				return nil
			})
			switch {
			case commit && err != nil, !commit && !errors.Is(err, errTest):
				rt.Fatalf("Update: %v", err)
			case commit:
				m = own
			}
			db.view(func(r kv.Reader) {
				for range 3 {
					look(rt, r, m)
				}
			})
		}
	})
}

// step makes one random call on both and compares what they show.
func step(rt *rapid.T, tx kv.Tx, m model) {
	key := genKey.Draw(rt, "key")
	var err error
	switch rapid.IntRange(0, 9).Draw(rt, "call") {
	case 0, 1, 2:
		value := genValue.Draw(rt, "value")
		err = tx.Put(key, value)
		m[string(key)] = string(value)
	case 3, 4:
		err = tx.Delete(key)
		delete(m, string(key))
	case 5:
		end := genEnd.Draw(rt, "end")
		err = kv.DeleteRange(tx, key, end)
		m.deleteRange(key, end)
	default:
		look(rt, tx, m)
	}
	if err != nil {
		rt.Fatal(err)
	}
}

// look makes one random read of both and compares.
func look(rt *rapid.T, r kv.Reader, m model) {
	key := genKey.Draw(rt, "key")
	if rapid.Bool().Draw(rt, "get") {
		got, err := r.Get(key)
		want, ok := m[string(key)]
		if err != nil || ok != (got != nil) || !bytes.Equal(got, []byte(want)) {
			rt.Fatalf("Get(%q) = %q, %v; want %q, %v", key, got, err, want, ok)
		}
		return
	}
	end, limit := genEnd.Draw(rt, "end"), rapid.IntRange(1, 30).Draw(rt, "limit")
	want := m.scan(key, end)
	var got []string
	for p, err := range r.Scan(key, end) {
		if err != nil {
			rt.Fatalf("Scan(%q, %q): %v", key, end, err)
		}
		got = append(got, string(p.Key), string(p.Value))
		if len(got) == 2*limit {
			break
		}
	}
	if want = want[:min(len(want), 2*limit)]; !slices.Equal(got, want) {
		rt.Fatalf("Scan(%q, %q) = %q, want %q", key, end, got, want)
	}
}
