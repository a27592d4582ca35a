package service_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/wire"
)

// inBatch makes a signed request to stand in a batch, whose path begins with the account.
func (s *store) inBatch(method, target string, headers ...string) string {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:10000/"+account+target, nil)
	r.Header.Set("x-ms-date", s.clock.Now().Format(http.TimeFormat))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if !r.URL.Query().Has("sig") {
		sign(s.t, r)
	}
	return rawRequest(r)
}

func rawRequest(r *http.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, r.URL.RequestURI())
	for name := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", name, r.Header.Get(name))
	}
	return b.String() + "Content-Length: 0\r\n\r\n"
}

// batchOf puts requests into the body of a batch.
func batchOf(requests ...string) []byte {
	var b bytes.Buffer
	for i, r := range requests {
		fmt.Fprintf(&b, "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: %d\r\n\r\n%s\r\n", i, r)
	}
	b.WriteString("--b--\r\n")
	return b.Bytes()
}

// batch sends a batch and returns status and code of the single answers.
func (s *store) batch(target string, requests ...string) (out []string) {
	s.t.Helper()
	a := s.want(202, "", "POST", target, batchOf(requests...), "Content-Type", "multipart/mixed; boundary=b")
	_, params, err := mime.ParseMediaType(a.get("Content-Type"))
	if err != nil {
		s.t.Fatal(err)
	}
	in := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
	for {
		part, err := in.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil || part.Header.Get("Content-ID") != fmt.Sprint(len(out)) {
			s.t.Fatalf("%v, %v in %s", err, part, a.body)
		}
		// The line end that ends the header may have been taken for that of the boundary.
		r, err := http.ReadResponse(bufio.NewReader(io.MultiReader(part, strings.NewReader("\r\n"))), nil)
		if err != nil {
			s.t.Fatalf("%v in %s", err, a.body)
		}
		if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode >= 400 && len(body) != int(r.ContentLength) {
			s.t.Fatalf("%v, %d bytes of %d", err, len(body), r.ContentLength)
		}
		if r.Header.Get("x-ms-request-id") == "" || r.Header.Get("x-ms-version") != "2026-12-06" {
			s.t.Errorf("%v", r.Header)
		}
		out = append(out, strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", r.Header.Get("x-ms-error-code"))))
	}
	return out
}

func batchStore(t *testing.T) *store {
	s := newStore(t)
	for _, name := range []string{"/box", "/other"} {
		s.want(201, "", "PUT", name+"?restype=container", nil)
		for _, blob := range []string{"/1", "/2%20b", "/3"} {
			s.want(201, "", "PUT", name+blob, []byte("x"), "x-ms-blob-type", "BlockBlob")
		}
	}
	return s
}

func TestBatch(t *testing.T) {
	s := batchStore(t)
	lease := s.want(201, "", "PUT", "/box/3?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1").get("x-ms-lease-id")
	same := func(got []string, want ...string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	tier := func(path string) string { return s.inBatch("PUT", path+"?comp=tier", "x-ms-access-tier", "Cool") }
	same(s.batch("/?comp=batch", tier("/box/1"), tier("/other/2%20b"), tier("/box/none"), tier("/none/1")),
		"200", "200", "404 BlobNotFound", "404 ContainerNotFound")
	if got := s.want(200, "", "HEAD", "/other/2%20b", nil).get("x-ms-access-tier"); got != "Cool" {
		t.Error(got)
	}
	short := httptest.NewRequest("DELETE", "http://127.0.0.1:10000/other/1", nil) // without the account, as some clients send it
	short.Header.Set("x-ms-date", s.clock.Now().Format(http.TimeFormat))
	sign(t, short)
	forged := strings.Replace(s.inBatch("DELETE", "/other/3"), "SharedKey acct:", "SharedKey acct:AAAA", 1)
	same(s.batch("/?comp=batch", s.inBatch("DELETE", "/box/2%20b"), rawRequest(short), forged, s.inBatch("DELETE", "/box/3")),
		"202", "202", "403 AuthenticationFailed", "412 LeaseIdMissing")
	same(s.batch("?restype=container&comp=batch", s.inBatch("DELETE", "/none/1")), "404 ContainerNotFound")
	same(s.batch("/box?restype=container&comp=batch", s.inBatch("DELETE", "/box/3", "x-ms-lease-id", lease)), "202")
	s.want(404, "BlobNotFound", "HEAD", "/box/2%20b", nil)
	s.want(404, "BlobNotFound", "HEAD", "/other/1", nil)
	s.want(200, "", "HEAD", "/other/3", nil)

	// A container's signature serves for a batch within it, each request by its own; not for one of
	// the account.
	sas := s.sas("box", "d")
	same(s.batch("/box?restype=container&comp=batch&"+sas, s.inBatch("DELETE", "/box/1?"+s.sas("box", "r")), s.inBatch("DELETE", "/box/1?"+sas)),
		"403 AuthorizationPermissionMismatch", "202")
	s.want(403, "AuthenticationFailed", "POST", "/?comp=batch&"+sas, batchOf(s.inBatch("DELETE", "/box/1?"+sas)), "Content-Type", "multipart/mixed; boundary=b")
}

// TestBatchTellsItsParts: the requests of a batch are told one by one, with what became of
// each.
func TestBatchTellsItsParts(t *testing.T) {
	s := batchStore(t)
	r := s.request("POST", "/?comp=batch", batchOf(s.inBatch("DELETE", "/box/1"), s.inBatch("DELETE", "/box/none")), "Content-Type", "multipart/mixed; boundary=b")
	outer, err := wire.NewRequest(httptest.NewRecorder(), r, s.clock.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	told := map[string]int{}
	outer.NotePart = func(part *wire.Request, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		told[fmt.Sprint(part.Operation, " ", part.Status)]++
		if part.PartOf != outer || part.ID == outer.ID || took < 0 {
			t.Errorf("told of %+v", part)
		}
	}
	s.Serve(outer)
	if outer.Status != 202 || len(told) != 2 || told["Blob_Delete 202"] != 1 || told["Blob_Delete 404"] != 1 {
		t.Errorf("%d, told %v", outer.Status, told)
	}
}

// TestBatchOfNothingAndOfBothKinds: each has one answer, which is of no request in it, and changes
// nothing.
func TestBatchOfNothingAndOfBothKinds(t *testing.T) {
	s := batchStore(t)
	mixed := batchOf(s.inBatch("DELETE", "/box/1"), s.inBatch("PUT", "/box/1?comp=tier", "x-ms-access-tier", "Cool"))
	for code, body := range map[string][]byte{"InvalidInput": batchOf(), "AllBatchSubRequestsShouldBeSameApi": mixed} {
		a := s.want(202, "", "POST", "/?comp=batch", body, "Content-Type", "multipart/mixed; boundary=b")
		text := string(a.body)
		if strings.Count(text, "HTTP/1.1 ") != 1 || !strings.Contains(text, "\r\n\r\nHTTP/1.1 400 ") || strings.Contains(text, "Content-ID") ||
			!strings.Contains(text, "x-ms-error-code: "+code+"\r\n") || !strings.Contains(text, "<Code>"+code+"</Code>") {
			t.Errorf("%s: %s", code, text)
		}
	}
	s.want(200, "", "HEAD", "/box/1", nil)
}

// TestBatchPartsOfUnreadablePaths: they are refused alone.
func TestBatchPartsOfUnreadablePaths(t *testing.T) {
	s := batchStore(t)
	unreadable := func(path string) string {
		return strings.Replace(s.inBatch("DELETE", "/box/1"), "/box/1 HTTP", path+" HTTP", 1)
	}
	got := s.batch("/?comp=batch", unreadable("/box/\u00fc"), s.inBatch("DELETE", "/box/3"), unreadable("/box/%zz"))
	if fmt.Sprint(got) != "[400 InvalidUri 202 400 InvalidUri]" {
		t.Errorf("%q", got)
	}
	s.want(404, "BlobNotFound", "HEAD", "/box/3", nil)
	s.want(400, "InvalidInput", "POST", "/?comp=batch", batchOf(unreadable("/box/a b"), s.inBatch("DELETE", "/box/1")), "Content-Type", "multipart/mixed; boundary=b")
	s.want(200, "", "HEAD", "/box/1", nil)
}

// TestBatchFraming: an answer stands in its part as the service writes it, line for line.
func TestBatchFraming(t *testing.T) {
	s := batchStore(t)
	a := s.want(202, "", "POST", "/?comp=batch", batchOf(s.inBatch("DELETE", "/box/1"), s.inBatch("DELETE", "/box/none")), "Content-Type", "multipart/mixed; boundary=b")
	_, params, err := mime.ParseMediaType(a.get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	guid := regexp.MustCompile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
	text := guid.ReplaceAllString(strings.ReplaceAll(string(a.body), params["boundary"], "B"), "ID")
	const head = "--B\r\nContent-Type: application/http\r\nContent-ID: "
	want := head + "0\r\n\r\nHTTP/1.1 202 Accepted\r\nx-ms-delete-type-permanent: true\r\nx-ms-request-id: ID\r\nx-ms-version: 2026-12-06\r\n" +
		"Server: Windows-Azure-Blob/1.0\r\n\r\n" +
		head + "1\r\n\r\nHTTP/1.1 404 The specified blob does not exist.\r\nx-ms-error-code: BlobNotFound\r\nx-ms-request-id: ID\r\n" +
		"x-ms-version: 2026-12-06\r\nContent-Length: "
	rest, ok := strings.CutPrefix(text, want)
	if !ok || !strings.Contains(rest, "\r\nContent-Type: application/xml\r\nServer: Windows-Azure-Blob/1.0\r\n\r\n\uFEFF<?xml") ||
		!strings.HasSuffix(rest, "</Error>\r\n--B--") {
		t.Errorf("%q\nwant %q", text, want)
	}
}

func TestBatchRefused(t *testing.T) {
	s := batchStore(t)
	remove := s.inBatch("DELETE", "/box/1")
	many := make([]string, 257)
	for i := range many {
		many[i] = remove
	}
	for name, body := range map[string][]byte{
		"too many":        batchOf(many...),
		"another kind":    batchOf(s.inBatch("GET", "/box/1")),
		"container":       batchOf(s.inBatch("DELETE", "/box?restype=container")),
		"other container": batchOf(remove, s.inBatch("DELETE", "/other/1")),
		"version":         batchOf(s.inBatch("DELETE", "/box/1", "x-ms-version", "2019-02-02")),
		"cut":             batchOf(remove)[:100],
		"host":            batchOf("DELETE http://127.0.0.1/acct/box/1 HTTP/1.1\r\n\r\n"),
		"body":            batchOf("DELETE /acct/box/1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
		"nonsense":        batchOf("DELETE"),
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.want(400, "InvalidInput", "POST", "/box?restype=container&comp=batch", body, "Content-Type", "multipart/mixed; boundary=b")
		})
	}
	s.t = t
	s.want(400, "MissingRequiredHeader", "POST", "/?comp=batch", batchOf(remove))
	s.want(400, "InvalidHeaderValue", "POST", "/?comp=batch", batchOf(remove), "Content-Type", "application/json")
	s.want(413, "RequestBodyTooLarge", "POST", "/?comp=batch", make([]byte, 4<<20+1), "Content-Type", "multipart/mixed; boundary=b")
	s.want(200, "", "HEAD", "/box/1", nil)
	s.step(20 * time.Minute) // a request is as old as its own date says
	aged := batchOf(remove)
	if a := s.want(202, "", "POST", "/?comp=batch", aged, "Content-Type", "multipart/mixed; boundary=b"); !bytes.Contains(a.body, []byte("HTTP/1.1 403 ")) {
		t.Errorf("%s", a.body)
	}
}
