package segmenttest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/leasehold/leasehold/internal/segment"
)

const kib = 1 << 10

// sizes lie at and around every power of two that a buffer or a block may have.
func sizes() []int64 {
	all := []int64{0, 1, 2, 3*kib*kib + 7, 8 * kib * kib}
	for _, n := range []int64{512, 4 * kib, 32 * kib, 64 * kib, 128 * kib, 256 * kib, 512 * kib, kib * kib} {
		all = append(all, n-1, n, n+1)
	}
	return all
}

func testSizes(t *testing.T, e Engine) {
	s := open(t, e)
	var refs []segment.Ref
	for _, n := range sizes() {
		data := Content(uint64(n), n)
		ref := write(t, s, data)
		wantWhole(t, s, ref, data)
		refs = append(refs, ref)
	}
	for _, ref := range refs {
		wantWhole(t, s, ref, Content(uint64(ref.Size), ref.Size))
	}
	wantListed(t, s, refs...)
}

// testOddReaders writes from readers that deliver in unusual, legal steps, and reads
// by such steps.
func testOddReaders(t *testing.T, e Engine) {
	s := open(t, e)
	data := Content(1, 70*kib)
	readers := map[string]func(io.Reader) io.Reader{
		"one byte":           iotest.OneByteReader,
		"half":               iotest.HalfReader,
		"error with data":    iotest.DataErrReader,
		"half, error, data":  func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.HalfReader(r)) },
		"empty reads":        func(r io.Reader) io.Reader { return &emptyReads{r: r} },
		"writes itself":      func(r io.Reader) io.Reader { return r },
		"random short reads": func(r io.Reader) io.Reader { return &shortReads{r: r, rnd: rand.New(rand.NewPCG(1, 2))} },
	}
	for name, odd := range readers {
		ref, err := s.Write(t.Context(), odd(bytes.NewReader(data)))
		if err != nil {
			t.Errorf("%s: Write: %v", name, err)
			continue
		}
		wantWhole(t, s, ref, data)
		got, err := readBy(s, ref, 1, ref.Size-2, func(r io.Reader) ([]byte, error) { return io.ReadAll(odd(r)) })
		if err != nil || !bytes.Equal(got, data[1:len(data)-1]) {
			t.Errorf("%s: Read gives %d bytes, %v", name, len(got), err)
		}
	}
}

// emptyReads returns nothing, and no error, every other time.
type emptyReads struct {
	r     io.Reader
	empty bool
}

func (e *emptyReads) Read(p []byte) (int, error) {
	if e.empty = !e.empty; e.empty {
		return 0, nil
	}
	return e.r.Read(p)
}

// shortReads fills a random part of the buffer.
type shortReads struct {
	r   io.Reader
	rnd *rand.Rand
}

func (s *shortReads) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1+s.rnd.IntN(len(p))]
	}
	return s.r.Read(p)
}

func testRanges(t *testing.T, e Engine) {
	s := open(t, e)
	for _, size := range []int64{0, 1, 2, 64 * kib, 64*kib + 1, 300*kib + 3} {
		data := Content(uint64(size), size)
		ref := write(t, s, data)
		edges := []int64{0, 1, 511, 512, 4 * kib, 64*kib - 1, 64 * kib, 64*kib + 1, 128 * kib, 256*kib - 1, 256 * kib, size - 1, size}
		for _, off := range edges {
			for _, end := range edges {
				if 0 <= off && off <= end && end <= size {
					wantRange(t, s, ref, data, off, end-off)
				}
			}
		}
	}
}

func testBadRanges(t *testing.T, e Engine) {
	s := open(t, e)
	for _, size := range []int64{0, 1, 100} {
		ref := write(t, s, Content(1, size))
		for _, r := range [][2]int64{
			{-1, 0}, {-1, 1}, {0, -1}, {0, size + 1}, {size, 1}, {size + 1, 0}, {size + 1, -1},
			{1, math.MaxInt64}, {math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, 0},
		} {
			rd, err := s.Open(t.Context(), ref, r[0], r[1])
			if err == nil {
				_ = rd.Close()
				t.Errorf("Open of %d bytes at %d of %d: no error", r[1], r[0], size)
			}
			if errors.Is(err, segment.ErrNotFound) || errors.Is(err, segment.ErrCorrupt) {
				t.Errorf("Open of %d bytes at %d of %d blames the segment: %v", r[1], r[0], size, err)
			}
		}
	}
}

