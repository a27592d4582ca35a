package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// handed is a destination that takes files, and counts what it was handed.
type handed struct {
	bytes.Buffer
	files  int
	copied int   // bytes that came by Write
	sent   int64 // bytes that came as a file
}

func (h *handed) Write(p []byte) (int, error) {
	h.copied += len(p)
	return h.Buffer.Write(p)
}

// ReadFrom takes only what net.TCPConn would send without copying.
func (h *handed) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return 0, fmt.Errorf("a %T was handed over", r)
	}
	if _, ok := limited.R.(*os.File); !ok {
		return 0, fmt.Errorf("a %T in an io.LimitedReader was handed over", limited.R)
	}
	h.files++
	n, err := h.Buffer.ReadFrom(r)
	h.sent += n
	return n, err
}

// realStore opens a store on the machine's file system, without syncs, with one segment.
func realStore(t testing.TB, o *Options, data []byte) (*Store, segment.Ref) {
	t.Helper()
	s, err := openOn(lazyFS{}, t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ref, err := s.Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s, ref
}

// sendRange copies a range to a destination that takes files, and checks what arrives.
func sendRange(t testing.TB, s *Store, ref segment.Ref, data []byte, off, n int64) *handed {
	t.Helper()
	r, err := s.Open(t.Context(), ref, off, n)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	h := new(handed)
	if m, err := io.Copy(h, r); err != nil || m != n {
		t.Fatalf("Copy of %d bytes at %d = %d, %v", n, off, m, err)
	}
	if !bytes.Equal(h.Bytes(), data[off:off+n]) {
		t.Fatalf("Copy of %d bytes at %d gives others", n, off)
	}
	return h
}

// TestSend checks which bytes are handed over as a file: those of blocks that were
// checked, once there are enough of them.
func TestSend(t *testing.T) {
	data := segmenttest.Content(1, 40*blockSize+100)
	s, ref := realStore(t, nil, data)
	if h := sendRange(t, s, ref, data, 0, ref.Size); h.sent != 0 {
		t.Errorf("%d bytes were sent before they were checked", h.sent)
	}
	if h := sendRange(t, s, ref, data, 0, ref.Size); h.sent != ref.Size || h.copied != 0 {
		t.Errorf("%d checked bytes were sent and %d copied of %d", h.sent, h.copied, ref.Size)
	}
	if h := sendRange(t, s, ref, data, 77, ref.Size-78); h.sent != ref.Size-78 {
		t.Errorf("%d bytes of a checked range were sent of %d", h.sent, ref.Size-78)
	}
	if h := sendRange(t, s, ref, data, 77, sendMin-1); h.sent != 0 || h.copied != sendMin-1 {
		t.Errorf("%d bytes of a small range were sent, %d copied", h.sent, h.copied)
	}
	s.cache.drop(ref.ID) // forgets what was checked
	sendRange(t, s, ref, data, 10*blockSize, 10*blockSize)
	if h := sendRange(t, s, ref, data, 0, ref.Size); h.sent < sendMin || h.copied == 0 {
		t.Errorf("with some blocks checked, %d bytes were sent and %d copied", h.sent, h.copied)
	}
}

func TestCheckAlwaysSendsNothing(t *testing.T) {
	data := segmenttest.Content(1, 40*blockSize)
	s, ref := realStore(t, &Options{CheckAlways: true}, data)
	for range 3 {
		if h := sendRange(t, s, ref, data, 0, ref.Size); h.sent != 0 {
			t.Errorf("%d bytes were sent unchecked", h.sent)
		}
	}
}

// slow is a destination that is stuck in the middle of a file.
type slow struct {
	handed
	reached chan struct{}
	goOn    chan struct{}
}

func (s *slow) ReadFrom(r io.Reader) (int64, error) {
	if s.files == 0 {
		close(s.reached)
		<-s.goOn
	}
	return s.handed.ReadFrom(r)
}

// TestSendWhileAnotherIsStuck reads by all ways while one reader uses the offset of the
// open file, also after the segment was deleted.
func TestSendWhileAnotherIsStuck(t *testing.T) {
	data := segmenttest.Content(1, 40*blockSize)
	s, ref := realStore(t, nil, data)
	sendRange(t, s, ref, data, 0, ref.Size)
	first := &slow{reached: make(chan struct{}), goOn: make(chan struct{})}
	ended := make(chan error, 1)
	open := func() io.ReadCloser {
		r, err := s.Open(t.Context(), ref, 0, ref.Size)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	r, late := open(), open()
	go func() {
		_, err := io.Copy(first, r)
		ended <- err
	}()
	<-first.reached
	if h := sendRange(t, s, ref, data, 5, reopenMin); h.sent != reopenMin {
		t.Errorf("%d bytes of a large range were sent, want all from a file of their own", h.sent)
	}
	if h := sendRange(t, s, ref, data, 5, reopenMin-1); h.sent != 0 {
		t.Errorf("%d bytes of a middling range were sent, want all copied", h.sent)
	}
	if err := s.Delete(t.Context(), ref.ID); err != nil {
		t.Fatal(err)
	}
	var h handed
	if _, err := io.Copy(&h, late); err != nil || !bytes.Equal(h.Bytes(), data) || h.sent != 0 {
		t.Errorf("Copy after Delete gives %d bytes, %v, of which %d sent", h.Len(), err, h.sent)
	}
	close(first.goOn)
	if err := <-ended; err != nil || !bytes.Equal(first.Bytes(), data) {
		t.Errorf("the reader that was stuck ends with %d bytes, %v", first.Len(), err)
	}
}

// full is a destination that ends.
type full struct {
	handed
	room int64
}

var errDestination = errors.New("destination is full")

func (f *full) ReadFrom(r io.Reader) (int64, error) {
	n, err := f.handed.ReadFrom(io.LimitReader(r.(*io.LimitedReader).R, f.room))
	return n, errors.Join(err, errDestination)
}

// TestSendFails has the destination fail in the middle of a file: its error comes back
// with the count, and the file is good for the next reader.
func TestSendFails(t *testing.T) {
	data := segmenttest.Content(1, 40*blockSize)
	s, ref := realStore(t, nil, data)
	sendRange(t, s, ref, data, 0, ref.Size)
	r, err := s.Open(t.Context(), ref, 0, ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if n, err := io.Copy(&full{room: 1000}, r); n != 1000 || !errors.Is(err, errDestination) {
		t.Errorf("Copy = %d, %v", n, err)
	}
	if h := sendRange(t, s, ref, data, 3, ref.Size-3); h.sent != ref.Size-3 {
		t.Errorf("%d bytes were sent afterwards", h.sent)
	}
}

// TestHTTP reads ranges over HTTP from many connections at once, so that the kernel
// sends from one file to several, and copies are made beside it.
func TestHTTP(t *testing.T) {
	data := segmenttest.Content(1, 5<<20+123)
	s, ref := realStore(t, nil, data)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		off, _ := strconv.ParseInt(req.FormValue("off"), 10, 64)
		n, _ := strconv.ParseInt(req.FormValue("n"), 10, 64)
		r, err := s.Open(req.Context(), ref, off, n)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = r.Close() }()
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		_, _ = io.Copy(w, r) // the client sees a body cut short
	}))
	defer srv.Close()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		rnd := rand.New(rand.NewPCG(uint64(i), 5))
		wg.Go(func() {
			for range 15 {
				off := rnd.Int64N(ref.Size)
				n := rnd.Int64N(ref.Size-off) + 1
				if errs[i] = getRange(srv, data, off, n); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// getRange asks the server of TestHTTP for a range and checks it.
func getRange(srv *httptest.Server, data []byte, off, n int64) error {
	url := fmt.Sprintf("%s/?off=%d&n=%d", srv.URL, off, n)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, data[off:off+n]) {
		return fmt.Errorf("%d bytes at %d: %d others, %w", n, off, len(got), err)
	}
	return nil
}
