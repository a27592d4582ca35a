package segmenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/leasehold/leasehold/internal/segment"
)

// reopened returns the store opened again, or the same one if it is volatile.
func reopened(t *testing.T, e Engine, s segment.Store) segment.Store {
	t.Helper()
	if e.Volatile {
		return s
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return open(t, e)
}

func testFailingReader(t *testing.T, e Engine) {
	s := open(t, e)
	keep := write(t, s, Content(1, 100))
	cut := fmt.Errorf("body: %w", io.ErrUnexpectedEOF)
	for _, fail := range []error{errors.New("torn"), io.ErrUnexpectedEOF, cut, io.ErrShortBuffer, context.Canceled} {
		for _, after := range []int64{0, 1, 64 * kib, 300 * kib, 2 << 20} {
			r := io.MultiReader(bytes.NewReader(Content(2, after)), iotest.ErrReader(fail))
			if ref, err := s.Write(t.Context(), r); err != fail {
				t.Errorf("Write of a reader that fails with %v after %d bytes = %+v, %v", fail, after, ref, err)
			}
		}
	}
	wantListed(t, s, keep)
	s = reopened(t, e, s)
	wantListed(t, s, keep)
}

func testPanickingReader(t *testing.T, e Engine) {
	s := open(t, e)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the reader's panic did not reach the caller")
			}
		}()
		_, _ = s.Write(t.Context(), io.MultiReader(bytes.NewReader(Content(1, 300*kib)), readerFunc(func([]byte) (int, error) {
			panic("reader")
		})))
	}()
	wantListed(t, s)
	ref := write(t, s, Content(3, 10))
	wantListed(t, reopened(t, e, s), ref)
}

// readerFunc is an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func testCancelledWrite(t *testing.T, e Engine) {
	s := open(t, e)
	for _, after := range []int64{0, 1, 300 * kib, 2 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		body := bytes.NewReader(Content(1, after))
		last := readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, io.EOF
		})
		if ref, err := s.Write(ctx, io.MultiReader(body, last)); !errors.Is(err, context.Canceled) {
			t.Errorf("Write cancelled after %d bytes = %+v, %v", after, ref, err)
		}
		if ref, err := s.Write(ctx, bytes.NewReader(nil)); !errors.Is(err, context.Canceled) {
			t.Errorf("Write after its context ended = %+v, %v", ref, err)
		}
	}
	wantListed(t, s)
	wantListed(t, reopened(t, e, s))
}

func testCancelledRead(t *testing.T, e Engine) {
	s := open(t, e)
	data := Content(1, 2<<20)
	ref := write(t, s, data)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Open(ctx, ref, 0, ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	rest, err := io.ReadAll(r)
	if !errors.Is(err, context.Canceled) || !bytes.HasPrefix(data[10:], rest) {
		t.Errorf("Read after the context ended gives %d bytes, %v", len(rest), err)
	}
	if _, err := s.Open(ctx, ref, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Open after the context ended: %v", err)
	}
	if err := s.Verify(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify after the context ended: %v", err)
	}
	if err := s.Delete(ctx, ref.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete after the context ended: %v", err)
	}
	var last error
	for _, err := range s.List(ctx) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List after the context ended: %v", last)
	}
	wantWhole(t, s, ref, data)
}

// testUnfinishedWrite looks at the list in the middle of a write.
func testUnfinishedWrite(t *testing.T, e Engine) {
	s := open(t, e)
	data := Content(1, 2<<20)
	looked := false
	ref, err := s.Write(t.Context(), io.MultiReader(bytes.NewReader(data), readerFunc(func([]byte) (int, error) {
		wantListed(t, s)
		looked = true
		return 0, io.EOF
	})))
	if err != nil || !looked {
		t.Fatalf("Write = %v, looked %v", err, looked)
	}
	wantWhole(t, s, ref, data)
	wantListed(t, s, ref)
}

func testNotFound(t *testing.T, e Engine) {
	s := open(t, e)
	ref := write(t, s, Content(1, 10))
	other := ref
	other.ID[15] ^= 1
	wantGone(t, s, other)
	wantGone(t, s, segment.Ref{})
	for _, id := range [][]segment.ID{nil, {other.ID}, {{}}, {other.ID, other.ID}} {
		if err := s.Delete(t.Context(), id...); err != nil {
			t.Errorf("Delete of what is not there: %v", err)
		}
	}
	wantListed(t, s, ref)
}