func testRandomRanges(t *testing.T, e Engine) {
	s := open(t, e)
	rnd := rand.New(rand.NewPCG(3, 4))
	size := int64(2<<20 + 77)
	data := Content(5, size)
	ref := write(t, s, data)
	for range 200 {
		off := rnd.Int64N(size + 1)
		n := rnd.Int64N(size - off + 1)
		if rnd.IntN(2) == 0 {
			n = min(n, 1000)
		}
		wantRange(t, s, ref, data, off, n)
	}
}

func testFlippedBits(t *testing.T, e Engine) {
	s := open(t, e)
	for _, size := range []int64{1, 1000, 64 * kib, 200*kib + 5, kib*kib + 1} {
		for _, off := range []int64{0, 1, size / 2, 64*kib - 1, 64 * kib, size - 1} {
			if off >= size {
				continue
			}
			data := Content(uint64(size), size)
			ref := write(t, s, data)
			wantRange(t, s, ref, data, 0, size) // an engine may keep it open, or in memory
			s = reopened(t, e, s)
			e.Flip(t, ref.ID, off)
			if err := s.Verify(t.Context(), ref); !errors.Is(err, segment.ErrCorrupt) {
				t.Errorf("Verify with byte %d of %d damaged: %v, want ErrCorrupt", off, size, err)
			}
			wantRefused(t, s, ref, data, 0, size)
			wantRefused(t, s, ref, data, off, 1)
			wantRefused(t, s, ref, data, off, size-off)
		}
	}
}

// wantRefused checks that reading a range with damage in it ends with ErrCorrupt
// and that all it gave before was good.
func wantRefused(t *testing.T, s segment.Store, ref segment.Ref, data []byte, off, n int64) {
	t.Helper()
	for name, get := range map[string]func(segment.Store, segment.Ref, int64, int64) ([]byte, error){"Read": read, "Copy": copied} {
		got, err := get(s, ref, off, n)
		if !errors.Is(err, segment.ErrCorrupt) {
			t.Errorf("%s of %d damaged bytes at %d of %d: %v, want ErrCorrupt", name, n, off, ref.Size, err)
		}
		if !bytes.HasPrefix(data[off:off+n], got) || int64(len(got)) == n {
			t.Errorf("%s of %d damaged bytes at %d of %d gives damaged bytes", name, n, off, ref.Size)
		}
	}
}

func testCutShort(t *testing.T, e Engine) {
	s := open(t, e)
	for _, size := range []int64{1, 64 * kib, 200*kib + 5} {
		ref := write(t, s, Content(uint64(size), size))
		s = reopened(t, e, s)
		e.Cut(t, ref.ID)
		if err := s.Verify(t.Context(), ref); !errors.Is(err, segment.ErrCorrupt) {
			t.Errorf("Verify of %d bytes cut short: %v, want ErrCorrupt", size, err)
		}
		if _, err := read(s, ref, 0, size); !errors.Is(err, segment.ErrCorrupt) {
			t.Errorf("Read of %d bytes cut short: %v, want ErrCorrupt", size, err)
		}
		if err := s.Delete(t.Context(), ref.ID); err != nil {
			t.Errorf("Delete of a damaged segment: %v", err)
		}
		wantGone(t, s, ref)
	}
}

// testWrongSize asks for a segment by a size that it does not have.
func testWrongSize(t *testing.T, e Engine) {
	s := open(t, e)
	data := Content(6, 1000)
	ref := write(t, s, data)
	for _, size := range []int64{0, 999, 1001, 1 << 40, math.MaxInt64} {
		wrong := segment.Ref{ID: ref.ID, Size: size}
		if err := s.Verify(t.Context(), wrong); !errors.Is(err, segment.ErrCorrupt) {
			t.Errorf("Verify as %d bytes of %d: %v, want ErrCorrupt", size, ref.Size, err)
		}
		if got, err := read(s, wrong, 0, min(size, 10)); !errors.Is(err, segment.ErrCorrupt) {
			t.Errorf("Read as %d bytes of %d: %d bytes, %v, want ErrCorrupt", size, ref.Size, len(got), err)
		}
	}
	wantWhole(t, s, ref, data)
}
