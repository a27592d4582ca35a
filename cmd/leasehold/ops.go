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
)

// checksOf returns the conditions of the server's health. Without space for bodies, reads, leases
// and short blobs still work, so that a restart would only do harm.
func checksOf(db kv.DB, segments *reserve.Store) []server.Check {
	return []server.Check{
		{Name: "store", Vital: true, Run: func(ctx context.Context) error { return db.View(ctx, func(kv.Reader) error { return nil }) }},
		{Name: "disk", Run: func(context.Context) error { return segments.Full() }},
	}
}

// watchStore registers the metrics of the store.
func watchStore(r prometheus.Registerer, db kv.DB, segments *reserve.Store) {
	metrics := func() kv.Metrics { return kv.Metrics{} }
	if m, ok := db.(kv.Meter); ok {
		metrics = m.Metrics
	}
	for _, m := range []struct {
		name, help string
		value      func() float64
	}{
		{"disk_free_bytes", "Bytes free on the disk of the data folder.", func() float64 {
			free, _ := segments.Free()
			return float64(free)
		}},
		{"store_disk_bytes", "Bytes of the key-value store on disk, without bodies of more than 8 KiB.", func() float64 { return float64(metrics().DiskBytes) }},
		{"store_cache_bytes", "Bytes of memory used by the cache of the key-value store.", func() float64 { return float64(metrics().CacheBytes) }},
		{"store_debt_bytes", "Bytes that the key-value store has yet to compact. If it keeps growing, the disk is too slow.", func() float64 { return float64(metrics().Debt) }},
	} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leasehold_" + m.name, Help: m.help}, m.value))
	}
	for _, m := range []struct {
		name, help string
		value      func() float64
	}{
		{"store_commits_total", "Transactions that wrote to the key-value store.", func() float64 { return float64(metrics().Commits) }},
		{"store_syncs_total", "Syncs of the log of the key-value store. One sync makes many transactions durable.", func() float64 { return float64(metrics().Syncs) }},
		{"store_write_stalls_total", "Times that writes were held up until the key-value store had compacted.", func() float64 { return float64(metrics().Stalls) }},
		{"store_write_stall_seconds_total", "Time that writes were held up until the key-value store had compacted.", func() float64 { return metrics().Stalled.Seconds() }},
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "leasehold_" + m.name, Help: m.help}, m.value))
	}
}

// serveOps serves metrics and health on l, if there is one, until ctx ends. It outlasts the
// graceful stop of the server.
func serveOps(ctx context.Context, srv *server.Server, l net.Listener, log *slog.Logger) {
	if l == nil {
		return
	}
	if err := srv.ServeOps(ctx, netutil.LimitListener(l, smallConnections)); err != nil {
		log.Error("the listener for metrics and health failed", "error", err)
	}
}
