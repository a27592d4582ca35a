package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// files returns the names of all files below the store's folder.
func (m *memFS) files(t testing.TB) []string {
	t.Helper()
	dirs, err := m.mem.List("/data/segments")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, dir := range dirs {
		names, err := m.mem.List("/data/segments/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, names...)
	}
	return all
}

// TestWriteFaults has each step of a write fail, in each way: the error is of the right
// kind, no file is left, and the store goes on.
func TestWriteFaults(t *testing.T) {
	steps := map[string]int{ // and how many of the kind a write of two buffers has
		stepMkdir: 1, stepCreate: 1, stepWrite: 3, stepSync: 1, stepSyncDir: 2,
	}
	for step, n := range steps {
		for after := range n {
			for _, fault := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
				t.Run(fmt.Sprintf("%s%d/%s", step, after, fault), func(t *testing.T) {
					testWriteFault(t, step, after, &fs.PathError{Op: step, Path: "x", Err: fault})
				})
			}
		}
	}
}

func testWriteFault(t *testing.T, step string, after int, fault error) {
	m := newMemFS()
	s := openMem(t, m)
	data := segmenttest.Content(1, 2*writeSize)
	f := inject(m)
	f.set(step, fault, after)
	ref, err := s.Write(t.Context(), bytes.NewReader(data))
	if !errors.Is(err, fault) || ref != (segment.Ref{}) {
		t.Errorf("Write = %v, %v", ref, err)
	}
	if mayPass := !errors.Is(fault, syscall.EIO); errors.Is(err, segment.ErrFull) != mayPass {
		t.Errorf("Write returns %v, which is ErrFull: %v, want %v", err, !mayPass, mayPass)
	}
	if f.count(stepSync) > 1 {
		t.Errorf("the file was synced %d times", f.count(stepSync))
	}
	if step == stepSync && f.count(stepSyncDir) > 1 { // the first is for the new subfolder
		t.Error("the subfolder was synced after the file's sync failed")
	}
	if left := m.files(t); len(left) > 0 {
		t.Errorf("a failed write leaves %v", left)
	}
	f.set("", nil, 0)
	ref, err = s.Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatalf("Write after the fault: %v", err)
	}
	got, err := readAll(t, s, ref)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("Read after the fault gives %d bytes, %v", len(got), err)
	}
	wantOnly(t, s, ref)
}

// wantOnly checks that List yields just these segments, all complete.
func wantOnly(t *testing.T, s *Store, refs ...segment.Ref) {
	t.Helper()
	got := make(map[segment.Ref]bool)
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if info.Incomplete {
			t.Errorf("List yields %s, incomplete", info.ID)
		}
		got[info.Ref] = true
	}
	if len(got) != len(refs) {
		t.Errorf("List yields %d segments, want %d", len(got), len(refs))
	}
	for _, ref := range refs {
		if !got[ref] {
			t.Errorf("List lacks %s", ref.ID)
		}
	}
}

// TestSharedSyncFails has the sync fail that several writes wait for: none succeeds.
func TestSharedSyncFails(t *testing.T) {
	const writers = 8
	m := newMemFS()
	s := openMem(t, m)
	keep, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 100)))
	if err != nil {
		t.Fatal(err)
	}
	f := inject(m)
	f.set(stepSyncDir, syscall.EIO, 0)
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			_, errs[i] = s.Write(context.Background(), bytes.NewReader(segmenttest.Content(2, 100)))
		})
	}
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("Write whose subfolder was not synced: %v", err)
		}
	}
	f.set("", nil, 0)
	wantOnly(t, s, keep)
	if left := m.files(t); len(left) != 1 {
		t.Errorf("failed writes leave %v", left)
	}
}

// stuckFS can't remove anything.
type stuckFS struct{ *memFS }

func (stuckFS) remove(string) error { return syscall.EIO }

// TestRemoveFails leaves the file of a failed write where it is: this store hides it, the
// next one shows it for what it is, and Delete removes it.
func TestRemoveFails(t *testing.T) {
	m := newMemFS()
	s, err := openOn(stuckFS{m}, "/data/segments", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := inject(m)
	f.set(stepWrite, syscall.ENOSPC, 1)
	if _, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 2*writeSize))); !errors.Is(err, segment.ErrFull) {
		t.Fatalf("Write: %v", err)
	}
	f.set("", nil, 0)
	wantOnly(t, s)
	if left := m.files(t); len(left) != 1 {
		t.Fatalf("%d files are left, want 1", len(left))
	}
	wantLeftover(t, openMem(t, m))
}

// wantLeftover checks that a store has just one, incomplete segment, refuses it, and
// can delete it.
func wantLeftover(t *testing.T, s *Store) {
	t.Helper()
	var left []segment.Info
	for range 2 { // the second List must not take the first for a clean one
		left = nil
		for info, err := range s.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, info)
		}
		if len(left) != 1 || !left[0].Incomplete || left[0].Written.IsZero() {
			t.Fatalf("List yields %+v, want one incomplete", left)
		}
	}
	if _, err := s.Open(t.Context(), left[0].Ref, 0, 0); !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Open of what a crash left: %v", err)
	}
	if err := s.Verify(t.Context(), left[0].Ref); !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Verify of what a crash left: %v", err)
	}
	if err := s.Delete(t.Context(), left[0].ID); err != nil {
		t.Errorf("Delete of what a crash left: %v", err)
	}
	wantOnly(t, s)
}

