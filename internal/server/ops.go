package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// metrics holds the metrics of the server. Labels are bounded: operations and codes come from
// tables, never from a client.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
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
	seconds prometheus.Observer
}

// newMetrics registers the metrics. active returns how many requests are being served.
func newMetrics(active func() float64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_requests_total", Help: "Requests by operation, HTTP status, error code of the protocol, and whether they came within a batch.",
		}, []string{"operation", "status", "code", "batch"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leasehold_request_seconds", Help: "Time from the head of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2.5, 13), // 0.25 ms to 15 s
		}, []string{"operation", "batch"}),
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
	m.registry.MustRegister(m.requests, m.seconds, m.received, m.sent, m.connections,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leasehold_requests_active", Help: "Requests being served."}, active),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// count counts a request that took some time.
func (m *metrics) count(r *wire.Request, took time.Duration) {
	o := outcome{operation: r.Operation, status: r.Status, part: r.PartOf != nil}
	if r.Failure != nil {
		o.code = r.Failure.Code
	}
	m.mu.RLock()
	c, ok := m.prepared[o]
	m.mu.RUnlock()
	if !ok {
		part := strconv.FormatBool(o.part)
		c = counted{m.requests.WithLabelValues(o.operation, strconv.Itoa(o.status), string(o.code), part), m.seconds.WithLabelValues(o.operation, part)}
		m.mu.Lock()
		m.prepared[o] = c
		m.mu.Unlock()
	}
	c.total.Inc()
	c.seconds.Observe(took.Seconds())
	if o.part {
		return // its bytes are those of the batch
	}
	m.received.Add(float64(r.BodyRead()))
	m.sent.Add(float64(r.Sent))
}

// Registerer registers metrics of others beside the metrics of the server.
func (s *Server) Registerer() prometheus.Registerer { return s.metrics.registry }

// OpsHandler answers the questions of whoever runs the server, on a listener of its own because any
// path of the protocol's may be a blob: GET /metrics in the form of Prometheus; GET /healthz, which
// is 200 as long as requests are served, and 503 with the reason while the server stops or
// Options.Healthy says no; and below /debug/pprof/ the profiles of package runtime/pprof, which
// tell nothing of what is stored.
func (s *Server) OpsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.health(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// errStopping is the health of a server whose context has ended and that still serves.
var errStopping = errors.New("stopping")

// health returns the reason why the server can't serve; nil if it can.
func (s *Server) health(ctx context.Context) error {
	if s.stopping.Load() {
		return errStopping
	}
	if s.o.Healthy == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return s.o.Healthy(ctx)
}

// ServeOps serves OpsHandler on a listener until ctx ends. The context may end later than the one
// of Serve, so that the stop can be watched. It closes the listener.
func (s *Server) ServeOps(ctx context.Context, l net.Listener) error {
	ops := &http.Server{Handler: s.OpsHandler(), ReadHeaderTimeout: headTimeout, ReadTimeout: opsTimeout, WriteTimeout: opsTimeout}
	stop := context.AfterFunc(ctx, func() { ops.Close() })
	defer stop()
	if err := ops.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
