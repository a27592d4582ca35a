package main

import (
	"context"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment/reserve"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
)

// healthy returns a check of what keeps the store from taking writes, if anything.
func healthy(db kv.DB, segments *reserve.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := db.View(ctx, func(kv.Reader) error { return nil }); err != nil {
			return err
		}
		return segments.Full()
	}
}

// watchStore adds what is worth watching of the store to the metrics of the server.
func watchStore(r prometheus.Registerer, db kv.DB, segments *reserve.Store) {
	metrics := func() kv.Metrics { return kv.Metrics{} }
	if m, ok := db.(kv.Meter); ok {
		metrics = m.Metrics
	}
	for _, m := range []struct {
		name, help string
		value      func() float64
	}{
		{"disk_free_bytes", "Bytes left on the disk of the data folder.", func() float64 {
			free, _ := segments.Free()
			return float64(free)
		}},
		{"store_disk_bytes", "Size of the key-value store on disk, bodies of more than 8 KiB not counted.", func() float64 { return float64(metrics().DiskBytes) }},
		{"store_cache_bytes", "Memory of its cache.", func() float64 { return float64(metrics().CacheBytes) }},
		{"store_debt_bytes", "Bytes it has yet to compact; growing for long means that the disk is too slow.", func() float64 { return float64(metrics().Debt) }},
	} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leasehold_" + m.name, Help: m.help}, m.value))
	}
	for _, m := range []struct {
		name, help string
		value      func() float64
	}{
		{"store_commits_total", "Transactions that wrote.", func() float64 { return float64(metrics().Commits) }},
		{"store_syncs_total", "Syncs of its log; each makes a number of transactions durable.", func() float64 { return float64(metrics().Syncs) }},
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "leasehold_" + m.name, Help: m.help}, m.value))
	}
}

// watchWaiting adds the number of requests that wait for a lease to the metrics of the server.
func watchWaiting(r prometheus.Registerer, svc *service.Service) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "leasehold_lease_waiters", Help: "Requests that wait for a lease.",
	}, func() float64 { return float64(svc.Waiting()) }))
}

// serveOps answers whoever runs the server, if there is a listener for it. It goes on while
// the server stops, until ctx ends.
func serveOps(ctx context.Context, srv *server.Server, l net.Listener, log *slog.Logger) {
	if l == nil {
		return
	}
	if err := srv.ServeOps(ctx, netutil.LimitListener(l, smallConnections)); err != nil {
		log.Error("metrics and health are no longer served", "error", err)
	}
}
