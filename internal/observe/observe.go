// Package observe says how a server does: the metrics of its service, its store and its leases, the
// log of requests, and the audit log.
package observe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment/reserve"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/waiting"
	"github.com/leasehold/leasehold/internal/wire"
)

// Options configures a Watch.
type Options struct {
	Access, Audit string // paths of the logs, "-" for standard output; "" for none
	Log           *slog.Logger

	Version, Commit, Go string // of the build
}

// Watch holds the metrics that requests move, and the log of requests.
type Watch struct {
	waits       map[waiting.Outcome]prometheus.Counter
	total       *prometheus.CounterVec
	waitSeconds prometheus.Histogram
	commits     prometheus.Histogram
	access      *logFile // nil if requests are not logged
	audit       *audit   // nil if there is no audit log
	files       []*logFile
	log         *slog.Logger
	options     *Options
	// Journal is told what happens to leases.
	Journal *journal.Journal
	leases  *leaseMetrics
}

// Buckets of the histograms, in seconds.
var (
	waitBuckets   = []float64{0.01, 0.1, 0.5, 1, 2, 5, 15, 30, 60}
	commitBuckets = []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2}
)

// New returns a Watch whose logs are open.
func New(o *Options) (*Watch, error) {
	w := &Watch{
		log:     o.Log,
		options: o,
		Journal: journal.New(time.Now()),
		leases:  newLeaseMetrics(),
		waits:   make(map[waiting.Outcome]prometheus.Counter),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_lease_waits_total", Help: "Requests that found a lease held and asked to wait for it, by outcome.",
		}, []string{"outcome"}),
		waitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leasehold_lease_wait_seconds", Help: "Time that requests waited for a lease, whatever the outcome.", Buckets: waitBuckets,
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leasehold_store_commit_seconds", Help: "Time of transactions that wrote, from their beginning until they were durable.", Buckets: commitBuckets,
		}),
	}
	for _, o := range waiting.Outcomes {
		w.waits[o] = w.total.WithLabelValues(string(o))
	}
	w.Journal.Listen(func(o journal.Occurrence) {
		w.leases.count(o)
		w.audit.occurred(o)
	})
	return w, w.openLogs(o)
}

// openLogs opens the logs of requests that the flags ask for.
func (w *Watch) openLogs(o *Options) error {
	for _, l := range []struct {
		path string
		use  func(*logFile)
	}{
		{o.Access, func(f *logFile) { w.access = f }},
		{o.Audit, func(f *logFile) { w.audit = &audit{log: w.log, out: f} }},
	} {
		if l.path == "" {
			continue
		}
		f, err := openLog(l.path)
		if err != nil {
			return errors.Join(err, w.Close())
		}
		w.files = append(w.files, f)
		l.use(f)
	}
	return nil
}

// Run records denied attempts as they are gathered, and reopens the logs on SIGHUP, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	if w.audit != nil {
		go w.audit.run(ctx)
	}
	onHangup(ctx, func() {
		for _, f := range w.files {
			if err := f.reopen(); err != nil {
				w.log.Error("could not reopen a log", "error", err)
			}
		}
	})
}

// Ended returns what records each request that has ended; nil if nothing does.
func (w *Watch) Ended() func(*wire.Request) {
	if w.audit == nil {
		return nil
	}
	return w.audit.ended
}

// Close records what was gathered, and closes the logs.
func (w *Watch) Close() (err error) {
	if w.audit != nil {
		w.audit.flush(time.Now())
	}
	for _, f := range w.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// AccessLog returns the log of requests; nil for none.
func (w *Watch) AccessLog() *slog.Logger {
	if w.access == nil {
		return nil
	}
	return slog.New(slog.NewJSONHandler(w.access, nil))
}

// WaitEnded counts a request that has waited for a lease. A request without a place has not
// waited.
func (w *Watch) WaitEnded(o waiting.Outcome, waited time.Duration) {
	w.waits[o].Inc()
	if o != waiting.Full {
		w.waitSeconds.Observe(waited.Seconds())
	}
}

// timedDB is a store whose transactions that write are timed.
type timedDB struct {
	kv.DB
	seconds prometheus.Observer
}

// Timed returns db with its transactions timed.
func (w *Watch) Timed(db kv.DB) kv.DB { return timedDB{db, w.commits} }

// Update implements kv.DB. A transaction that fails has written nothing and is not timed.
func (t timedDB) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	began := time.Now()
	err := t.DB.Update(ctx, keys, fn)
	if err == nil {
		t.seconds.Observe(time.Since(began).Seconds())
	}
	return err
}

// Watched is what the metrics describe.
type Watched struct {
	Service  *service.Service
	Store    *datadir.Store
	Segments *reserve.Store
	Config   *config.Live
}

// Register adds the metrics of service, store, configuration and build to the server's.
func (w *Watch) Register(r prometheus.Registerer, of Watched) {
	r.MustRegister(w.total, w.waitSeconds, w.commits, buildInfo(w.options))
	w.leases.register(r, &census{journal: w.Journal, accounts: of.Config.Accounts, now: func() (time.Time, error) {
		return of.Service.StoreTime(context.Background())
	}})
	for _, g := range of.gauges() {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leasehold_" + g.name, Help: g.help}, g.value))
	}
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "leasehold_sweeper_orphans_removed_total", Help: "Segments that the sweeper removed because nothing referred to them.",
	}, func() float64 { return float64(of.Store.Activity().Orphans) }))
	if c := of.Config.Certificate; c != nil {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leasehold_certificate_expiry_timestamp_seconds", Help: "End of the validity of the certificate of a listener.",
			ConstLabels: prometheus.Labels{"listener": "tls"},
		}, func() float64 { return seconds(c.Expiry()) }))
	}
}

// gauge is a metric that is read when it is asked for.
type gauge struct {
	name, help string
	value      func() float64
}

func (of Watched) gauges() []gauge {
	return []gauge{
		{"lease_waiters", "Requests that wait for a lease.", func() float64 { return float64(of.Service.Waiting()) }},
		{"disk_size_bytes", "Size of the disk of the data folder.", func() float64 { return float64(reserve.Size(of.Store.Path())) }},
		{"writes_refused", "1 while bodies of more than 8 KiB are refused because the disk is full, else 0.", func() float64 {
			return oneIf(of.Segments.Full() != nil)
		}},
		{"sweeper_last_success_timestamp_seconds", "When the sweeper last removed everything that was due; 0 for never since the start.", func() float64 {
			return seconds(of.Store.Activity().Swept)
		}},
		{"backup_last_success_timestamp_seconds", "When a backup was last completed by this server; 0 for never since its start.", func() float64 {
			return seconds(of.Store.Activity().BackedUp)
		}},
		{"backup_seconds", "Time that the last completed backup took.", func() float64 { return of.Store.Activity().BackupTook.Seconds() }},
		{"config_last_reload_successful", "1 if the configuration in the files is in use, 0 if it is wrong and an older one is in use.", func() float64 {
			return oneIf(of.Config.LastLoad().OK)
		}},
		{"config_last_reload_timestamp_seconds", "When the configuration was last read.", func() float64 { return seconds(of.Config.LastLoad().At) }},
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds returns a time as metrics have it; 0 for no time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// buildInfo returns a metric that is always 1 and names the version that runs.
func buildInfo(o *Options) prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "leasehold_build_info", Help: "Always 1; the labels name the version that runs.",
	}, []string{"version", "revision", "goversion"})
	info.WithLabelValues(o.Version, o.Commit, o.Go).Set(1)
	return info
}
