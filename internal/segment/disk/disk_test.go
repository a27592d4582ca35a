package disk

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]*Options{
		"Default":     nil,
		"Strict":      {OpenFiles: 1, CheckAlways: true},
		"FilesOnly":   {FilesOnly: true},
		"StrictFiles": {FilesOnly: true, OpenFiles: 1, CheckAlways: true},
	} {
		t.Run(name, func(t *testing.T) {
			segmenttest.Run(t, func(t *testing.T) segmenttest.Engine { return engine(lazyFS{}, t.TempDir(), o) })
		})
	}
}

// lazyFS is the machine's file system without its syncs, which these tests would
// spend most of their time in; whether they are made where they must be is for the
// tests of crashes.
type lazyFS struct{ osFS }

type lazyFile struct{ osFile }

func (lazyFile) syncData() error      { return nil }
func (lazyFile) startSync(_, _ int64) {}
func (lazyFS) syncDir(string) error   { return nil }
func (l lazyFS) create(name string) (file, error) {
	f, err := l.osFS.create(name)
	if err != nil {
		return nil, err
	}
	return lazyFile{f.(osFile)}, nil
}

// engine is a place in a folder of the machine's file system.
func engine(fsys fileSystem, dir string, o *Options) segmenttest.Engine {
	return segmenttest.Engine{
		Open: func(t testing.TB) segment.Store {
			s, err := openOn(fsys, dir, o)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			return s
		},
		Flip: func(t testing.TB, id segment.ID, off int64) {
			edit(t, dir, id, func(b []byte) []byte {
				b[off] ^= 0x04
				return b
			})
		},
		Cut: func(t testing.TB, id segment.ID) {
			edit(t, dir, id, cutShort)
		},
	}
}

// cutShort removes the last byte that means something: of an entry of a pack, that before the
// zeroes.
func cutShort(b []byte) []byte {
	b = bytes.TrimRight(b, "\x00")
	return b[:len(b)-1]
}

// edit replaces, in place, what is stored from the content of a segment to the end of its file.
func edit(t testing.TB, dir string, id segment.ID, change func([]byte) []byte) {
	t.Helper()
	name, at := dir+"/packs/"+packOf(id).String(), offsetOf(id)+headerSize
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		name, at = shardDir(dir, id[0])+"/"+id.String(), 0
		b, err = os.ReadFile(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(b[:at:at], change(b[at:])...), 0); err != nil {
		t.Fatal(err)
	}
}
