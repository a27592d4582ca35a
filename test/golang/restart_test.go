package golang

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/leasehold/leasehold/test/harness"
)

// TestLeasesAreKnownAfterRestart sees a lease of before a restart among the live ones, without a
// request for it: the server fills its table from the store.
func TestLeasesAreKnownAfterRestart(t *testing.T) {
	s := harness.Start(t, &harness.Options{Metrics: true})
	s.NeedOwn()
	box := newBox(t, s)
	b := box.NewBlockBlobClient("held")
	if _, err := b.UploadBuffer(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	l, err := lease.NewBlobClient(b, nil)
	if err == nil {
		_, err = l.AcquireLease(t.Context(), -1, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart()
	const age = `leasehold_oldest_infinite_lease_seconds{account="` + harness.Account + `"}`
	deadline := time.After(30 * time.Second)
	for !(s.Metric(age) > 0) {
		select {
		case <-deadline:
			t.Fatal("the lease is not among the live ones")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
