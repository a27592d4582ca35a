package segmenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
)

// parallel runs fn n times at once and fails the test with what they return.
func parallel(t *testing.T, n int, fn func(worker int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func testConcurrentWriters(t *testing.T, e Engine) {
	const workers, each = 8, 12
	s := open(t, e)
	refs := make([]segment.Ref, workers*each)
	parallel(t, workers, func(w int) error {
		for i := range each {
			k := w*each + i
			n := []int64{0, 10, 64 * kib, 70 * kib, 500 * kib}[k%5]
			ref, err := s.Write(context.Background(), bytes.NewReader(Content(uint64(k), n)))
			if err != nil {
				return err
			}
			refs[k] = ref
		}
		return nil
	})
	wantListed(t, s, refs...)
	s = reopened(t, e, s)
	seen := make(map[segment.ID]bool)
	for k, ref := range refs {
		if seen[ref.ID] {
			t.Errorf("two segments have the ID %s", ref.ID)
		}
		seen[ref.ID] = true
		wantWhole(t, s, ref, Content(uint64(k), ref.Size))
	}
}

// testConcurrentReaders reads one segment by all ways at once: no reader may move
// another's place.
func testConcurrentReaders(t *testing.T, e Engine) {
	s := open(t, e)
	size := int64(3<<20 + 5)
	data := Content(1, size)
	ref := write(t, s, data)
	parallel(t, 8, func(w int) error {
		rnd := rand.New(rand.NewPCG(uint64(w), 1))
		for range 12 {
			off := rnd.Int64N(size)
			n := rnd.Int64N(size - off)
			get := read
			if rnd.IntN(2) == 0 {
				get = copied
			}
			got, err := get(s, ref, off, n)
			if err != nil || !bytes.Equal(got, data[off:off+n]) {
				return fmt.Errorf("%d bytes at %d: %d bytes, %w", n, off, len(got), err)
			}
		}
		return nil
	})
}

// testChurn writes, reads, lists and deletes at once. A reader finds a segment
// whole or not at all.
func testChurn(t *testing.T, e Engine) {
	s := open(t, e)
	var mu sync.Mutex
	var live []segment.Ref // the content of each is decided by its size
	take := func(rnd *rand.Rand, remove bool) (segment.Ref, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(live) == 0 {
			return segment.Ref{}, false
		}
		i := rnd.IntN(len(live))
		ref := live[i]
		if remove {
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		return ref, true
	}
	parallel(t, 6, func(w int) error {
		rnd := rand.New(rand.NewPCG(uint64(w), 7))
		for range 40 {
			switch rnd.IntN(4) {
			case 0, 1:
				n := rnd.Int64N(200 * kib)
				ref, err := s.Write(context.Background(), bytes.NewReader(Content(uint64(n), n)))
				if err != nil {
					return err
				}
				mu.Lock()
				live = append(live, ref)
				mu.Unlock()
			case 2:
				if ref, ok := take(rnd, false); ok {
					if err := churnRead(s, ref); err != nil {
						return err
					}
				}
			case 3:
				if ref, ok := take(rnd, true); ok {
					if err := s.Delete(context.Background(), ref.ID); err != nil {
						return err
					}
				}
				for _, err := range s.List(context.Background()) {
					if err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	for _, ref := range live {
		wantWhole(t, s, ref, Content(uint64(ref.Size), ref.Size))
	}
	wantListed(t, s, live...)
}

// churnRead reads a segment that may be deleted at any moment.
func churnRead(s segment.Store, ref segment.Ref) error {
	r, err := s.Open(context.Background(), ref, 0, ref.Size)
	if errors.Is(err, segment.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, Content(uint64(ref.Size), ref.Size)) {
		return fmt.Errorf("segment of %d bytes gives %d, %w", ref.Size, len(got), err)
	}
	return nil
}
