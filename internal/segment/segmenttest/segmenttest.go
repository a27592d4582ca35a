// Package segmenttest holds what every engine of segment.Store has to pass.
package segmenttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
)

// Engine is one place where a store keeps its bytes, empty at first.
type Engine struct {
	// Open opens the store at the place. The suite closes what it opened before it
	// opens again, and finds there what was written.
	Open func(t testing.TB) segment.Store
	// Volatile says that nothing outlives Close, so that reopening is not tested.
	Volatile bool
	// Flip inverts one bit of the stored content, in the byte at offset off.
	Flip func(t testing.TB, id segment.ID, off int64)
	// Cut removes the last stored byte of the segment, of its content or what follows it.
	Cut func(t testing.TB, id segment.ID)
}

// Run tests an engine. newEngine makes a fresh place and cleans it up by t.Cleanup.
func Run(t *testing.T, newEngine func(t *testing.T) Engine) {
	tests := []struct {
		name string
		run  func(t *testing.T, e Engine)
	}{
		{"Sizes", testSizes},
		{"OddReaders", testOddReaders},
		{"Ranges", testRanges},
		{"BadRanges", testBadRanges},
		{"RandomRanges", testRandomRanges},
		{"FailingReader", testFailingReader},
		{"PanickingReader", testPanickingReader},
		{"CancelledWrite", testCancelledWrite},
		{"CancelledRead", testCancelledRead},
		{"UnfinishedWrite", testUnfinishedWrite},
		{"NotFound", testNotFound},
		{"Delete", testDelete},
		{"ReadDuringDelete", testReadDuringDelete},
		{"List", testList},
		{"Reopen", testReopen},
		{"Closed", testClosed},
		{"ClosedReader", testClosedReader},
		{"FlippedBits", testFlippedBits},
		{"CutShort", testCutShort},
		{"WrongSize", testWrongSize},
		{"ConcurrentWriters", testConcurrentWriters},
		{"ConcurrentReaders", testConcurrentReaders},
		{"Churn", testChurn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, newEngine(t)) })
	}
}

// open opens the store and closes it when the test ends.
func open(t testing.TB, e Engine) segment.Store {
	t.Helper()
	s := e.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// Content returns n bytes that only seed decides.
func Content(seed uint64, n int64) []byte {
	b := make([]byte, n)
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// write stores data and checks what Write says of it.
func write(t testing.TB, s segment.Store, data []byte) segment.Ref {
	t.Helper()
	ref, err := s.Write(t.Context(), plainReader{bytes.NewReader(data)})
	if err != nil {
		t.Fatalf("Write of %d bytes: %v", len(data), err)
	}
	if ref.Size != int64(len(data)) || ref.ID == (segment.ID{}) {
		t.Fatalf("Write of %d bytes = %+v", len(data), ref)
	}
	return ref
}

// plainReader hides every method but Read, as a network body would.
type plainReader struct{ io.Reader }

// plainWriter hides every method but Write.
type plainWriter struct{ io.Writer }

// read returns the bytes of a range, taken by Read, and the error it ends with.
func read(s segment.Store, ref segment.Ref, off, n int64) ([]byte, error) {
	return readBy(s, ref, off, n, io.ReadAll)
}

// copied returns the bytes of a range, taken by io.Copy and so by WriteTo if there is one.
func copied(s segment.Store, ref segment.Ref, off, n int64) ([]byte, error) {
	return readBy(s, ref, off, n, func(r io.Reader) ([]byte, error) {
		var b bytes.Buffer
		n, err := io.Copy(plainWriter{&b}, r)
		if n != int64(b.Len()) {
			return nil, errors.New("io.Copy returned another length than it wrote")
		}
		return b.Bytes(), err
	})
}

// readBy opens a range and returns what take makes of it.
func readBy(s segment.Store, ref segment.Ref, off, n int64, take func(io.Reader) ([]byte, error)) ([]byte, error) {
	r, err := s.Open(context.Background(), ref, off, n)
	if err != nil {
		return nil, err
	}
	got, err := take(r)
	return got, errors.Join(err, r.Close())
}

// wantRange checks a range by each way of reading.
func wantRange(t testing.TB, s segment.Store, ref segment.Ref, data []byte, off, n int64) {
	t.Helper()
	for name, get := range map[string]func(segment.Store, segment.Ref, int64, int64) ([]byte, error){"Read": read, "Copy": copied} {
		got, err := get(s, ref, off, n)
		if err != nil {
			t.Fatalf("%s of %d bytes at %d of %d: %v", name, n, off, ref.Size, err)
		}
		if !bytes.Equal(got, data[off:off+n]) {
			t.Fatalf("%s of %d bytes at %d of %d gives %d other bytes", name, n, off, ref.Size, len(got))
		}
	}
}

// wantWhole checks that a segment is there, whole and good.
func wantWhole(t testing.TB, s segment.Store, ref segment.Ref, data []byte) {
	t.Helper()
	wantRange(t, s, ref, data, 0, ref.Size)
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Fatalf("Verify of %d bytes: %v", ref.Size, err)
	}
}

// wantGone checks that a segment is not there.
func wantGone(t testing.TB, s segment.Store, ref segment.Ref) {
	t.Helper()
	if _, err := s.Open(t.Context(), ref, 0, ref.Size); !errors.Is(err, segment.ErrNotFound) {
		t.Errorf("Open of a segment that is gone: %v, want ErrNotFound", err)
	}
	if err := s.Verify(t.Context(), ref); !errors.Is(err, segment.ErrNotFound) {
		t.Errorf("Verify of a segment that is gone: %v, want ErrNotFound", err)
	}
}

// list returns what List yields and fails when it yields a segment twice.
func list(t testing.TB, s segment.Store) map[segment.ID]segment.Info {
	t.Helper()
	got := make(map[segment.ID]segment.Info)
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if _, twice := got[info.ID]; twice {
			t.Errorf("List yields %s twice", info.ID)
		}
		if info.Written.IsZero() {
			t.Errorf("List knows no time of %s", info.ID)
		}
		got[info.ID] = info
	}
	return got
}

// wantListed checks that List yields refs and nothing else.
func wantListed(t testing.TB, s segment.Store, refs ...segment.Ref) {
	t.Helper()
	want := make(map[segment.ID]int64)
	for _, ref := range refs {
		want[ref.ID] = ref.Size
	}
	got := make(map[segment.ID]int64)
	for id, info := range list(t, s) {
		got[id] = info.Size
		if info.Incomplete {
			t.Errorf("List says that %s is incomplete", id)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("List yields %v, want %v", slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want)))
	}
}
