package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

func TestSizesOfFiles(t *testing.T) {
	for _, n := range []int64{0, 1, blockSize - 1, blockSize, blockSize + 1, 7 * blockSize, 5 << 40} {
		got, ok := contentSize(fileSize(n))
		if !ok || got != n {
			t.Errorf("a file of %d bytes holds %d, %v, want %d", fileSize(n), got, ok, n)
		}
	}
	fit := 0
	for length := range int64(3 * blockSize) {
		if n, ok := contentSize(length); ok {
			fit++
			if fileSize(n) != length {
				t.Errorf("a file of %d bytes is said to hold %d, which take %d", length, n, fileSize(n))
			}
		}
	}
	if want := 3*blockSize - footerSize - 3*sumSize; fit < want-sumSize || fit > want+sumSize {
		t.Errorf("%d lengths fit a segment, want about %d", fit, want)
	}
	if _, ok := contentSize(-1); ok {
		t.Error("a negative length fits a segment")
	}
}

// TestDamage damages a file in every region and in every way, and checks that Verify
// and copying reads report it and that no read gives bytes that were not written.
func TestDamage(t *testing.T) {
	const size = 2*blockSize + 1000
	data := segmenttest.Content(1, size)
	m := newMemFS()
	ref := writeMem(t, m, data)
	other := writeMem(t, m, segmenttest.Content(2, size))
	whole := memRead(t, m, ref.ID)

	try := func(name string, at int, damaged []byte) {
		t.Helper()
		memPut(t, m, ref.ID, damaged)
		wantDamaged(t, m, ref, data, name, at)
	}
	for at := range whole {
		if at < size && at%97 != 0 && at != size-1 {
			continue
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		try("a flipped bit", at, b)
	}
	for at := 0; at < len(whole); at += min(501, max(1, len(whole)-at-60)) {
		try("cut short", at, whole[:at])
	}
	for _, at := range []int{0, blockSize, size, len(whole) - footerSize} {
		b := bytes.Clone(whole)
		clear(b[at:min(at+512, len(b))])
		try("zeroes", at, b)
		try("a byte lost", at, append(bytes.Clone(whole[:at]), whole[at+1:]...))
	}
	for _, more := range []int{1, 8, 4096, blockSize + sumSize} {
		try("bytes behind", more, append(bytes.Clone(whole), make([]byte, more)...))
	}
	swapped := append(bytes.Clone(whole[blockSize:2*blockSize]), whole[:blockSize]...)
	try("blocks swapped", 0, append(swapped, whole[2*blockSize:]...))
	try("another segment", 0, memRead(t, m, other.ID))
	try("nothing", 0, nil)

	memPut(t, m, ref.ID, whole)
	if got, err := readAll(t, openMem(t, m), ref); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file put back reads as %d bytes, %v", len(got), err)
	}
}

// writeMem stores data by a store of its own.
func writeMem(t testing.TB, m *memFS, data []byte) segment.Ref {
	t.Helper()
	ref, err := openMem(t, m).Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// wantDamaged checks that damage to a segment is reported.
func wantDamaged(t *testing.T, m *memFS, ref segment.Ref, data []byte, name string, at int) {
	t.Helper()
	s := openMem(t, m)
	if err := s.Verify(t.Context(), ref); !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Verify with %s at %d: %v, want ErrCorrupt", name, at, err)
	}
	got, err := readAll(t, s, ref)
	if !errors.Is(err, segment.ErrCorrupt) {
		t.Errorf("Read with %s at %d: %v, want ErrCorrupt", name, at, err)
	}
	if !bytes.HasPrefix(data, got) {
		t.Errorf("Read with %s at %d gives bytes that were not written", name, at)
	}
}

