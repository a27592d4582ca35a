package mem

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

func TestConformance(t *testing.T) {
	segmenttest.Run(t, func(t *testing.T) segmenttest.Engine {
		var s *Store
		return segmenttest.Engine{
			Volatile: true,
			Open: func(testing.TB) segment.Store {
				s = New(nil)
				return s
			},
			Flip: func(_ testing.TB, id segment.ID, off int64) { s.items[id].data[off] ^= 0x10 },
			Cut: func(_ testing.TB, id segment.ID) {
				it := s.items[id]
				it.data = it.data[:len(it.data)-1]
				s.items[id] = it
			},
		}
	})
}

// A full store refuses, keeps what it has, and takes more when something went.
func TestMaxBytes(t *testing.T) {
	s := New(&Options{MaxBytes: 100_000})
	write := func(n int) (segment.Ref, error) {
		return s.Write(t.Context(), bytes.NewReader(make([]byte, n)))
	}
	first, err := write(60_000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(40_001); !errors.Is(err, segment.ErrFull) {
		t.Errorf("Write over the limit: %v, want ErrFull", err)
	}
	torn := errors.New("torn")
	if _, err := s.Write(t.Context(), io.MultiReader(bytes.NewReader(make([]byte, 35_000)), iotest.ErrReader(torn))); err != torn {
		t.Errorf("Write of a torn reader: %v", err)
	}
	if _, err := write(40_000); err != nil {
		t.Errorf("Write up to the limit after failures: %v", err)
	}
	if _, err := write(1); !errors.Is(err, segment.ErrFull) {
		t.Errorf("Write to a full store: %v, want ErrFull", err)
	}
	if err := s.Verify(t.Context(), first); err != nil {
		t.Errorf("Verify in a full store: %v", err)
	}
	if err := s.Delete(t.Context(), first.ID, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := write(60_000); err != nil {
		t.Errorf("Write after Delete: %v", err)
	}
}
