package service_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/service"
)

// reading makes the store read sources as o says.
func (s *store) reading(o fetch.Options) *store {
	all := s.Service.Options
	all.Sources, all.MaxSource = o, 1<<20
	s.Service = service.New(all)
	return s
}

// web serves what a test says.
func web(t *testing.T, f http.HandlerFunc) *httptest.Server {
	w := httptest.NewServer(f)
	t.Cleanup(w.Close)
	return w
}

func TestCopyFromElsewhere(t *testing.T) {
	s := newCopies(t).reading(fetch.Options{AllowPrivate: true})
	data := content(100 << 10)
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Type", "text/x-test")
		w.Header().Set("x-ms-meta-k", "v")
		w.Header().Set("x-ms-blob-type", strings.TrimPrefix(r.URL.Path, "/"))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
	s.copy(202, "", "/box/copy", w.URL+"/BlockBlob?sig=secret")
	got := s.want(200, "", "GET", "/box/copy", nil)
	if !bytes.Equal(got.body, data) || got.get("Content-Type") != "text/x-test" || got.get("x-ms-meta-k") != "v" || got.get("x-ms-copy-source") != w.URL+"/BlockBlob" {
		t.Errorf("the copy has %d bytes and %v", len(got.body), got.header)
	}
	s.copy(202, "", "/box/log", w.URL+"/AppendBlob")
	if got := s.want(200, "", "GET", "/box/log", nil); !bytes.Equal(got.body, data) || got.get("x-ms-blob-type") != "AppendBlob" {
		t.Errorf("the copy has %d bytes and %v", len(got.body), got.header)
	}
	s.copy(409, "InvalidSourceBlobType", "/box/disk", w.URL+"/PageBlob")
	s.copy(201, "", "/box/block?comp=block&blockid="+base64ID("a"), w.URL+"/x", "x-ms-source-range", "bytes=10-29")
	s.copy(201, "", "/box/put", w.URL+"/x", "x-ms-blob-type", "BlockBlob", "x-ms-source-if-match", `"one"`)
	s.copy(412, "SourceConditionNotMet", "/box/put", w.URL+"/x", "x-ms-blob-type", "BlockBlob", "x-ms-source-if-match", `"two"`)
	s.copy(304, "CannotVerifyCopySource", "/box/put", w.URL+"/x", "x-ms-blob-type", "BlockBlob", "x-ms-source-if-none-match", `"one"`)
	s.copy(412, "SourceConditionNotMet", "/box/put", w.URL+"/x", "x-ms-source-if-none-match", `"one"`)
	s.copy(416, "InvalidRange", "/box/block?comp=block&blockid="+base64ID("b"), w.URL+"/x", "x-ms-source-range", "bytes=102400-")
	s.want(201, "", "PUT", "/box/block?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("a")+"</Latest></BlockList>"))
	if got := s.want(200, "", "GET", "/box/block", nil); !bytes.Equal(got.body, data[10:30]) {
		t.Errorf("the range is %q", got.body)
	}
}

// TestSourcesThatMisbehave changes nothing by what it reads; package fetch has more of the kind.
func TestSourcesThatMisbehave(t *testing.T) {
	s := newCopies(t).reading(fetch.Options{AllowPrivate: true})
	for _, c := range []struct {
		name   string
		status int
		code   string
		serve  http.HandlerFunc
	}{
		{"absent", 404, "CannotVerifyCopySource", http.NotFound},
		{"too long", 409, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1<<20+1))
			w.Write(make([]byte, 1<<20+1))
		}},
		{"too long, of unknown length", 413, "RequestBodyTooLarge", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(make([]byte, 1<<20+1))
		}},
		{"cut short", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			w.Write(make([]byte, 10))
		}},
		{"metadata that is none", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("x-ms-meta-a-b", "c") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.copy(c.status, c.code, "/box/dest", web(t, c.serve).URL+"/x")
			s.want(404, "BlobNotFound", "HEAD", "/box/dest", nil)
		})
	}
}

// TestRangeOfASimpleServer is about a source that sends all of itself whatever is asked.
func TestRangeOfASimpleServer(t *testing.T) {
	s := newCopies(t).reading(fetch.Options{AllowPrivate: true})
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "0123456789")
	})
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	for _, path := range []string{"/sized", "/chunked"} {
		s.copy(201, "", "/box/log?comp=appendblock", w.URL+path, "x-ms-source-range", "bytes=2-4")
		s.copy(201, "", "/box/log?comp=appendblock", w.URL+path, "x-ms-source-range", "bytes=8-")
		s.copy(416, "InvalidRange", "/box/log?comp=appendblock", w.URL+path, "x-ms-source-range", "bytes=11-")
	}
	if got := s.want(200, "", "GET", "/box/log", nil); string(got.body) != "2348923489" {
		t.Errorf("appended %q", got.body)
	}
}

// TestGuardOfSources tries to reach what only the server can reach.
func TestGuardOfSources(t *testing.T) {
	inside := web(t, func(http.ResponseWriter, *http.Request) { t.Error("a source inside was read") })
	s := newCopies(t).reading(fetch.Options{})
	s.copy(403, "CannotVerifyCopySource", "/box/dest", inside.URL+"/x")
	s.copy(403, "CannotVerifyCopySource", "/box/block?comp=block&blockid="+base64ID("a"), inside.URL+"/x")
	s.want(404, "BlobNotFound", "HEAD", "/box/dest", nil)
}
