package server

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// metrics holds the metrics of the server. Labels are bounded: operations and codes come from
// tables, never from a client.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	parts       *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	received    prometheus.Counter
	sent        prometheus.Counter
	connections prometheus.Gauge

	mu       sync.RWMutex
	prepared map[outcome]counted // looking labels up by name costs more than counting
}

// outcome is a combination of labels.
type outcome struct {
	operation string
	status    int
	code      fault.Code
	part      bool // of a batch
}

// counted holds the metrics of the requests with one outcome.
type counted struct {
	total   prometheus.Counter
	seconds prometheus.Observer // nil for parts of a batch
}

// Bounds of the histograms.
const (
	// nativeFactor is the growth between the buckets of a native histogram: an error of 5 %.
	nativeFactor = 1.1
	// nativeBuckets bounds the buckets of a native histogram. One has some 40 in practice.
	nativeBuckets = 160
)

// newMetrics registers the metrics. active returns how many requests are being served.
func newMetrics(active func() float64) *metrics {
	labels := []string{"operation", "status", "code"}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_requests_total", Help: "Requests by operation, HTTP status and error code of the protocol; 499 ClientGone if the client hung up.",
		}, labels),
		parts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_batch_parts_total", Help: "Requests that came within a batch, by operation, HTTP status and error code of the protocol.",
		}, labels),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leasehold_request_duration_seconds", Help: "Time from the head of a request to the end of its answer, without the time spent waiting for a lease.",
			Buckets:                     prometheus.ExponentialBuckets(0.0005, 4, 9), // 0.5 ms to 33 s
			NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets,
		}, []string{"operation"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leasehold_received_bytes_total", Help: "Bytes of request bodies that were read.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leasehold_sent_bytes_total", Help: "Bytes of response bodies that were written.",
		}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "leasehold_connections", Help: "Open connections.",
		}),
		prepared: map[outcome]counted{},
	}
	m.registry.MustRegister(m.requests, m.parts, m.seconds, m.received, m.sent, m.connections,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leasehold_requests_active", Help: "Requests being served."}, active),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// count counts a request that took some time.
func (m *metrics) count(r *wire.Request, took time.Duration) {
	o := outcome{operation: r.Operation, part: r.PartOf != nil}
	o.status, o.code = outcomeOf(r)
	m.mu.RLock()
	c, ok := m.prepared[o]
	m.mu.RUnlock()
	if !ok {
		c = m.prepare(o)
	}
	c.total.Inc()
	if o.part {
		return // time and bytes are those of the batch
	}
	c.seconds.Observe((took - r.Waited).Seconds())
	m.received.Add(float64(r.BodyRead()))
	m.sent.Add(float64(r.Sent))
}

func (m *metrics) prepare(o outcome) (c counted) {
	family := m.requests
	if o.part {
		family = m.parts
	} else {
		c.seconds = m.seconds.WithLabelValues(o.operation)
	}
	c.total = family.WithLabelValues(o.operation, strconv.Itoa(o.status), string(o.code))
	m.mu.Lock()
	m.prepared[o] = c
	m.mu.Unlock()
	return c
}

// A request whose client hung up has failed, but the server has not: these are its status and code
// in the metrics and in the log. No client ever sees them.
const (
	statusClientGone            = 499
	codeClientGone   fault.Code = "ClientGone"
)

// outcomeOf returns the status and the code of a request. A request that succeeded keeps its
// status even if its client was gone before the end of the answer.
func outcomeOf(r *wire.Request) (status int, code fault.Code) {
	if r.Failure == nil {
		return r.Status, ""
	}
	if !clientGone(r) {
		return r.Status, r.Failure.Code
	}
	if r.Status == 0 || r.Status >= http.StatusInternalServerError {
		return statusClientGone, codeClientGone
	}
	return r.Status, codeClientGone
}

// Registerer registers metrics of others beside the metrics of the server.
func (s *Server) Registerer() prometheus.Registerer { return s.metrics.registry }