// TestLeftovers checks what a process that was killed can leave: its file cut at any
// point, as nothing in the store says that it was being written.
func TestLeftovers(t *testing.T) {
	m := newMemFS()
	s := openMem(t, m)
	ref, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 3*blockSize+5)))
	if err != nil {
		t.Fatal(err)
	}
	whole := memRead(t, m, ref.ID)
	for _, n := range []int{0, 1, footerSize, blockSize, int(ref.Size), len(whole) - footerSize, len(whole) - 1} {
		memPut(t, m, ref.ID, whole[:n])
		wantLeftover(t, openMem(t, m))
	}
	memPut(t, m, ref.ID, whole)
	wantOnly(t, openMem(t, m), ref)
}

// TestReadFaults has the disk fail under reads: the error comes as it is and is not
// taken for damage, which one would restore from a backup for.
func TestReadFaults(t *testing.T) {
	m := newMemFS()
	s := openMem(t, m)
	data := segmenttest.Content(1, 2*readSize)
	ref, err := s.Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	f := inject(m)
	for step, n := range map[string]int{stepOpen: 2, stepRead: 8} { // of one Read and one Verify
		for after := range n {
			f.set(step, syscall.EIO, after)
			s := openMem(t, m) // with no file open
			got, err := readAll(t, s, ref)
			verr := s.Verify(t.Context(), ref)
			if !errors.Is(errors.Join(err, verr), syscall.EIO) {
				t.Errorf("%s %d: Read: %v, Verify: %v", step, after, err, verr)
			}
			if !bytes.HasPrefix(data, got) {
				t.Errorf("%s %d: Read gives bytes that were not written", step, after)
			}
			if errors.Is(err, segment.ErrCorrupt) || errors.Is(verr, segment.ErrCorrupt) || errors.Is(err, segment.ErrNotFound) {
				t.Errorf("%s %d: Read blames the segment: %v, %v", step, after, err, verr)
			}
			f.set("", nil, 0)
			if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s %d: Read after the fault gives %d bytes, %v", step, after, len(got), err)
			}
		}
	}
	for _, step := range []string{stepList, stepStat, stepOpen, stepRead} {
		f.set(step, syscall.EIO, 0)
		var last error
		for _, last = range openUnsure(m).List(t.Context()) {
		}
		if !errors.Is(last, syscall.EIO) {
			t.Errorf("List whose %s fails ends with %v", step, last)
		}
	}
}

// openUnsure returns a store that has listed nothing yet, without a step of its own.
func openUnsure(m *memFS) *Store {
	before := m.before
	m.before = nil
	defer func() { m.before = before }()
	s, err := openOn(m, "/data/segments", nil)
	if err != nil {
		panic(err)
	}
	return s
}

// TestOpenFaults has the store's own folder fail.
func TestOpenFaults(t *testing.T) {
	for _, step := range []string{stepMkdir, stepSyncDir, stepList, stepStat} {
		m := newMemFS()
		f := inject(m)
		f.set(step, syscall.EIO, 0)
		if _, err := openOn(m, "/data/segments", nil); !errors.Is(err, syscall.EIO) {
			t.Errorf("open whose %s fails: %v", step, err)
		}
	}
	m := newMemFS()
	if f, err := m.mem.Create("/data", vfs.WriteCategoryUnspecified); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if _, err := openOn(m, "/data/segments", nil); err == nil {
		t.Error("open below a file succeeds")
	}
}

// TestReadOnly opens and reads a store on a file system that takes nothing.
func TestReadOnly(t *testing.T) {
	m := newMemFS()
	s := openMem(t, m)
	ref, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	m.before = func(step, _ string) error {
		switch step {
		case stepCreate, stepWrite, stepSync, stepSyncDir, stepMkdir, stepRemove, stepLink:
			return syscall.EROFS
		}
		return nil
	}
	s, err = openOn(m, "/data/segments", nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, segmenttest.Content(1, 1000)) {
		t.Errorf("Read gives %d bytes, %v", len(got), err)
	}
	if _, err := s.Write(t.Context(), bytes.NewReader(nil)); !errors.Is(err, segment.ErrFull) {
		t.Errorf("Write: %v, want ErrFull", err)
	}
	if err := s.Delete(t.Context(), ref.ID); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Delete: %v, want EROFS", err)
	}
}

// TestOpenScansNothing opens a store with segments in many subfolders: that takes as
// many steps as it does with none.
func TestOpenScansNothing(t *testing.T) {
	m := newMemFS()
	s := openMem(t, m)
	for range 20 {
		s.turn.Add(shardTurn) // the next subfolder
		if _, err := s.Write(t.Context(), bytes.NewReader(nil)); err != nil {
			t.Fatal(err)
		}
	}
	f := inject(m)
	openMem(t, m)
	if lists, opens := f.count(stepList), f.count(stepOpen); lists != 1 || opens != 0 {
		t.Errorf("open lists %d folders and opens %d files, want 1 and 0", lists, opens)
	}
	if stats := f.count(stepStat); stats > 2 {
		t.Errorf("open looks at %d files", stats)
	}
}
