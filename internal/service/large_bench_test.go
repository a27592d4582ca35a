package service_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// BenchmarkLargestTransactions takes the changes that give up most at once, on the real
// engine, and tells besides how long a renewal of a lease on another blob takes at worst
// meanwhile (docs/facts/largest-transactions.md).
func BenchmarkLargestTransactions(b *testing.B) {
	object := func() (id blob.ObjectID) {
		rand.Read(id[:])
		return id
	}
	stage := func(tx kv.Tx, gen uint64, n int) error {
		all := &meta.Staging{Count: n, IDLength: 8, Last: 1, Due: 1 << 60}
		for i := range n {
			block := &blob.Block{ID: fmt.Sprintf("%08d", i), Chunk: blob.Chunk{Object: object(), Length: 1 << 20}}
			if err := meta.PutStagedBlock(tx, gen, "large", block, all); err != nil {
				return err
			}
		}
		return meta.PutBlob(tx, gen, "large", &blob.Blob{Type: blob.BlockBlob})
	}
	snapshots := func(tx kv.Tx, gen uint64, n int) error {
		for i := range n {
			content := blob.Content{Holder: object(), Shared: true, Blocks: []blob.Block{{Chunk: blob.Chunk{Object: object(), Length: 1 << 20}}}}
			past := blob.Revision{Kind: blob.Snapshot, ID: blob.Time(i + 1)}
			if err := meta.PutRevision(tx, gen, "large", past, &blob.Blob{Type: blob.BlockBlob, Content: content}); err != nil {
				return err
			}
		}
		return meta.PutBlob(tx, gen, "large", &blob.Blob{Type: blob.BlockBlob})
	}
	for _, c := range []struct {
		name         string
		fill         func(kv.Tx, uint64, int) error
		method, path string
		body         string
		headers      []string
	}{
		{"drop-uncommitted", stage, "PUT", "/box/large?comp=blocklist", "<BlockList/>", nil},
		{"delete-uncommitted", stage, "DELETE", "/box/large", "", nil},
		{"delete-snapshots", snapshots, "DELETE", "/box/large", "", []string{"x-ms-delete-snapshots", "include"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { db.Close() })
			s := newStoreOn(b, &clock{now: time.Now()}, db, segments.New(nil))
			s.broken = true // the blocks name segments that are not there
			s.want(201, "", "PUT", "/box?restype=container", nil)
			s.want(201, "", "PUT", "/box/held", nil, "x-ms-blob-type", "BlockBlob")
			s.lease(201, "", "/box/held", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
			var worst time.Duration
			for range b.N {
				b.StopTimer()
				err := db.Update(context.Background(), []kv.Key{meta.ContainerKey(account, "box")}, func(tx kv.Tx) error {
					box, err := meta.Container(tx, account, "box")
					if err != nil {
						return err
					}
					return c.fill(tx, box.Generation, blob.MaxUncommittedBlocks)
				})
				if err != nil {
					b.Fatal(err)
				}
				done, slowest := make(chan struct{}), make(chan time.Duration)
				go func() {
					most := time.Duration(0)
					for {
						start := time.Now()
						s.do("PUT", "/box/held?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
						most = max(most, time.Since(start))
						select {
						case <-done:
							slowest <- most
							return
						default:
						}
					}
				}()
				b.StartTimer()
				a := s.do(c.method, c.path, []byte(c.body), c.headers...)
				b.StopTimer()
				close(done)
				worst = max(worst, <-slowest)
				if a.status >= 300 {
					b.Fatalf("%d %s", a.status, a.body)
				}
			}
			b.ReportMetric(float64(worst.Milliseconds()), "ms-renewal-at-worst")
		})
	}
}
