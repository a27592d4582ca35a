//go:build unix

package disk

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// TestSpaceComesBack deletes segments of a store on the machine's file system, one that is
// read meanwhile among them: the space of the others comes back at once, its own when its
// reader ends, and the pack goes with its last entry.
func TestSpaceComesBack(t *testing.T) {
	dir := t.TempDir()
	const size, count = 60_000, 40
	refs := make([]segment.Ref, count)
	s, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range refs {
		if refs[i], err = s.Write(t.Context(), bytes.NewReader(segmenttest.Content(uint64(i), size))); err != nil {
			t.Fatal(err)
		}
	}
	if !packed(refs[0].ID) {
		t.Skip("the file system of the temporary folder makes no holes")
	}
	if err := s.Close(); err != nil { // so that the pack is written no more
		t.Fatal(err)
	}
	if s, err = Open(dir, nil); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	full := diskBytes(t, dir)
	r, err := s.Open(t.Context(), refs[7], 0, size)
	if err != nil {
		t.Fatal(err)
	}
	var ids []segment.ID
	for _, ref := range refs[1:] {
		ids = append(ids, ref.ID)
	}
	rand.New(rand.NewPCG(1, 7)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	if err := s.Delete(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	if left := diskBytes(t, dir); left > full/count*4 {
		t.Errorf("of %d bytes on the disk %d are left, with two of %d segments", full, left, count)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, segmenttest.Content(7, size)) {
		t.Errorf("reading on after Delete gives %d bytes, %v", len(got), err)
	}
	two := diskBytes(t, dir)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if one := diskBytes(t, dir); one > two-size {
		t.Errorf("the last reader's end frees %d bytes, want %d", two-one, size)
	}
	wantOnly(t, s, refs[0])
	last, err := s.Write(t.Context(), bytes.NewReader(make([]byte, size)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), last.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), refs[0].ID); err != nil {
		t.Fatal(err)
	}
	if left := diskBytes(t, dir); left != 0 {
		t.Errorf("%d bytes are left of packs without entries", left)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, packFolder, "*")); err != nil || len(names) > 0 {
		t.Errorf("the packs %v are left in the end, %v", names, err)
	}
}

// diskBytes returns how many bytes of the disk the packs of a store take.
func diskBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, packFolder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return n
}
