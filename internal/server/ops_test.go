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
		`leasehold_requests_total{batch="false",code="",operation="Test",status="200"} 2`,
		`leasehold_requests_total{batch="false",code="LeaseAlreadyPresent",operation="Test",status="409"} 1`,
		`leasehold_requests_total{batch="false",code="InvalidUri",operation="",status="400"} 1`,
		`leasehold_request_seconds_count{batch="false",operation="Test"} 3`,
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
		`leasehold_requests_total{batch="true",code="",operation="Inner",status="202"} 3`,
		`leasehold_requests_total{batch="false",code="",operation="Outer",status="200"} 1`,
		`leasehold_request_seconds_sum{batch="true",operation="Inner"} 3`,
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

func TestHealth(t *testing.T) {
	var problem error
	s := New(answer, &Options{Healthy: func(context.Context) error { return problem }})
	if w := ask(s.OpsHandler(), "GET", "/healthz"); w.Code != 200 {
		t.Errorf("%v", w)
	}
	problem = errors.New("disk full")
	if w := ask(s.OpsHandler(), "GET", "/healthz"); w.Code != 503 || !strings.Contains(w.Body.String(), "disk full") {
		t.Errorf("%v", w)
	}
	s.stopping.Store(true)
	if w := ask(s.OpsHandler(), "GET", "/healthz"); w.Code != 503 || !strings.Contains(w.Body.String(), "stopping") {
		t.Errorf("%v", w)
	}
	if w := ask(s.OpsHandler(), "GET", "/debug/pprof/goroutine?debug=1"); w.Code != 200 || !strings.Contains(w.Body.String(), "TestHealth") {
		t.Errorf("%v", w)
	}
	if w := ask(s.OpsHandler(), "GET", "/acct/container"); w.Code != 404 {
		t.Errorf("%v", w)
	}
}

func TestServeOps(t *testing.T) {
	s := New(answer, nil)
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
