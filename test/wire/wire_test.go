// Package wire replays golden transcripts: text files of requests and of the answers
// that the whole server, from the HTTP layer to the store in memory, gave to them.
// They show a reader what goes over the wire, and a reviewer every byte that a
// change alters.
//
// A transcript in testdata is made of lines:
//
//	# a comment
//	> PUT /acct/box?restype=container        a request: method and target,
//	> x-ms-meta-owner: me                    headers,
//	>                                        and after an empty line the body
//	< 201                                    the answer: status, headers, body
//	+ 15s                                    time passes
//
// ${Name} in a request stands for the value of that header in the last answer that
// had it. A request without Authorization is signed; one with an empty Authorization is
// sent without. Headers that every answer has are left out, except in a transcript with
// the line "all headers". go test ./test/wire -update writes the answers anew.
package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv/mem"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
)

var update = flag.Bool("update", false, "write the answers into the transcripts")

const (
	version = "2026-12-06"
	secret  = "bm90IGEgc2VjcmV0" // the account's key
)

// everywhere are the headers of every answer.
var everywhere = []string{"Date", "Server", "x-ms-request-id", "x-ms-version"}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { replay(t, file) })
	}
}

// replay runs a transcript against a fresh server and compares, or writes, its answers.
func replay(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newSpeaker(t)
	var got strings.Builder
	var request []string
	flush := func() {
		if request != nil {
			got.WriteString(s.exchange(request))
			request = nil
		}
	}
	for line := range strings.Lines(string(want)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, ">"):
			request = append(request, strings.TrimPrefix(strings.TrimPrefix(line, ">"), " "))
		case strings.HasPrefix(line, "<"):
			continue // written anew
		default:
			flush()
			s.direct(line)
		}
		got.WriteString(line + "\n")
	}
	flush()
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(want) {
		t.Errorf("%s", firstDifference(string(want), got.String()))
	}
}

// firstDifference shows where the answers begin to differ, with the request before.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	start := i
	for start > 0 && !strings.HasPrefix(w[min(start, len(w)-1)], ">") {
		start--
	}
	for start > 0 && strings.HasPrefix(w[start-1], ">") {
		start--
	}
	part := func(lines []string) string { return strings.Join(lines[start:min(i+8, len(lines))], "\n") }
	return fmt.Sprintf("line %d differs (-update accepts it)\nwant:\n%s\ngot:\n%s", i+1, part(w), part(g))
}

// A speaker sends requests to a server of its own, on a clock that only it moves.
type speaker struct {
	t       *testing.T
	now     time.Time
	handler http.Handler
	key     []byte
	last    http.Header // the last value of every header seen
	etags   []string    // ETags in the order in which they appeared
	all     bool        // show all headers
}

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	s := &speaker{t: t, now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC), last: make(http.Header)}
	var err error
	if s.key, err = base64.StdEncoding.DecodeString(secret); err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return s.now }
	db := mem.Open(&mem.Options{Clock: clock})
	t.Cleanup(func() { db.Close() })
	account := &auth.Account{Name: "acct", Keys: []*auth.Key{key}, AllowPublicAccess: true}
	svc := service.New(service.Options{
		DB:       db,
		Segments: segments.New(nil),
		Accounts: func(name string) *auth.Account {
			if name != account.Name {
				return nil
			}
			return account
		},
		Random: rand.NewChaCha8([32]byte{}), // the same IDs in every run
		Now:    clock,
	})
	s.handler = server.New(svc.Serve, &server.Options{Now: clock})
	return s
}

// direct obeys a line that is neither request nor answer.
func (s *speaker) direct(line string) {
	s.t.Helper()
	switch {
	case line == "", strings.HasPrefix(line, "#"):
	case line == "all headers":
		s.all = true
	case strings.HasPrefix(line, "+"):
		d, err := time.ParseDuration(strings.TrimSpace(line[1:]))
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	default:
		s.t.Fatalf("%q is no line of a transcript", line)
	}
}

// etag matches an ETag. Its digits are ticks of the store's clock, which also count
// what the store does for itself, so transcripts number ETags instead.
var etag = regexp.MustCompile(`0x8[0-9A-F]{14}`)

func (s *speaker) numberETags(text string) string {
	return etag.ReplaceAllStringFunc(text, func(tag string) string {
		i := slices.Index(s.etags, tag)
		if i < 0 {
			i = len(s.etags)
			s.etags = append(s.etags, tag)
		}
		return fmt.Sprintf("(ETag %d)", i+1)
	})
}

var variable = regexp.MustCompile(`\$\{([^}]+)\}`)

// exchange sends a request and returns the lines of the answer.
func (s *speaker) exchange(lines []string) string {
	s.t.Helper()
	for i, line := range lines {
		lines[i] = variable.ReplaceAllStringFunc(line, func(v string) string {
			values := s.last[v[2:len(v)-1]]
			if values == nil {
				s.t.Fatalf("%q: no answer had this header", line)
			}
			return values[0]
		})
	}
	method, target, _ := strings.Cut(lines[0], " ")
	head, body := lines[1:], ""
	if i := slices.Index(head, ""); i >= 0 {
		head, body = head[:i], strings.Join(head[i+1:], "\n")
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:10000" // or what a header host says
	r.Header.Set("x-ms-version", version)
	r.Header.Set("x-ms-date", s.now.Format(http.TimeFormat))
	if method == "PUT" || method == "POST" {
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	for _, h := range head {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			s.t.Fatalf("%q is no header", h)
		}
		if value = strings.TrimSpace(value); name == "host" {
			r.Host = value
		} else if value == "" {
			r.Header.Del(name)
			r.Header[name] = nil
		} else {
			r.Header.Set(name, value)
		}
	}
	if _, given := r.Header["Authorization"]; !given {
		s.sign(r)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return s.render(w.Result())
}

// sign adds an Authorization header of the kind Shared Key Lite.
func (s *speaker) sign(r *http.Request) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%s\n%s\n\n", r.Method, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"))
	var names []string
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") && r.Header.Get(name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s:%s\n", name, r.Header.Get(name))
	}
	text.WriteString("/acct" + r.URL.EscapedPath())
	if comp := r.URL.Query().Get("comp"); comp != "" {
		text.WriteString("?comp=" + comp)
	}
	mac := hmac.New(sha256.New, s.key)
	io.WriteString(mac, text.String())
	r.Header.Set("Authorization", "SharedKeyLite acct:"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// render writes an answer as it stands in a transcript.
func (s *speaker) render(res *http.Response) string {
	s.t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	// Chance decides this part of an answer.
	if id := res.Header["x-ms-request-id"]; len(id) == 1 {
		body = bytes.ReplaceAll(body, []byte(id[0]), []byte("(request ID)"))
		id[0] = "(request ID)"
	} else {
		s.t.Errorf("x-ms-request-id: %q, want one", id)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "< %d\n", res.StatusCode)
	var names []string
	for name, values := range res.Header {
		s.last[name] = values
		if s.all || !slices.Contains(everywhere, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	for _, name := range names {
		for _, value := range res.Header[name] {
			fmt.Fprintf(&out, "< %s: %s\n", name, value)
		}
	}
	if len(body) == 0 {
		return s.numberETags(out.String())
	}
	out.WriteString("<\n")
	body = bytes.Replace(body, []byte("\ufeff"), []byte("(byte order mark)"), 1)
	for line := range strings.Lines(string(body)) {
		out.WriteString(strings.TrimRight("< "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	return s.numberETags(out.String())
}
