package disk

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// TestWhatIsPacked finds short segments in a pack and long ones in files of their own.
func TestWhatIsPacked(t *testing.T) {
	m := newPackedMemFS()
	s := openMem(t, m)
	for _, n := range []int64{0, 1, blockSize, blockSize + 1, maxPacked - 1, maxPacked, maxPacked + 1} {
		ref, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, n)))
		if err != nil {
			t.Fatal(err)
		}
		_, at := memPath(m, ref.ID)
		if isPacked, want := at > 0, n < maxPacked; isPacked != want {
			t.Errorf("a segment of %d bytes is packed: %v, want %v", n, isPacked, want)
		}
	}
	if packs, err := m.mem.List("/data/segments/packs"); err != nil || len(packs) != 1 {
		t.Errorf("there are the packs %v, %v, want one", packs, err)
	}
}

// TestPackDamage damages the entry of a segment in every region, and checks that reads
// report it, that no read gives bytes that were not written, and that its neighbours stay good.
func TestPackDamage(t *testing.T) {
	const size = 2*blockSize + 1000
	m := newPackedMemFS()
	s := openMem(t, m)
	var refs []segment.Ref
	var all [][]byte
	for i := range 3 {
		data := segmenttest.Content(uint64(i), size)
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		refs, all = append(refs, ref), append(all, data)
	}
	whole := memRead(t, m, refs[1].ID)
	start := int(offsetOf(refs[1].ID))
	length := headerSize + size + sumSize*int(blocksIn(size))
	for at := range length {
		if at > headerSize && at < headerSize+size && at%97 != 0 {
			continue
		}
		b := bytes.Clone(whole)
		b[start+at] ^= 1 << (at % 8)
		memPut(t, m, refs[1].ID, b)
		wantDamaged(t, m, refs[1], all[1], "a flipped bit", at)
	}
	for _, i := range []int{0, 2} {
		if got, err := readAll(t, openMem(t, m), refs[i]); err != nil || !bytes.Equal(got, all[i]) {
			t.Errorf("a neighbour of what is damaged reads as %d bytes, %v", len(got), err)
		}
	}
	b := bytes.Clone(whole)
	copy(b[start:], whole[:length]) // the first entry in place of the second
	memPut(t, m, refs[1].ID, b)
	wantDamaged(t, m, refs[1], all[1], "another entry", 0)
}

// TestDamagedHeaderStays deletes all of a pack but an entry whose header is damaged: it is not
// listed, nor is the pack taken for what a crash has left, as the entry may be referred to.
func TestDamagedHeaderStays(t *testing.T) {
	m := newPackedMemFS()
	data := segmenttest.Content(1, 1000)
	s := openMem(t, m)
	var refs []segment.Ref
	for range 2 {
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	b := memRead(t, m, refs[0].ID)
	b[30] ^= 1
	memPut(t, m, refs[0].ID, b)
	s = openMem(t, m)
	if err := s.Delete(t.Context(), refs[1].ID); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, s)
	if err := s.Verify(t.Context(), refs[0]); !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Verify of a segment whose header is damaged: %v", err)
	}
	b = memRead(t, m, refs[0].ID)
	b[30] ^= 1
	memPut(t, m, refs[0].ID, b)
	if got, err := readAll(t, openMem(t, m), refs[0]); err != nil || !bytes.Equal(got, data) {
		t.Errorf("with its header put right, it reads as %d bytes, %v", len(got), err)
	}
	if err := s.Delete(t.Context(), refs[0].ID); err != nil {
		t.Fatal(err)
	}
	if left := m.files(t); len(left) > 0 {
		t.Errorf("a pack of which all is deleted leaves %v", left)
	}
}

// TestPackLeftovers has a crash leave packs without an entry: they are listed so that they can
// be deleted.
func TestPackLeftovers(t *testing.T) {
	m := newPackedMemFS()
	s := openMem(t, m)
	ref, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 3*pageSize)))
	if err != nil {
		t.Fatal(err)
	}
	whole := memRead(t, m, ref.ID)
	path, _ := memPath(m, ref.ID)
	for _, keep := range []int{0, pageSize, 2 * pageSize} { // what the disk had, from the end
		b := make([]byte, len(whole))
		copy(b[len(b)-keep:], whole[len(whole)-keep:])
		memPutFile(t, m, path, b)
		wantLeftover(t, openMem(t, m))
		if left := m.files(t); len(left) > 0 {
			t.Errorf("a leftover with %d bytes leaves %v", keep, left)
		}
	}
}

