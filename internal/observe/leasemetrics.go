package observe

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/journal"
)

// leaseMetrics counts what happens to leases.
type leaseMetrics struct {
	events   *prometheus.CounterVec
	refusals *prometheus.CounterVec
	held     prometheus.Histogram
	margin   prometheus.Histogram
	names    accountLabels

	mu       sync.RWMutex
	prepared map[leaseSeries]prometheus.Counter // looking labels up by name costs more than counting
}

// leaseSeries names a series of events or, with a code, of refusals.
type leaseSeries struct {
	account string
	kind    journal.Kind
	code    fault.Code
}

// eventLabels are the labels of the kinds that are counted as events. A lease that is taken over
// has ended before, and a broken one is counted at the break.
var eventLabels = map[journal.Kind]string{
	journal.Acquired: "acquired", journal.TakenOver: "acquired", journal.Renewed: "renewed", journal.Changed: "changed",
	journal.Released: "released", journal.Broken: "broken", journal.Expired: "expired", journal.Deleted: "deleted",
}

// Buckets of the histograms, in seconds.
var (
	heldBuckets   = []float64{1, 15, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600}
	marginBuckets = []float64{1, 2, 3, 5, 10, 15, 20, 30, 45}
)

func newLeaseMetrics() *leaseMetrics {
	return &leaseMetrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_lease_events_total", Help: "What happened to leases. One that expired ended without release: its holder was lost.",
		}, []string{"account", "event"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leasehold_lease_refusals_total", Help: "Requests that were refused because of a lease, by error code.",
		}, []string{"account", "code"}),
		held: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leasehold_lease_hold_seconds", Help: "How long leases were held that ended.", Buckets: heldBuckets,
		}),
		margin: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leasehold_lease_renew_margin_seconds", Help: "What was left of a finite lease when it was renewed. Little is an early sign of lost leases.", Buckets: marginBuckets,
		}),
		prepared: map[leaseSeries]prometheus.Counter{},
	}
}

// count counts an occurrence.
func (m *leaseMetrics) count(o journal.Occurrence) {
	if c := m.series(leaseSeries{o.Name.Account, o.Kind, o.Code}); c != nil {
		c.Inc()
	}
	switch o.Kind {
	case journal.Released, journal.Expired, journal.Freed, journal.Deleted:
		m.held.Observe(o.Held.Seconds())
	case journal.Renewed:
		if o.Margin > 0 {
			m.margin.Observe(o.Margin.Seconds())
		}
	}
}

// series returns the counter of a series; nil for a kind that is not counted.
func (m *leaseMetrics) series(s leaseSeries) prometheus.Counter {
	m.mu.RLock()
	c, ok := m.prepared[s]
	m.mu.RUnlock()
	if ok {
		return c
	}
	account := m.names.label(s.account)
	if s.kind == journal.Refused {
		c = m.refusals.WithLabelValues(account, string(s.code))
	} else if label := eventLabels[s.kind]; label != "" {
		c = m.events.WithLabelValues(account, label)
	}
	if account == s.account {
		m.mu.Lock()
		m.prepared[s] = c
		m.mu.Unlock()
	}
	return c
}

func (m *leaseMetrics) register(r prometheus.Registerer, c *census) {
	c.names = &m.names
	r.MustRegister(m.events, m.refusals, m.held, m.margin, c)
}

const (
	// maxAccountLabels bounds the values of the label account, the only label that users make.
	maxAccountLabels = 100
	// otherAccounts is the label of all further accounts.
	otherAccounts = "other"
)

// accountLabels gives accounts their labels: the first come under their names. The zero value is
// ready for use.
type accountLabels struct {
	mu    sync.Mutex
	names map[string]bool
}

func (a *accountLabels) label(account string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.names[account]:
	case len(a.names) >= maxAccountLabels:
		return otherAccounts
	case a.names == nil:
		a.names = map[string]bool{account: true}
	default:
		a.names[account] = true
	}
	return account
}

// census is a collector that counts the live leases when it is asked.
type census struct {
	journal  *journal.Journal
	accounts func() []string
	now      func() (time.Time, error) // by the clock of the store
	names    *accountLabels
}

var (
	leasesDesc = prometheus.NewDesc("leasehold_leases", "Live leases.", []string{"account", "resource", "kind", "state"}, nil)
	oldestDesc = prometheus.NewDesc("leasehold_oldest_infinite_lease_seconds", "Age of the oldest infinite lease; 0 if there is none.", []string{"account"}, nil)
)

// Describe implements prometheus.Collector.
func (c *census) Describe(to chan<- *prometheus.Desc) {
	to <- leasesDesc
	to <- oldestDesc
}

// Collect implements prometheus.Collector. Accounts without a label of their own are counted
// together.
func (c *census) Collect(to chan<- prometheus.Metric) {
	now, err := c.now()
	if err != nil {
		return // a store that can't be read has no leases to count; /livez says so
	}
	accounts := c.accounts()
	slices.Sort(accounts)
	counts := map[string]journal.Census{}
	for _, account := range accounts {
		label := c.names.label(account)
		counts[label] = together(counts[label], c.journal.Census(account))
	}
	for account, n := range counts {
		for _, of := range []struct {
			resource string
			count    journal.Count
		}{{"blob", n.Blobs}, {"container", n.Containers}} {
			for _, g := range []struct {
				kind, state string
				n           int
			}{{"finite", "leased", of.count.Finite}, {"infinite", "leased", of.count.Infinite}, {"finite", "breaking", of.count.Breaking}} {
				to <- prometheus.MustNewConstMetric(leasesDesc, prometheus.GaugeValue, float64(g.n), account, of.resource, g.kind, g.state)
			}
		}
		age := 0.0
		if n.OldestInfinite != 0 {
			age = now.Sub(n.OldestInfinite.Time()).Seconds()
		}
		to <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age, account)
	}
}

// together adds the leases of two accounts.
func together(a, b journal.Census) journal.Census {
	if b.OldestInfinite != 0 && (a.OldestInfinite == 0 || b.OldestInfinite < a.OldestInfinite) {
		a.OldestInfinite = b.OldestInfinite
	}
	for _, c := range []struct{ into, from *journal.Count }{{&a.Blobs, &b.Blobs}, {&a.Containers, &b.Containers}} {
		c.into.Finite += c.from.Finite
		c.into.Infinite += c.from.Infinite
		c.into.Breaking += c.from.Breaking
	}
	return a
}
