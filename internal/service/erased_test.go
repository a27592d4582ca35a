package service_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/wire"
)

// TestDatesOfUncommittedBlobs: conditions on dates are judged although nothing is committed,
// those on ETags find none.
func TestDatesOfUncommittedBlobs(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	list := []byte("<BlockList><Latest>" + base64ID("a") + "</Latest></BlockList>")
	commit := func(status int, code, name, value string) {
		t.Helper()
		s.want(status, code, "PUT", "/box/one?comp=blocklist", list, name, value)
	}
	const before, after = "Tue, 03 Mar 2026 07:59:00 GMT", "Tue, 03 Mar 2026 08:01:00 GMT"
	commit(400, "InvalidBlockList", "If-Modified-Since", after) // no blob at all: the condition is skipped
	for _, met := range []struct{ name, value string }{
		{"If-Modified-Since", before}, {"If-Unmodified-Since", after}, {"If-None-Match", "*"}, {"If-None-Match", `"0x1"`},
	} {
		s.want(201, "", "PUT", "/box/one?comp=block&blockid="+base64ID("a"), []byte("x"))
		commit(412, "ConditionNotMet", "If-Modified-Since", after)
		commit(412, "ConditionNotMet", "If-Unmodified-Since", before)
		commit(412, "ConditionNotMet", "If-Match", "*")
		s.want(404, "BlobNotFound", "HEAD", "/box/one", nil)
		commit(201, "", met.name, met.value)
		s.want(202, "", "DELETE", "/box/one", nil)
	}
}

// TestErasedContentType looks at the answers as the HTTP library sends them: it would guess
// a type where none is given.
func TestErasedContentType(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/one", []byte("<html>"), "x-ms-blob-type", "BlockBlob", "x-ms-blob-content-type", "text/x-test")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := wire.NewRequest(w, r, s.Now(), nil)
		if err != nil {
			t.Error(err)
		}
		s.Serve(req)
	}))
	defer server.Close()
	shown := func(blob, want string) {
		t.Helper()
		for _, method := range []string{"HEAD", "GET"} {
			r := s.request(method, blob, nil)
			sent, err := http.NewRequestWithContext(t.Context(), method, server.URL+r.URL.RequestURI(), nil)
			if err != nil {
				t.Fatal(err)
			}
			sent.Header = r.Header
			a, err := http.DefaultClient.Do(sent)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, a.Body)
			a.Body.Close()
			if got, ok := a.Header["Content-Type"]; a.StatusCode != 200 || ok != (want != "") || ok && got[0] != want {
				t.Errorf("%s %s: %d, type %q, want %q", method, blob, a.StatusCode, got, want)
			}
		}
	}
	list := func() string {
		return string(s.want(200, "", "GET", "/box?restype=container&comp=list", nil).body)
	}
	shown("/box/one", "text/x-test")
	s.want(200, "", "PUT", "/box/one?comp=properties", nil)
	shown("/box/one", "")
	if got := list(); !strings.Contains(got, "<Content-Type />") {
		t.Error(got)
	}
	s.copy(202, "", "/box/copy", here+"/box/one")
	shown("/box/copy", "")
	s.copy(201, "", "/box/pulled", s.source("/box/one", "r"), "x-ms-blob-type", "BlockBlob")
	shown("/box/pulled", "")
	s.copy(201, "", "/box/pulled", s.source("/box/one", "r"), "x-ms-blob-type", "BlockBlob", "x-ms-copy-source-blob-properties", "false")
	shown("/box/pulled", "application/octet-stream")
	s.step(time.Second)
	s.want(200, "", "PUT", "/box/one?comp=properties", nil, "x-ms-blob-content-type", "text/plain")
	shown("/box/one", "text/plain")
	s.want(201, "", "PUT", "/box/plain", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")
	s.want(200, "", "PUT", "/box/plain?comp=properties", nil, "x-ms-blob-content-length", "1024")
	shown("/box/plain", "application/octet-stream")
}
