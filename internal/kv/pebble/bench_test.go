package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv"
)

// openBench opens a store on the disk that holds n records of 300 bytes. It counts
// syncs of the log in syncs.
func openBench(b *testing.B, n int, syncs *atomic.Int64) *DB {
	var o Options
	if syncs != nil {
		o.FS = &testFS{vfs.Default, func(action, name string) error {
			if action == "sync" && isLog(name) {
				syncs.Add(1)
			}
			return nil
		}}
	}
	db, err := Open(b.TempDir(), &o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	for i := 0; i < n; {
		err := db.Update(context.Background(), nil, func(tx kv.Tx) error {
			for range min(10_000, n-i) {
				if err := tx.Put(benchKey(nil, i), make([]byte, 300)); err != nil {
					return err
				}
				i++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := db.pebble.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return db
}

func benchKey(buf []byte, i int) []byte {
	return fmt.Appendf(buf[:0], "account/container/%04d/blob-%08d\x00", i/1000, i)
}

// BenchmarkRenew does what renewing a lease does: a view that reads the record, and
// an update that reads and writes it.
func BenchmarkRenew(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			const records = 10_000
			var syncs, left atomic.Int64
			db := openBench(b, records, &syncs)
			syncs.Store(0)
			left.Store(int64(b.N))
			times := make([][]time.Duration, callers)
			var wg sync.WaitGroup
			for g := range callers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(g), 2))
					value := make([]byte, 300)
					for left.Add(-1) >= 0 {
						key := benchKey(nil, rng.IntN(records))
						start := time.Now()
						if err := renew(db, key, value); err != nil {
							b.Error(err)
							return
						}
						times[g] = append(times[g], time.Since(start))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			all := slices.Concat(times...)
			slices.Sort(all)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(b.N)/float64(syncs.Load()), "ops/sync")
		})
	}
}

func renew(db *DB, key, value []byte) error {
	err := db.View(context.Background(), func(r kv.Reader) error {
		_, err := r.Get(key)
		return err
	})
	if err != nil {
		return err
	}
	return db.Update(context.Background(), []kv.Key{key}, func(tx kv.Tx) error {
		v, err := tx.Get(key)
		if err != nil {
			return err
		}
		copy(value, v)
		binary.LittleEndian.PutUint64(value, uint64(tx.Now().UnixNano()))
		return tx.Put(key, value)
	})
}

// BenchmarkViewGet looks up records at random: few, which the cache of records holds, and
// more than it does.
func BenchmarkViewGet(b *testing.B) {
	for _, records := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(records), func(b *testing.B) {
			db := openBench(b, records, nil)
			b.RunParallel(func(p *testing.PB) {
				rng := rand.New(rand.NewPCG(1, 2))
				var key []byte
				for p.Next() {
					key = benchKey(key, rng.IntN(records))
					err := db.View(context.Background(), func(r kv.Reader) error {
						v, err := r.Get(key)
						if len(v) != 300 {
							b.Errorf("%s has %d bytes", key, len(v))
						}
						return err
					})
					if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkScan5000 reads 5,000 records, as the largest page of a listing.
func BenchmarkScan5000(b *testing.B) {
	db := openBench(b, 20_000, nil)
	for b.Loop() {
		n := 0
		err := db.View(context.Background(), func(r kv.Reader) error {
			for p, err := range r.Scan(benchKey(nil, 3000), benchKey(nil, 8000)) {
				if err != nil {
					return err
				}
				n += len(p.Value)
			}
			return nil
		})
		if err != nil || n != 5000*300 {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkScanFolders skips from folder to folder, 1,000 records in each.
func BenchmarkScanFolders(b *testing.B) {
	const folders = 100
	db := openBench(b, folders*1000, nil)
	prefix := []byte("account/container/")
	end := kv.PrefixEnd(prefix)
	for b.Loop() {
		n := 0
		err := db.View(context.Background(), func(r kv.Reader) error {
			for at := prefix; at != nil; {
				next := []byte(nil)
				for p, err := range r.Scan(at, end) {
					if err != nil {
						return err
					}
					n++
					next = kv.PrefixEnd(p.Key[:len(prefix)+5])
					break
				}
				at = next
			}
			return nil
		})
		if err != nil || n != folders {
			b.Fatal(n, err)
		}
	}
}
