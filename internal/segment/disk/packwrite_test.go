package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
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

// TestReadsWhileItWrites has the disk hold the first piece of a segment until the second is asked
// for.
func TestReadsWhileItWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemFS()
		s := openMem(t, m)
		asked := make(chan struct{})
		m.before = func(step, _ string) error {
			if step == stepWrite {
				<-asked
			}
			return nil
		}
		data := segmenttest.Content(1, 3*writeSize+100)
		second := iotest.OneByteReader(bytes.NewReader(data[writeSize:]))
		ref, err := s.Write(t.Context(), io.MultiReader(bytes.NewReader(data[:writeSize]), &telling{second, func() { close(asked) }}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, data) {
			t.Errorf("it reads as %d bytes, %v", len(got), err)
		}
	})
}

// telling calls first when it is first read.
type telling struct {
	io.Reader
	first func()
}

func (r *telling) Read(b []byte) (int, error) {
	if r.first != nil {
		r.first()
		r.first = nil
	}
	return r.Reader.Read(b)
}
