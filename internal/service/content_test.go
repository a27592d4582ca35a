package service_test

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// appended makes an append blob of more short bodies than a read copies beforehand, and returns
// what it holds.
func (s *store) appended(name string, headers ...string) []byte {
	s.t.Helper()
	s.want(201, "", "PUT", name, nil, append([]string{"x-ms-blob-type", "AppendBlob"}, headers...)...)
	var all []byte
	for i := range 160 {
		block := bytes.Repeat([]byte{byte(i), byte(i >> 4)}, service.MaxInline/2)
		s.want(201, "", "PUT", name+"?comp=appendblock", block, headers...)
		all = append(all, block...)
	}
	return all
}

// TestManyShortBodies reads blobs of which only a part is copied before the answer begins.
func TestManyShortBodies(t *testing.T) {
	s := newLoopbackStore(t)
	for name, headers := range map[string][]string{"/box/plain": nil, "/box/sealed": customerKey(1)} {
		all := s.appended(name, headers...)
		if got := s.want(200, "", "GET", name, nil, headers...); !bytes.Equal(got.body, all) {
			t.Errorf("%s: %d of %d bytes, or others", name, len(got.body), len(all))
		}
		got := s.want(206, "", "GET", name, nil, append([]string{"x-ms-range", "bytes=7-1300001"}, headers...)...)
		if !bytes.Equal(got.body, all[7:1300002]) {
			t.Errorf("%s: %d bytes of the range, or others", name, len(got.body))
		}
	}
	copied := s.want(202, "", "PUT", "/box/copy", nil, "x-ms-copy-source", "http://127.0.0.1:10000/"+account+"/box/plain")
	if a, b := s.want(200, "", "GET", "/box/plain", nil), s.want(200, "", "GET", "/box/copy", nil); !bytes.Equal(a.body, b.body) {
		t.Errorf("the copy differs: %v", copied.header)
	}
}

// interrupted is a client that does something before it takes the first bytes.
type interrupted struct {
	*httptest.ResponseRecorder
	first func()
}

func (w *interrupted) Write(p []byte) (int, error) {
	if w.first != nil {
		w.first()
		w.first = nil
	}
	return w.ResponseRecorder.Write(p)
}

// readWhile reads a blob for a client that does something before it takes the first bytes.
func (s *store) readWhile(name string, first func()) (*httptest.ResponseRecorder, *wire.Request) {
	s.t.Helper()
	r := s.request("GET", name, nil)
	w := &interrupted{httptest.NewRecorder(), first}
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Serve(req)
	return w.ResponseRecorder, req
}

// TestDeletedWhileRead: an answer that has begun goes on with what the blob was, as long as the
// sweeper waits. After that it has no more than was copied beforehand, and ends as a failure.
func TestDeletedWhileRead(t *testing.T) {
	s := newLoopbackStore(t)
	remove := func() { s.want(202, "", "DELETE", "/box/one", nil) }
	all := s.appended("/box/one")
	w, req := s.readWhile("/box/one", remove)
	if w.Code != 200 || req.Failure != nil || !bytes.Equal(w.Body.Bytes(), all) {
		t.Errorf("%d, %v, %d of %d bytes, or others", w.Code, req.Failure, w.Body.Len(), len(all))
	}
	all = s.appended("/box/one")
	w, req = s.readWhile("/box/one", func() {
		remove()
		s.sweepAfter(2 * time.Minute)
	})
	if n := w.Body.Len(); req.Failure == nil || n != 1<<20 || !bytes.Equal(w.Body.Bytes(), all[:n]) {
		t.Errorf("after the sweep: %v, %d of %d bytes, or others", req.Failure, n, len(all))
	}
}