// TestPackWriteFaults has each step of packing fail: the error is of the right kind, nothing
// is left, and the store goes on, in another pack if a sync failed.
func TestPackWriteFaults(t *testing.T) {
	for _, step := range []string{stepMkdir, stepCreate, stepPunch, stepWrite, stepSync, stepSyncDir} {
		for _, fault := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
			t.Run(fmt.Sprintf("%s/%s", step, fault), func(t *testing.T) {
				m := newPackedMemFS()
				s := openMem(t, m)
				data := segmenttest.Content(1, 2*pageSize)
				f := inject(m)
				f.set(step, fault, 0)
				ref, err := s.Write(t.Context(), bytes.NewReader(data))
				if !errors.Is(err, fault) || ref != (segment.Ref{}) {
					t.Errorf("Write = %v, %v", ref, err)
				}
				if errors.Is(err, segment.ErrFull) != !errors.Is(fault, syscall.EIO) {
					t.Errorf("Write returns %v, which is ErrFull: %v", err, errors.Is(err, segment.ErrFull))
				}
				if f.count(stepSync) > 1 {
					t.Errorf("the pack was synced %d times", f.count(stepSync))
				}
				f.set("", nil, 0)
				wantOnly(t, s)
				if ref, err = s.Write(t.Context(), bytes.NewReader(data)); err != nil {
					t.Fatalf("Write after the fault: %v", err)
				}
				if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, data) {
					t.Errorf("Read after the fault gives %d bytes, %v", len(got), err)
				}
				wantOnly(t, s, ref)
				wantOnly(t, openMem(t, m), ref)
			})
		}
	}
}

// TestPackSyncFails has the sync fail that several writes share: none succeeds, what was there
// before stays, and nothing more goes to that pack.
func TestPackSyncFails(t *testing.T) {
	const writers = 8
	m := newPackedMemFS()
	s := openMem(t, m)
	keep, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, 100)))
	if err != nil {
		t.Fatal(err)
	}
	f := inject(m)
	f.set(stepSync, syscall.EIO, 0)
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() { _, errs[i] = s.Write(t.Context(), bytes.NewReader(segmenttest.Content(2, 100))) })
	}
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("Write whose pack was not synced: %v", err)
		}
	}
	f.set("", nil, 0)
	wantOnly(t, s, keep)
	next, err := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(3, 100)))
	if err != nil || packOf(next.ID) == packOf(keep.ID) {
		t.Errorf("the next write goes to the pack whose sync failed: %v", err)
	}
	wantOnly(t, s, keep, next)
}

// TestWithoutHoles falls back to files of their own where a file system makes no holes, and
// still deletes from packs that came from another.
func TestWithoutHoles(t *testing.T) {
	m := newPackedMemFS()
	data := segmenttest.Content(1, 5000)
	var refs []segment.Ref
	s := openMem(t, m)
	for range 3 {
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	f := inject(m)
	f.set(stepPunch, syscall.EOPNOTSUPP, 0)
	s = openMem(t, m)
	for range 2 {
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if _, at := memPath(m, ref.ID); at != 0 {
			t.Error("a segment is packed where there are no holes")
		}
		refs = append(refs, ref)
	}
	if err := s.Delete(t.Context(), refs[0].ID, refs[1].ID); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, s, refs[2:]...)
	if err := s.Delete(t.Context(), refs[2].ID); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, openMem(t, m), refs[3:]...)
	if packs, err := m.mem.List("/data/segments/packs"); err != nil || len(packs) > 0 {
		t.Errorf("the packs %v are left, %v", packs, err)
	}
}

// TestPackGrowsToItsSize begins another pack when one is full, and loses nothing of either.
func TestPackGrowsToItsSize(t *testing.T) {
	m := newPackedMemFS()
	s := openMem(t, m)
	s.packs.size = 3 * pageSize
	first, err := s.Write(t.Context(), bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	fits, err1 := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(1, pageSize)))
	other, err2 := s.Write(t.Context(), bytes.NewReader(segmenttest.Content(2, 1)))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if packOf(fits.ID) != packOf(first.ID) || packOf(other.ID) == packOf(first.ID) {
		t.Error("a pack does not end where it is full")
	}
	if len(s.packs.open) != 1 {
		t.Errorf("%d packs are open, want 1", len(s.packs.open))
	}
	for _, ref := range []segment.Ref{first, fits, other} {
		if err := s.Verify(t.Context(), ref); err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
}
