package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leasehold/leasehold/internal/segment/reserve"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/waiting"
)

// watch holds the metrics of the service that requests move.
type watch struct {
	waits   map[waiting.Outcome]prometheus.Counter
	total   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newWatch() *watch {
	w := &watch{
		waits: make(map[waiting.Outcome]prometheus.Counter),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_lease_waits_total", Help: "Requests that found a lease held and asked to wait for it, by outcome.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leasehold_lease_wait_seconds", Help: "Time that requests waited for a lease, whatever the outcome.",
			Buckets: []float64{0.01, 0.1, 0.5, 1, 2, 5, 15, 30, 60},
		}),
	}
	for _, o := range waiting.Outcomes {
		w.waits[o] = w.total.WithLabelValues(string(o))
	}
	return w
}

// waitEnded counts a request that has waited for a lease. A request without a place has not
// waited.
func (w *watch) waitEnded(o waiting.Outcome, waited time.Duration) {
	w.waits[o].Inc()
	if o != waiting.Full {
		w.seconds.Observe(waited.Seconds())
	}
}

// register adds the metrics of the service, the build and the disk to the metrics of the server.
func (w *watch) register(r prometheus.Registerer, svc *service.Service, segments *reserve.Store, dir string) {
	r.MustRegister(w.total, w.seconds, buildInfo(),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leasehold_lease_waiters", Help: "Requests that wait for a lease.",
		}, func() float64 { return float64(svc.Waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leasehold_disk_size_bytes", Help: "Size of the disk of the data folder.",
		}, func() float64 { return float64(reserve.Size(dir)) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leasehold_writes_refused", Help: "1 while bodies of more than 8 KiB are refused because the disk is full, else 0.",
		}, func() float64 {
			if segments.Full() != nil {
				return 1
			}
			return 0
		}))
}

// buildInfo returns a metric that is always 1 and names the version that runs.
func buildInfo() prometheus.Collector {
	version, revision := "unknown", "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		if b.Main.Version != "" {
			version = b.Main.Version
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "leasehold_build_info", Help: "Always 1; the labels name the version that runs.",
	}, []string{"version", "revision", "goversion"})
	info.WithLabelValues(version, revision, runtime.Version()).Set(1)
	return info
}
