package catalog_test

import (
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// TestExpiryIndexOfFormerVersions sweeps a blob that is indexed under its expiry time though a
// policy protects it for longer, as former versions left it: it goes when the policy ends.
func TestExpiryIndexOfFormerVersions(t *testing.T) {
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	db := mem.Open(&mem.Options{Clock: func() time.Time { return now }})
	defer db.Close()
	at := name("a")
	start := blob.TimeOf(now)
	err := db.Update(t.Context(), []kv.Key{at.Key()}, func(tx kv.Tx) error {
		b := &blob.Blob{Type: blob.BlockBlob, Expires: start + blob.Day, Policy: blob.Immutability{Until: start + 2*blob.Day}}
		if err := meta.PutBlob(tx, generation, "a", b); err != nil {
			return err
		}
		return meta.IndexExpiry(tx, 0, b.Expires, at.Key(), meta.Deadline{Account: "acct", Container: "box"})
	})
	if err != nil {
		t.Fatal(err)
	}
	sweeper := catalog.Sweeper{DB: db, Segments: segments.New(nil)}
	const day = 24 * time.Hour
	for _, c := range []struct {
		at   time.Duration
		want bool
	}{{0, true}, {day + time.Hour, true}, {2*day - time.Hour, true}, {2*day + time.Hour, false}} {
		now = start.Std().Add(c.at)
		if err := sweeper.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := db.View(t.Context(), func(r kv.Reader) error {
			b, err := meta.Blob(r, generation, "a")
			if (b != nil) != c.want {
				t.Errorf("after %v the blob is there: %v, want %v", c.at, b != nil, c.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
