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
	c := newCache(3, func(id segment.ID) (file, int64, error) {
		open[id]++
		return countedFile{id: id, open: open}, 0, nil
	})
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
