package disk

import (
	"os"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]*Options{
		"Default": nil,
		"Strict":  {OpenFiles: 1, CheckAlways: true},
	} {
		t.Run(name, func(t *testing.T) {
			segmenttest.Run(t, func(t *testing.T) segmenttest.Engine { return engine(t.TempDir(), o) })
		})
	}
}

// engine is a place in a folder.
func engine(dir string, o *Options) segmenttest.Engine {
	return segmenttest.Engine{
		Open: func(t testing.TB) segment.Store { return openTest(t, dir, o) },
		Flip: func(t testing.TB, id segment.ID, off int64) {
			edit(t, dir, id, func(b []byte) []byte {
				b[off] ^= 0x04
				return b
			})
		},
		Cut: func(t testing.TB, id segment.ID) {
			edit(t, dir, id, func(b []byte) []byte { return b[:len(b)-1] })
		},
	}
}

// openTest opens the store in dir.
func openTest(t testing.TB, dir string, o *Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

// edit replaces the bytes of a segment's file in place.
func edit(t testing.TB, dir string, id segment.ID, change func([]byte) []byte) {
	t.Helper()
	name := shardDir(dir, id[0]) + "/" + id.String()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0); err != nil {
		t.Fatal(err)
	}
}
