package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// recordingFile notes what it is told to write, and fails when it is told to.
type recordingFile struct {
	file
	calls []string
	fail  error
}

func (f *recordingFile) writeAll(pieces [][]byte, off int64) error {
	f.calls = append(f.calls, fmt.Sprintf("write %d at %d", len(bytes.Join(pieces, nil)), off))
	return f.fail
}

func (f *recordingFile) syncData() error {
	f.calls = append(f.calls, "sync")
	return nil
}

// TestPackWrite gives a pack entries that came out of order and left a gap: what lies together is
// written together, and one sync ends it. After a failure nothing is written any more.
func TestPackWrite(t *testing.T) {
	f := &recordingFile{}
	p := &pack{f: f}
	page := pageAligned(pageSize)
	if err := p.write([]entry{{3 * pageSize, page}, {pageSize, page}, {0, page}, {5 * pageSize, page}, {4 * pageSize, page}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"write 8192 at 0", "write 12288 at 12288", "sync"}
	if !slices.Equal(f.calls, want) {
		t.Errorf("the calls are %q, want %q", f.calls, want)
	}
	f.calls, f.fail = nil, syscall.EIO
	if err := p.write([]entry{{6 * pageSize, page}, {8 * pageSize, page}}); !errors.Is(err, syscall.EIO) {
		t.Errorf("a failed write returns %v", err)
	}
	f.fail = nil
	if err := p.write([]entry{{9 * pageSize, page}}); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a failed write the next returns %v", err)
	}
	if want = []string{"write 4096 at 24576"}; !slices.Equal(f.calls, want) {
		t.Errorf("the calls are %q, want %q", f.calls, want)
	}
}

// TestWriteAll writes many pieces past the page cache, more than one call takes, and reads them.
func TestWriteAll(t *testing.T) {
	name := t.TempDir() + "/f"
	f, err := osFS{}.create(name)
	if err != nil {
		t.Fatal(err)
	}
	f.bypassCache()
	const n = 1500
	all := pageAligned(n * pageSize)
	if at := uintptr(unsafe.Pointer(unsafe.SliceData(all))) % pageSize; at != 0 || len(all) != n*pageSize {
		t.Fatalf("pageAligned returns %d bytes, %d behind a page", len(all), at)
	}
	copy(all, segmenttest.Content(1, n*pageSize))
	var pieces [][]byte
	for b := range slices.Chunk(all, pageSize) {
		pieces = append(pieces, b)
	}
	if err := errors.Join(f.writeAll(pieces, pageSize), f.syncData(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got[pageSize:], all) {
		t.Errorf("what was written reads as %d bytes, %v", len(got), err)
	}
}