func testDelete(t *testing.T, e Engine) {
	s := open(t, e)
	var refs []segment.Ref
	for i := range 6 {
		n := int64(i) * 50 * kib
		refs = append(refs, write(t, s, Content(uint64(i), n)))
	}
	wantRange(t, s, refs[1], Content(1, refs[1].Size), 0, refs[1].Size) // an engine may keep it open
	if err := s.Delete(t.Context(), refs[0].ID, refs[1].ID, refs[1].ID, segment.ID{1}, refs[2].ID); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	for _, ref := range refs[:3] {
		wantGone(t, s, ref)
	}
	wantListed(t, s, refs[3:]...)
	s = reopened(t, e, s)
	for _, ref := range refs[:3] {
		wantGone(t, s, ref)
	}
	for i, ref := range refs[3:] {
		wantWhole(t, s, ref, Content(uint64(i+3), ref.Size))
	}
	wantListed(t, s, refs[3:]...)
}

func testReadDuringDelete(t *testing.T, e Engine) {
	s := open(t, e)
	for _, size := range []int64{10, 200 * kib, 2 << 20} {
		data := Content(uint64(size), size)
		ref := write(t, s, data)
		var readers []io.ReadCloser
		for range 3 {
			r, err := s.Open(t.Context(), ref, 0, size)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			readers = append(readers, r)
		}
		head := make([]byte, 5)
		if _, err := io.ReadFull(readers[0], head); err != nil || !bytes.Equal(head, data[:5]) {
			t.Fatalf("Read before Delete: %v", err)
		}
		if err := s.Delete(t.Context(), ref.ID); err != nil {
			t.Fatal(err)
		}
		wantGone(t, s, ref)
		got, err := io.ReadAll(readers[0])
		if err != nil || !bytes.Equal(got, data[5:]) {
			t.Errorf("reading on after Delete gives %d bytes of %d, %v", len(got), size-5, err)
		}
		got, err = io.ReadAll(readers[1])
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("first Read after Delete gives %d bytes of %d, %v", len(got), size, err)
		}
		var b bytes.Buffer
		if _, err := io.Copy(&b, readers[2]); err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("Copy after Delete gives %d bytes of %d, %v", b.Len(), size, err)
		}
	}
}

func testList(t *testing.T, e Engine) {
	s := open(t, e)
	wantListed(t, s)
	var refs []segment.Ref
	for i := range 40 {
		refs = append(refs, write(t, s, Content(uint64(i), int64(i)*100)))
	}
	wantListed(t, s, refs...)
	seen := 0
	for _, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 7 {
			break
		}
	}
	if seen != 7 {
		t.Errorf("List yields %d before it is left, want 7", seen)
	}
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), info.ID); err != nil {
			t.Fatalf("Delete while listing: %v", err)
		}
	}
	wantListed(t, s)
}

func testReopen(t *testing.T, e Engine) {
	s := open(t, e)
	want := make(map[segment.Ref][]byte)
	var refs []segment.Ref
	for round := range 3 {
		for i, n := range []int64{0, 1, 64 * kib, 300 * kib} {
			data := Content(uint64(10*round+i), n)
			ref := write(t, s, data)
			want[ref] = data
			refs = append(refs, ref)
		}
		s = reopened(t, e, s)
		for ref, data := range want {
			wantWhole(t, s, ref, data)
		}
		wantListed(t, s, refs...)
	}
}

func testClosed(t *testing.T, e Engine) {
	s := open(t, e)
	data := Content(1, 300*kib)
	ref := write(t, s, data)
	r, err := s.Open(t.Context(), ref, 0, ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("a reader gives %d bytes after Close, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close of a reader after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	_, werr := s.Write(t.Context(), bytes.NewReader(nil))
	_, oerr := s.Open(t.Context(), ref, 0, 1)
	var lerr error
	for _, lerr = range s.List(t.Context()) {
	}
	for name, err := range map[string]error{
		"Write": werr, "Open": oerr, "List": lerr,
		"Delete": s.Delete(t.Context(), ref.ID), "Verify": s.Verify(t.Context(), ref),
	} {
		if !errors.Is(err, segment.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func testClosedReader(t *testing.T, e Engine) {
	s := open(t, e)
	ref := write(t, s, Content(1, 300*kib))
	r, err := s.Open(t.Context(), ref, 0, ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("Read after Close = %d, %v, want an error", n, err)
	}
	if n, err := io.Copy(io.Discard, r); n != 0 || err == nil {
		t.Errorf("Copy after Close = %d, %v, want an error", n, err)
	}
}