// TestDamageWhileOpen cuts and changes a file that the store has open.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	data := segmenttest.Content(1, 8*blockSize)
	s, err := openOn(lazyFS{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	write := func() segment.Ref {
		t.Helper()
		ref, err := s.Write(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, s, ref); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("Read: %d bytes, %v", len(got), err)
		}
		return ref
	}
	ref := write()
	edit(t, dir, ref.ID, func(b []byte) []byte {
		b[5*blockSize] ^= 1
		return b
	})
	if got, err := readAll(t, s, ref); !errors.Is(err, segment.ErrCorrupt) || !bytes.HasPrefix(data, got) {
		t.Errorf("Read of a file changed while open gives %d bytes, %v", len(got), err)
	}
	ref = write()
	edit(t, dir, ref.ID, func(b []byte) []byte { return b[:5*blockSize] })
	if got, err := readAll(t, s, ref); !errors.Is(err, segment.ErrCorrupt) || !bytes.HasPrefix(data, got) {
		t.Errorf("Read of a file cut while open gives %d bytes, %v", len(got), err)
	}
	var sent handed
	r, err := s.Open(t.Context(), ref, 0, ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.Copy(&sent, r); !errors.Is(err, segment.ErrCorrupt) || !bytes.HasPrefix(data, sent.Bytes()) {
		t.Errorf("sending a file cut while open gives %d bytes, %v", sent.Len(), err)
	}
	if sent.files == 0 {
		t.Error("the file was not handed over")
	}
}

// FuzzFile reads files of any content: they are refused or give what their table and
// footer vouch for, and never make the store fail otherwise.
func FuzzFile(f *testing.F) {
	id := segment.ID{1, 2, 3}
	for _, n := range []int64{0, 1, 100, blockSize, blockSize + 1} {
		content := segmenttest.Content(1, n)
		f.Add(wholeFile(id, content))
		f.Add(wholeFile(segment.ID{}, content))
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, tableSum, err := readFooter(rawFile{bytes.NewReader(b)}, id)
		if err != nil {
			if !errors.Is(err, segment.ErrCorrupt) {
				t.Errorf("readFooter: %v", err)
			}
			return
		}
		whole := stored{file: rawFile{bytes.NewReader(b)}, size: size, tableSum: tableSum}
		err = verify(t.Context(), &whole, segment.Ref{ID: id, Size: size})
		if good := bytes.Equal(b, wholeFile(id, b[:size])); (err == nil) != good {
			t.Errorf("verify of %d bytes: %v, though good is %v", len(b), err, good)
		}
	})
}

// FuzzPack walks through packs of any content: it ends, and finds what is where it says.
func FuzzPack(f *testing.F) {
	name := packName{1, 2, 3, 7: packTag}
	entry := func(off, n int64) []byte {
		content := segmenttest.Content(1, n)
		table := appendSums(nil, content)
		h := header{Ref: segment.Ref{ID: entryID(name, off), Size: n}, tableSum: crc64nvme.Checksum(table)}
		return append(append(h.append(nil), content...), table...)
	}
	one := entry(0, 100)
	f.Add(one)
	f.Add(append(append(one, make([]byte, pageSize-len(one))...), entry(pageSize, 2*pageSize)...))
	f.Add(append(make([]byte, pageSize), entry(pageSize, 0)...))
	f.Add(entry(pageSize, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw := rawFile{bytes.NewReader(b)}
		last := int64(-1)
		for h, err := range entries(raw, name) {
			if err != nil {
				if !errors.Is(err, segment.ErrCorrupt) {
					t.Fatalf("entries: %v", err)
				}
				continue
			}
			off := offsetOf(h.ID)
			if off <= last || packOf(h.ID) != name || h.Size < 0 || h.Size > maxPacked {
				t.Fatalf("an entry of %d bytes at %d, after one at %d", h.Size, off, last)
			}
			last = off
			whole := stored{file: raw, at: off + headerSize, size: h.Size, tableSum: h.tableSum}
			if err := verify(t.Context(), &whole, h.Ref); err != nil && !errors.Is(err, segment.ErrCorrupt) {
				t.Errorf("verify: %v", err)
			}
		}
	})
}

// wholeFile returns the file of a segment.
func wholeFile(id segment.ID, content []byte) []byte {
	table := appendSums(nil, content)
	b := append(bytes.Clone(content), table...)
	return appendFooter(b, segment.Ref{ID: id, Size: int64(len(content))}, crc64nvme.Checksum(table))
}

// rawFile is a file that is only read.
type rawFile struct{ *bytes.Reader }

func (rawFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrInvalid }
func (rawFile) bypassCache()                       {}
func (rawFile) writeAll([][]byte, int64) error     { return fs.ErrInvalid }
func (rawFile) writeEnd([]byte, int64) error       { return fs.ErrInvalid }
func (rawFile) punch(_, _ int64) error             { return fs.ErrInvalid }
func (rawFile) Close() error                       { return nil }
func (rawFile) syncData() error                    { return fs.ErrInvalid }
func (rawFile) startSync(_, _ int64)               {}
func (f rawFile) Stat() (fs.FileInfo, error)       { return rawInfo{size: f.Size()}, nil }

func (f rawFile) nextData(off int64) (int64, error) {
	if off >= f.Size() {
		return 0, io.EOF
	}
	return off, nil
}

// rawInfo knows nothing but a size.
type rawInfo struct {
	fs.FileInfo
	size int64
}

func (i rawInfo) Size() int64 { return i.size }
