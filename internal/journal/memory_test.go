package journal_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
)

// TestMemory: a hundred thousand live leases take at most 60 MB.
func TestMemory(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	j := journal.New(start)
	for i := range 100_000 {
		name := journal.Name{Account: "acct", Container: "c" + strconv.Itoa(i%10), Blob: "orders/ownership/" + strconv.Itoa(i)}
		is := lease.Lease{Kind: lease.Held, Duration: 60, End: lease.At(start.Add(1 << 35)), Epoch: 1, ID: lease.ID{1}}
		j.Observe(&journal.Change{Name: name, Is: is, At: start})
	}
	j.Advance(start)
	used := heap() - before
	runtime.KeepAlive(j)
	if t.Logf("%d bytes a lease", used/100_000); used > 60<<20 {
		t.Errorf("100,000 leases take %d bytes", used)
	}
}
