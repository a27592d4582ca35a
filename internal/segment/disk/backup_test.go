package disk

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// ids yields the IDs of segments, and then an error if there is one.
func ids(err error, refs ...segment.Ref) iter.Seq2[segment.ID, error] {
	return func(yield func(segment.ID, error) bool) {
		for _, ref := range refs {
			if !yield(ref.ID, nil) {
				return
			}
		}
		if err != nil {
			yield(segment.ID{}, err)
		}
	}
}

// backedUp writes some segments to a store on m.
func backedUp(t *testing.T, m *memFS) (*Store, []segment.Ref, [][]byte) {
	t.Helper()
	s := openMem(t, m)
	var refs []segment.Ref
	var all [][]byte
	for i, n := range []int64{0, 1, blockSize, 3*blockSize + 5, 2 * writeSize} {
		data := segmenttest.Content(uint64(i), n)
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		refs, all = append(refs, ref), append(all, data)
	}
	return s, refs, all
}

// wantBackup loses the power and checks that a backup is whole.
func wantBackup(t *testing.T, m *memFS, refs []segment.Ref, all [][]byte) {
	t.Helper()
	after := &memFS{mem: m.mem.CrashClone(vfs.CrashCloneCfg{})}
	s, err := openOn(after, "/backup/one", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range refs {
		if err := s.Verify(t.Context(), ref); err != nil {
			t.Errorf("Verify in the backup: %v", err)
		}
		if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, all[i]) {
			t.Errorf("a segment of %d bytes reads as %d from the backup, %v", ref.Size, len(got), err)
		}
	}
	wantOnly(t, s, refs...)
}

// TestBackup makes backups where links work, where they do not, and on top of what an
// earlier one left.
func TestBackup(t *testing.T) { eitherWay(t, testBackup) }

func testBackup(t *testing.T, newFS func() *memFS) {
	for _, linkFault := range []error{nil, syscall.EXDEV, syscall.EMLINK, syscall.EPERM} {
		m := newFS()
		s, refs, all := backedUp(t, m)
		m.before = func(step, _ string) error {
			if step == stepLink {
				return linkFault
			}
			return nil
		}
		for range 2 {
			if err := s.Backup(t.Context(), "/backup/one", ids(nil, refs...)); err != nil {
				t.Fatalf("Backup where links fail with %v: %v", linkFault, err)
			}
			wantBackup(t, m, refs, all)
		}
		if err := s.Delete(t.Context(), refs[1].ID, refs[4].ID); err != nil {
			t.Fatal(err)
		}
		wantBackup(t, m, refs, all)
	}
}

// TestBackupReplacesDamage keeps what is good in a backup and replaces what is not.
func TestBackupReplacesDamage(t *testing.T) {
	m := newMemFS()
	s, refs, all := backedUp(t, m)
	to, err := openOn(m, "/backup/one", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range refs {
		if err := to.makeShard(ref.ID[0]); err != nil {
			t.Fatal(err)
		}
		f, err := m.create(to.path(ref.ID))
		if err != nil {
			t.Fatal(err)
		}
		b := memRead(t, m, ref.ID)
		if i%2 == 1 {
			b = b[:len(b)/2]
		}
		if _, err := f.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.syncData(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Backup(t.Context(), "/backup/one", ids(nil, refs...)); err != nil {
		t.Fatalf("Backup: %v", err)
	}
	wantBackup(t, m, refs, all)
}

func TestBackupFails(t *testing.T) {
	m := newMemFS()
	s, refs, _ := backedUp(t, m)
	torn := errors.New("torn")
	if err := s.Backup(t.Context(), "/backup/one", ids(torn, refs...)); !errors.Is(err, torn) {
		t.Errorf("Backup of IDs that end with an error: %v", err)
	}
	missing := segment.Ref{ID: segment.ID{1}}
	if err := s.Backup(t.Context(), "/backup/two", ids(nil, refs[0], missing)); !errors.Is(err, segment.ErrNotFound) {
		t.Errorf("Backup of a segment that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(ctx, "/backup/three", ids(nil, refs...)); !errors.Is(err, context.Canceled) {
		t.Errorf("Backup after its context ended: %v", err)
	}
	for _, step := range []string{stepMkdir, stepCreate, stepWrite, stepSync, stepSyncDir} {
		m.before = func(at, name string) error {
			switch at {
			case stepLink:
				return syscall.EXDEV
			case step:
				return syscall.ENOSPC
			}
			return nil
		}
		if err := s.Backup(t.Context(), "/backup/four"+step, ids(nil, refs...)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Backup whose %s fails: %v", step, err)
		}
	}
	m.before = nil
	edited := refs[3]
	memEdit(t, m, edited.ID, func(b []byte) []byte {
		b[blockSize] ^= 1
		return b
	})
	m.before = func(step, _ string) error {
		if step == stepLink {
			return syscall.EXDEV
		}
		return nil
	}
	if err := s.Backup(t.Context(), "/backup/five", ids(nil, edited)); !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Backup that copies a damaged segment: %v", err)
	}
}

// TestRealBackup links files of the machine's file system, with its syncs, and reads
// them by Open after the store they came from is gone.
func TestRealBackup(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "a", "b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := segmenttest.Content(1, 1_000_000)
	ref, err := s.Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	short, err := s.Write(t.Context(), bytes.NewReader(data[:1000]))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Backup(t.Context(), filepath.Join(dir, "backup"), ids(nil, ref, short)); err != nil {
			t.Fatal(err)
		}
	}
	from, err1 := os.Stat(s.path(ref.ID))
	to, err2 := os.Stat(filepath.Join(shardDir(filepath.Join(dir, "backup"), ref.ID[0]), ref.ID.String()))
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(from, to) {
		t.Errorf("the backup is no link: %v", err)
	}
	if err := errors.Join(s.Close(), os.RemoveAll(filepath.Join(dir, "a"))); err != nil {
		t.Fatal(err)
	}
	s, err = Open(filepath.Join(dir, "backup"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Read from the backup gives %d bytes, %v", len(got), err)
	}
	if got, err := readAll(t, s, short); err != nil || !bytes.Equal(got, data[:1000]) {
		t.Errorf("Read of a packed segment from the backup gives %d bytes, %v", len(got), err)
	}
	wantOnly(t, s, ref, short)
}
