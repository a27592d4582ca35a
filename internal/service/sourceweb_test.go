package service_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
)

// reading makes the store read sources as o says.
func (s *store) reading(o *service.SourceOptions) *store {
	all := s.Service.Options
	all.Sources = o
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
	s := newCopies(t).reading(&service.SourceOptions{AllowPrivate: true})
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
	s.copy(412, "CannotVerifyCopySource", "/box/put", w.URL+"/x", "x-ms-blob-type", "BlockBlob", "x-ms-source-if-none-match", `"one"`)
	s.copy(412, "SourceConditionNotMet", "/box/put", w.URL+"/x", "x-ms-source-if-none-match", `"one"`)
	s.copy(416, "InvalidRange", "/box/block?comp=block&blockid="+base64ID("b"), w.URL+"/x", "x-ms-source-range", "bytes=102400-")
	s.want(201, "", "PUT", "/box/block?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("a")+"</Latest></BlockList>"))
	if got := s.want(200, "", "GET", "/box/block", nil); !bytes.Equal(got.body, data[10:30]) {
		t.Errorf("the range is %q", got.body)
	}
}

func TestSourcesThatMisbehave(t *testing.T) {
	s := newCopies(t).reading(&service.SourceOptions{AllowPrivate: true, MaxBytes: 1000})
	for _, c := range []struct {
		name   string
		status int
		code   string
		serve  http.HandlerFunc
	}{
		{"absent", 404, "CannotVerifyCopySource", http.NotFound},
		{"broken", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
		{"odd status", 412, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		{"too long", 409, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1001)) }},
		{"too long, of unknown length", 413, "RequestBodyTooLarge", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(make([]byte, 1001))
		}},
		{"cut short", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			w.Write(make([]byte, 10))
		}},
		{"metadata that is none", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("x-ms-meta-a-b", "c") }},
		{"redirecting for ever", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", 302) }},
		{"redirecting to a file", 400, "CannotVerifyCopySource", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "file:///etc/passwd", 302) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.copy(c.status, c.code, "/box/dest", web(t, c.serve).URL+"/x")
			s.want(404, "BlobNotFound", "HEAD", "/box/dest", nil)
		})
	}
	s.t = t
	stalled := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "900")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	s.reading(&service.SourceOptions{AllowPrivate: true, Timeout: 50 * time.Millisecond})
	s.copy(400, "CannotVerifyCopySource", "/box/dest", stalled.URL+"/x")
	gone := web(t, http.NotFound)
	gone.Close()
	s.copy(400, "CannotVerifyCopySource", "/box/dest", gone.URL+"/x")
}

// TestRangeOfASimpleServer is about a source that sends all of itself whatever is asked.
func TestRangeOfASimpleServer(t *testing.T) {
	s := newCopies(t).reading(&service.SourceOptions{AllowPrivate: true})
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
	outside := web(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	})
	own, err := netip.ParseAddrPort(outside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := &service.SourceOptions{Resolver: resolver(netip.MustParseAddr("10.1.2.3"))}
	o.Permit(func(at netip.AddrPort) bool { return at == own })
	s := newCopies(t).reading(o)
	s.copy(202, "", "/box/dest", outside.URL+"/x")
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	for _, from := range []string{
		inside.URL + "/x",
		"http://localhost:" + port + "/x",
		"http://0.0.0.0:" + port + "/x",
		"http://[::ffff:127.0.0.1]:" + port + "/x",
		"http://169.254.169.254/latest/meta-data",
		"http://source.example/x",
		outside.URL + "/x?to=" + inside.URL + "/x",
		outside.URL + "/x?to=http://source.example/x",
	} {
		a := s.copy(403, "CannotVerifyCopySource", "/box/dest", from)
		if bytes.Contains(a.body, []byte("10.1.2.3")) {
			t.Errorf("%s tells what is inside: %s", from, a.body)
		}
	}
}

// resolver answers every question for an IPv4 address alike.
func resolver(a netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for answerName(server, a) == nil {
			}
		}()
		return client, nil
	}}
}

// answerName answers one question in the form that DNS has over streams.
func answerName(c net.Conn, a netip.Addr) error {
	var size uint16
	if err := binary.Read(c, binary.BigEndian, &size); err != nil {
		return err
	}
	q := make([]byte, size)
	if _, err := io.ReadFull(c, q); err != nil {
		return err
	}
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	answer := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if ip := a.As4(); q[end-3] == 1 {
		answer[7] = 1
		answer = append(answer, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
