package observe

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
)

// TestAccountLabelsAreBounded: of many accounts the first have labels of their own, and all others
// share one, among counters and gauges alike.
func TestAccountLabelsAreBounded(t *testing.T) {
	m, j := newLeaseMetrics(), journal.New(time.Unix(1000, 0))
	j.Listen(m.count)
	var accounts []string
	for n := range maxAccountLabels + 20 {
		accounts = append(accounts, fmt.Sprintf("account%03d", n))
		held := lease.Lease{Kind: lease.Held, Duration: lease.Infinite, Epoch: 1, Since: lease.At(time.Unix(1000, 0)), ID: lease.ID{1}}
		j.Observe(&journal.Change{Name: journal.Name{Account: accounts[n], Container: "box"}, Is: held, At: time.Unix(1000, 0)})
	}
	if n := testutil.CollectAndCount(m.events); n != maxAccountLabels+1 {
		t.Errorf("%d series of events", n)
	}
	if v := testutil.ToFloat64(m.events.WithLabelValues(otherAccounts, "acquired")); v != 20 {
		t.Errorf("others acquired %v", v)
	}
	c := &census{journal: j, names: &m.names, accounts: func() []string { return accounts }, now: func() (time.Time, error) { return time.Unix(1100, 0), nil }}
	if n := testutil.CollectAndCount(c, "leasehold_oldest_infinite_lease_seconds"); n != maxAccountLabels+1 {
		t.Errorf("%d series of ages", n)
	}
}
