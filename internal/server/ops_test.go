package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// ask asks a handler.
func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestMetrics(t *testing.T) {
	s := New(func(r *wire.Request) {
		if r.Query.Has("fail") {
			r.Operation = "Test"
			wire.WriteError(r, fault.LeaseAlreadyPresent)
			return
		}
		answer(r)
	}, nil)
	for _, target := range []string{"/a/c/b", "/a/c/b", "/a/c/b?fail", "//"} {
		ask(s, "GET", target)
	}
	s.Registerer().MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "of_an_engine", Help: "x"}, func() float64 { return 7 }))
	w := ask(s.OpsHandler(), "GET", "/metrics")
	for _, want := range []string{
		`leasehold_requests_total{code="",operation="Test",status="200"} 2`,
		`leasehold_requests_total{code="LeaseAlreadyPresent",operation="Test",status="409"} 1`,
		`leasehold_requests_total{code="InvalidUri",operation="",status="400"} 1`,
		`leasehold_request_duration_seconds_count{operation="Test"} 3`,
		"leasehold_requests_active 0", "leasehold_connections 0", "leasehold_sent_bytes_total", "of_an_engine 7", "go_goroutines",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

// TestPartsAreCounted: what came within a batch is counted and logged by its own operation,
// but its bytes are not counted again.
func TestPartsAreCounted(t *testing.T) {
	var log bytes.Buffer
	s := New(func(r *wire.Request) {
		for i := range 3 {
			part := &wire.Request{Request: httptest.NewRequest("DELETE", "/a/c/b", nil), ID: fmt.Sprint("part", i), PartOf: r}
			part.Operation, part.Status, part.Sent = "Inner", 202, 1000
			r.NotePart(part, time.Second)
		}
		answer(r)
		r.Operation = "Outer"
	}, &Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	id := ask(s, "GET", "/a/c/b").Header()["x-ms-request-id"][0]
	w := ask(s.OpsHandler(), "GET", "/metrics")
	for _, want := range []string{
		`leasehold_batch_parts_total{code="",operation="Inner",status="202"} 3`,
		`leasehold_requests_total{code="",operation="Outer",status="200"} 1`,
		`leasehold_request_duration_seconds_count{operation="Outer"} 1`,
		`leasehold_sent_bytes_total 0`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if text := log.String(); strings.Count(text, "operation=Inner") != 3 || strings.Count(text, "batch="+id) != 3 || !strings.Contains(text, "request_id=part2") {
		t.Errorf("the log of batch %s: %s", id, text)
	}
}

// TestHealth: a store that fails fails all three; a full disk is no reason to restart the server or
// to send traffic elsewhere; a server that stops is alive but not ready.
func TestHealth(t *testing.T) {
	var store, disk error
	s := New(answer, &Options{Checks: []Check{
		{Name: "disk", Run: func(context.Context) error { return disk }},
		{Name: "store", Vital: true, Run: func(context.Context) error { return store }},
	}})
	expect := func(when string, livez, readyz, healthz int, reason string) {
		t.Helper()
		for path, want := range map[string]int{"/livez": livez, "/readyz": readyz, "/healthz": healthz, "/healthz?verbose": healthz} {
			w := ask(s.OpsHandler(), "GET", path)
			if w.Code != want || want != 200 && !strings.Contains(w.Body.String(), reason) {
				t.Errorf("%s: %s is %d %s", when, path, w.Code, w.Body)
			}
		}
	}
	expect("before the listeners are up", 200, 503, 503, "starting")
	s.serving.Store(true)
	expect("serving", 200, 200, 200, "")
	disk = errors.New("disk full")
	expect("with a full disk", 200, 200, 503, "disk full")
	want := `{"ok":false,"checks":[{"name":"store","ok":true,"vital":true},{"name":"serving","ok":true,"vital":false},` +
		`{"name":"disk","ok":false,"vital":false,"error":"disk full"}]}` + "\n"
	if w := ask(s.OpsHandler(), "GET", "/healthz?verbose"); w.Body.String() != want {
		t.Errorf("the list is %s", w.Body)
	}
	disk, store = nil, errors.New("unreadable")
	expect("with a broken store", 503, 503, 503, "unreadable")
	store = nil
	s.stopping.Store(true)
	expect("while it stops", 200, 503, 503, "stopping")
	if w := ask(s.OpsHandler(), "GET", "/debug/pprof/goroutine?debug=1"); w.Code != 200 || !strings.Contains(w.Body.String(), "TestHealth") {
		t.Errorf("%v", w)
	}
	if w := ask(s.OpsHandler(), "GET", "/acct/container"); w.Code != 404 {
		t.Errorf("%v", w)
	}
}

// TestClientsThatHangUp: a request that fails because its client is gone is no failure of the
// server, a refusal stays one, and what was done before keeps its status.
func TestClientsThatHangUp(t *testing.T) {
	var log, access bytes.Buffer
	handler := slog.NewTextHandler(&log, nil)
	s := New(func(r *wire.Request) {
		r.Operation = "Test"
		switch {
		case r.Query.Has("busy"):
			wire.WriteError(r, fault.ServerBusy)
		case r.Query.Has("done"):
			answer(r)
			r.Failure = &fault.Error{Code: fault.InternalError, Status: 500, Cause: r.Context().Err()}
		default:
			wire.WriteError(r, r.Context().Err())
		}
	}, &Options{Log: slog.New(handler), AccessLog: slog.New(slog.NewTextHandler(&access, nil))})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, target := range []string{"/a/c/b", "/a/c/b?busy", "/a/c/b?done"} {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", target, nil).WithContext(gone))
	}
	w := ask(s.OpsHandler(), "GET", "/metrics")
	for _, want := range []string{
		`leasehold_requests_total{code="ClientGone",operation="Test",status="499"} 1`,
		`leasehold_requests_total{code="ServerBusy",operation="Test",status="503"} 1`,
		`leasehold_requests_total{code="ClientGone",operation="Test",status="200"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
	if text := access.String(); strings.Count(text, "msg=request") != 3 || !strings.Contains(text, "status=499") || !strings.Contains(text, "code=ClientGone") {
		t.Errorf("the access log: %s", text)
	}
}

// TestWaitingIsNoLatency: the time that a request waited for a lease is not in its duration, but in
// the log.
func TestWaitingIsNoLatency(t *testing.T) {
	var access bytes.Buffer
	now := time.Unix(1000, 0)
	s := New(func(r *wire.Request) {
		answer(r)
		r.Waited, r.Principal = 40*time.Second, "key"
		now = now.Add(42 * time.Second)
	}, &Options{Now: func() time.Time { return now }, AccessLog: slog.New(slog.NewTextHandler(&access, nil))})
	r := httptest.NewRequest("PUT", "/acct/box/a%20blob", nil)
	r.Header.Set("x-ms-lease-id", "c0ffee00-1234-4321-8888-000000000000")
	s.ServeHTTP(httptest.NewRecorder(), r)
	if w := ask(s.OpsHandler(), "GET", "/metrics"); !strings.Contains(w.Body.String(), `leasehold_request_duration_seconds_sum{operation="Test"} 2`+"\n") {
		t.Errorf("%s", w.Body)
	}
	for _, want := range []string{"duration=42s", "waited=40s", `blob="a blob"`, "principal=key", "address=192.0.2.1:1234", "lease=c0ffee00 "} {
		if !strings.Contains(access.String(), want) {
			t.Errorf("no %s in %s", want, &access)
		}
	}
}

func TestServeOps(t *testing.T) {
	s := New(answer, nil)
	s.serving.Store(true)
	l := loopback(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.ServeOps(ctx, l) }()
	c := dial(t, l)
	c.send("GET /healthz HTTP/1.1\nHost: h\n\n")
	if resp, body := c.receive("GET"); resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("%v %s", resp, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	closed := loopback(t)
	closed.Close()
	if err := s.ServeOps(context.Background(), closed); err == nil {
		t.Error("a closed listener is no error")
	}
}

func BenchmarkCount(b *testing.B) {
	s := New(answer, nil)
	r, err := wire.NewRequest(httptest.NewRecorder(), httptest.NewRequest("GET", "/a/c/b", nil), s.o.Now(), nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Operation, r.Status = "Test", 200
	b.ReportAllocs()
	for b.Loop() {
		s.metrics.count(r, 1000)
	}
}
