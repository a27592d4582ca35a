package service_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/leasehold/leasehold/internal/wire"
)

// blank is a ResponseWriter that keeps nothing.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) WriteHeader(int)             {}
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }

// replay serves the same signed request again and again.
func (s *store) replay(b *testing.B, method, target string, body []byte, headers ...string) {
	b.Helper()
	r := s.request(method, target, body, headers...)
	w := &blank{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		s.serveOnce(b, w, r, body)
	}
}

func (s *store) serveOnce(b *testing.B, w http.ResponseWriter, r *http.Request, body []byte) {
	if body != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		b.Fatal(err)
	}
	if s.Serve(req); req.Status >= 300 {
		b.Fatalf("%s %s: %d %v", r.Method, r.URL, req.Status, req.Failure)
	}
}

func BenchmarkOperations(b *testing.B) {
	s := newStore(b)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/a", make([]byte, 1024), "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/held", nil, "x-ms-blob-type", "BlockBlob")
	s.lease(201, "", "/box/held", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	s.want(201, "", "PUT", "/list?restype=container", nil)
	for i := range 5000 {
		s.want(201, "", "PUT", fmt.Sprintf("/list/%08d", i), nil, "x-ms-blob-type", "BlockBlob")
	}
	b.Run("properties", func(b *testing.B) { s.replay(b, "HEAD", "/box/a", nil) })
	b.Run("get-1KiB", func(b *testing.B) { s.replay(b, "GET", "/box/a", nil) })
	b.Run("renew", func(b *testing.B) {
		s.replay(b, "PUT", "/box/held?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
	})
	b.Run("put-1KiB", func(b *testing.B) {
		s.replay(b, "PUT", "/box/b", make([]byte, 1024), "x-ms-blob-type", "BlockBlob")
	})
	b.Run("list-5000", func(b *testing.B) { s.replay(b, "GET", "/list?restype=container&comp=list", nil) })
}
