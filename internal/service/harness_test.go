package service_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

const (
	account = "acct"
	key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// clock is a clock that a test sets forward.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	virtual bool // time is that of the bubble the test runs in
}

func (c *clock) Now() time.Time {
	if c.virtual {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is a service over engines in memory, spoken to as a client would.
type store struct {
	t testing.TB
	*clock
	*service.Service
	remote string // address of the client; "" for any
	broken bool   // the test has broken the store, so that an answer may be of the 500s
}

func newStore(t testing.TB) *store {
	return newStoreAt(t, &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)})
}

func newStoreAt(t testing.TB, c *clock) *store {
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	return newStoreOn(t, c, db, segments.New(nil))
}

// newStoreOn makes a store of given engines.
func newStoreOn(t testing.TB, c *clock, db kv.DB, bodies segment.Store) *store {
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	owner := &auth.Account{Name: account, Keys: []*auth.Key{k}}
	s := service.New(service.Options{
		DB:       db,
		Segments: bodies,
		Accounts: func(name string) *auth.Account {
			if name != account {
				return nil
			}
			return owner
		},
		Random: rand.Reader,
		Now:    c.Now,
	})
	if err := meta.Prepare(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	st := &store{t: t, clock: c, Service: s}
	t.Cleanup(func() { st.check(db, bodies) })
	return st
}

// check holds what is stored against the layout.
func (s *store) check(db kv.DB, bodies segment.Store) {
	if s.broken || s.t.Failed() {
		return
	}
	c := meta.Checker{DB: db, Segments: bodies, Report: func(f meta.Finding) { s.t.Errorf("stored: %+v", f) }}
	if _, err := c.Run(context.Background()); err != nil {
		s.t.Error(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) code() string { return a.get("x-ms-error-code") }

// get returns a header by its name as written.
func (a *answer) get(name string) string {
	if v := a.header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// do sends a request; headers alternate names and values.
func (s *store) do(method, target string, body []byte, headers ...string) *answer {
	s.t.Helper()
	return s.serve(s.request(method, target, body, headers...))
}

// serve sends a request that was made.
func (s *store) serve(r *http.Request) *answer {
	s.t.Helper()
	if s.remote != "" {
		r.RemoteAddr = s.remote
	}
	w := httptest.NewRecorder()
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		wire.WriteError(req, err)
	} else {
		s.Serve(req)
	}
	if w.Code >= 500 && !s.broken {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, req.Failure)
	}
	return &answer{w.Code, w.Header(), w.Body.Bytes()}
}

// request makes a request, signed unless it has a signature or a token.
func (s *store) request(method, target string, body []byte, headers ...string) *http.Request {
	s.t.Helper()
	scheme := "http"
	if slices.Contains(headers, "Authorization") {
		scheme = "https"
	}
	r := httptest.NewRequest(method, scheme+"://127.0.0.1:10000/"+account+target, bytes.NewReader(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	r.Header.Set("x-ms-version", "2026-12-06")
	r.Header.Set("x-ms-date", s.clock.Now().Format(http.TimeFormat))
	for i := 0; i < len(headers); i += 2 {
		if name, again := strings.CutPrefix(headers[i], "+"); again {
			r.Header.Add(name, headers[i+1])
		} else {
			r.Header.Set(name, headers[i+1])
		}
	}
	if !r.URL.Query().Has("sig") && r.TLS == nil {
		sign(s.t, r)
	}
	return r
}

// sas returns the query of a service SAS for a container with the given permissions.
func (s *store) sas(container, permissions string) string {
	k, err := auth.ParseKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	expiry, version := s.clock.Now().Add(time.Hour).Format(time.RFC3339), "2020-12-06"
	text := strings.Join([]string{permissions, "", expiry, "/blob/" + account + "/" + container, "", "", "", version, "c",
		"", "", "", "", "", "", ""}, "\n")
	return url.Values{"sp": {permissions}, "se": {expiry}, "sv": {version}, "sr": {"c"}, "sig": {k.Sign([]byte(text))}}.Encode()
}

// sign signs a request as the documentation of Shared Key says.
func sign(t testing.TB, r *http.Request) {
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	length := r.Header.Get("Content-Length")
	if length == "0" {
		length = ""
	}
	h := r.Header
	lines := []string{r.Method, h.Get("Content-Encoding"), h.Get("Content-Language"), length, h.Get("Content-MD5"),
		h.Get("Content-Type"), h.Get("Date"), h.Get("If-Modified-Since"), h.Get("If-Match"), h.Get("If-None-Match"),
		h.Get("If-Unmodified-Since"), h.Get("Range")}
	if h.Get("x-ms-date") != "" {
		lines[6] = ""
	}
	var custom []string
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") {
			custom = append(custom, name)
		}
	}
	slices.Sort(custom)
	for _, name := range custom {
		lines = append(lines, name+":"+strings.Join(h.Values(name), ","))
	}
	resource := "/" + account + r.URL.EscapedPath()
	query := r.URL.Query()
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(query[name])
		resource += "\n" + strings.ToLower(name) + ":" + strings.Join(query[name], ",")
	}
	text := strings.Join(append(lines, resource), "\n")
	h.Set("Authorization", "SharedKey "+account+":"+k.Sign([]byte(text)))
}

// want sends a request and checks status and error code.
func (s *store) want(status int, code, method, target string, body []byte, headers ...string) *answer {
	s.t.Helper()
	a := s.do(method, target, body, headers...)
	if a.status != status || a.code() != code {
		s.t.Fatalf("%s %s %q: %d %s, want %d %s\n%s", method, target, headers, a.status, a.code(), status, code, a.body)
	}
	return a
}

func unmarshal[T any](t testing.TB, a *answer) *T {
	t.Helper()
	v := new(T)
	if err := xml.Unmarshal(bytes.TrimPrefix(a.body, []byte("\xEF\xBB\xBF")), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

func base64ID(id string) string { return base64.StdEncoding.EncodeToString([]byte(id)) }
