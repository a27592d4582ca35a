package reserve

import (
	"bytes"
	"errors"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/mem"
)

// TestBodiesLeaveTheReserve lets the disk fill up before and under a body, and has space again.
func TestBodiesLeaveTheReserve(t *testing.T) {
	free := uint64(keepFree + 10)
	asked := 0
	s := &Store{mem.New(nil), func() (uint64, error) {
		asked++
		return free, nil
	}}
	write := func(n int) error {
		_, err := s.Write(t.Context(), bytes.NewReader(make([]byte, n)))
		return err
	}
	if err := write(100); err != nil || asked != 1 {
		t.Errorf("with room: %v, asked %d times", err, asked)
	}
	free = keepFree - 1
	if err := write(100); !errors.Is(err, segment.ErrFull) {
		t.Errorf("without room: %v", err)
	}
	full := s.free
	s.free = func() (uint64, error) { // fills up under the body
		defer func() { free = 0 }()
		return full()
	}
	free = keepFree
	if err := write(2 * askEvery); !errors.Is(err, segment.ErrFull) {
		t.Errorf("a body that fills the disk: %v", err)
	}
	s.free = func() (uint64, error) { return 0, errors.New("no such call") }
	if err := write(100); err != nil {
		t.Errorf("where it can't be told: %v", err)
	}
	n := 0
	for range s.List(t.Context()) {
		n++
	}
	if n != 2 {
		t.Errorf("%d segments are stored, want 2", n)
	}
}

func TestFull(t *testing.T) {
	free := uint64(keepFree - 1)
	s := New(mem.New(nil), func() (uint64, error) { return free, nil })
	if err := s.Full(); !errors.Is(err, segment.ErrFull) {
		t.Errorf("below the reserve: %v", err)
	}
	free++
	if err := s.Full(); err != nil {
		t.Errorf("with the reserve: %v", err)
	}
	if _, err := OnDisk(t.TempDir())(); err != nil {
		t.Errorf("a folder's disk: %v", err)
	}
}
