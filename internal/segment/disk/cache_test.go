package disk

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
)

// TestCacheBounds checks that no more files stay open than may, that those in use do, and
// that none is left open in the end.
func TestCacheBounds(t *testing.T) {
	open := make(map[segment.ID]int)
	c := newCache(3, func(id segment.ID) (stored, error) {
		open[id]++
		return stored{file: countedFile{id: id, open: open}}, nil
	}, nil)
	total := func() (n int) {
		for _, k := range open {
			n += k
		}
		return n
	}
	rnd := rand.New(rand.NewPCG(1, 6))
	var used []*openFile
	for range 3000 {
		switch rnd.IntN(5) {
		case 0, 1:
			of, err := c.acquire(segment.ID{byte(rnd.IntN(8))})
			if err != nil {
				t.Fatal(err)
			}
			used = append(used, of)
		case 2, 3:
			if len(used) > 0 {
				i := rnd.IntN(len(used))
				c.release(used[i])
				used = slices.Delete(used, i, i+1)
			}
		case 4:
			if rnd.IntN(3) == 0 {
				c.drop(segment.ID{byte(rnd.IntN(8))})
			}
		}
		distinct := make(map[*openFile]bool)
		for _, of := range used {
			distinct[of] = true
			if open[of.id] == 0 {
				t.Fatal("a file in use was closed")
			}
		}
		if total() > len(distinct)+3 {
			t.Fatalf("%d files are open, of which %d are in use", total(), len(distinct))
		}
	}
	c.close()
	for _, of := range used {
		c.release(of)
	}
	if total() != 0 {
		t.Errorf("%d files are open in the end", total())
	}
	if _, err := c.acquire(segment.ID{}); !errors.Is(err, segment.ErrClosed) {
		t.Errorf("acquire after close: %v", err)
	}
}

// TestCacheCondemns checks that nobody opens a packed segment once it is condemned, and that
// it is buried once, when the last of those who read it has gone, also after it
// lost its place in the cache.
func TestCacheCondemns(t *testing.T) {
	open := make(map[segment.ID]int)
	buried := make(map[segment.ID]int)
	c := newCache(2, func(id segment.ID) (stored, error) {
		open[id]++
		return stored{file: countedFile{id: id, open: open}}, nil
	}, func(id segment.ID) { buried[id]++ })
	id := func(i int) segment.ID { return segment.ID{byte(i), 7: packTag} }
	read := func(i int) *openFile {
		t.Helper()
		of, err := c.acquire(id(i))
		if err != nil {
			t.Fatal(err)
		}
		return of
	}
	a, b := read(1), read(1)
	for i := range 5 { // others take its place
		c.release(read(2 + i))
	}
	if c.condemn(id(1)) {
		t.Error("a segment that is read can be removed")
	}
	if c.condemn(id(1)) {
		t.Error("a segment that is read can be removed by another")
	}
	if _, err := c.acquire(id(1)); !errors.Is(err, segment.ErrNotFound) {
		t.Errorf("acquire of a condemned segment: %v", err)
	}
	c.release(a)
	if buried[id(1)] != 0 || open[id(1)] == 0 {
		t.Error("a segment is buried while it is read")
	}
	c.release(b)
	if buried[id(1)] != 1 || open[id(1)] != 0 {
		t.Errorf("a segment is buried %d times with %d files open", buried[id(1)], open[id(1)])
	}
	c.pardon(id(1))
	c.release(read(1))
	if !c.condemn(id(1)) || !c.condemned(id(1)) || open[id(1)] != 0 {
		t.Error("a segment that nobody reads is not condemned at once")
	}
	if buried[id(1)] != 1 || len(c.reading) != 0 {
		t.Errorf("in the end it is buried %d times, and %d are read", buried[id(1)], len(c.reading))
	}
}

// countedFile notes when it is closed.
type countedFile struct {
	rawFile
	id   segment.ID
	open map[segment.ID]int
}

func (f countedFile) Close() error {
	f.open[f.id]--
	return nil
}
