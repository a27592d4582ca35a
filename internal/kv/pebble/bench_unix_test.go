//go:build unix

package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
)

// BenchmarkLarge reads and writes random blobs of a store that its cache does not hold. Its
// CPU time counts what compaction does meanwhile, too.
func BenchmarkLarge(b *testing.B) {
	if os.Getenv("LEASEHOLD_TEST") != "long" {
		b.Skip("fills 1.2 GB, which takes half a minute; run with LEASEHOLD_TEST=long")
	}
	l := openLarge(b, 1_000_000)
	for _, c := range []struct {
		name string
		call func(key []byte) error
	}{
		{"properties", func(key []byte) error { return l.read(key, false) }},
		{"get", func(key []byte) error { return l.read(key, true) }},
		{"renew", func(key []byte) error { return renew(l.DB, key, make([]byte, largeRecord)) }},
		{"put", l.put},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			var seed atomic.Uint64
			before := cpuTime()
			b.RunParallel(func(p *testing.PB) {
				rng := rand.New(rand.NewPCG(seed.Add(1), uint64(b.N)))
				for p.Next() {
					if err := c.call(largeKey(rng.IntN(l.blobs))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
}

// large is a store as short blobs make it: for each a record under its name, and its bytes
// under a random key.
type large struct {
	*DB
	blobs int
}

// Values like those of package meta for a blob of 1 KiB: some of a record repeats in
// others, IDs and sums do not, and the ID of the bytes comes last.
const (
	largeRecord = 170
	largeBody   = 1024
	largeHead   = "\xa7\x01\x02\x06\xa2\x01\x78\x18application/octet-stream"
)

func largeKey(i int) []byte {
	return fmt.Appendf([]byte("b\x00\x00\x00\x00\x00\x00\x00\x07"), "d%07d/s%d/f%02d\x00\xff", i/100, i%4, i/4%25)
}

func largeBodyKey(id []byte) []byte {
	return append([]byte("d\x00\x00\x00\x00\x00\x00\x00\x07"), id...)
}

func randomBytes(n int) []byte {
	b := make([]byte, 0, n+7)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rand.Uint64())
	}
	return b[:n]
}

func openLarge(b *testing.B, blobs int) *large {
	l := &large{openBench(b, 0, nil), blobs}
	for i := 0; i < blobs; {
		err := l.Update(context.Background(), nil, func(tx kv.Tx) error {
			for end := min(i+500, blobs); i < end; i++ {
				if err := l.write(tx, largeKey(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := l.pebble.Flush(); err != nil {
		b.Fatal(err)
	}
	for idle := 0; idle < 10; idle++ { // until there is nothing more to compact
		<-time.After(50 * time.Millisecond)
		if l.pebble.Metrics().Compact.NumInProgress > 0 {
			idle = 0
		}
	}
	return l
}

func (l *large) write(tx kv.Tx, key []byte) error {
	id := randomBytes(16)
	record := append(append(make([]byte, 0, largeRecord), largeHead...), randomBytes(48)...)
	record = append(record[:largeRecord-len(id)], id...)
	if err := tx.Put(largeBodyKey(id), randomBytes(largeBody)); err != nil {
		return err
	}
	return tx.Put(key, record)
}

// read looks up a record and, if it is wanted, what it stands for.
func (l *large) read(key []byte, body bool) error {
	return l.View(context.Background(), func(r kv.Reader) error {
		v, err := r.Get(key)
		if err != nil || len(v) != largeRecord {
			return fmt.Errorf("a record of %d bytes: %v", len(v), err)
		}
		if !body {
			return nil
		}
		v, err = r.Get(largeBodyKey(v[largeRecord-16:]))
		if err != nil || len(v) != largeBody {
			return fmt.Errorf("a body of %d bytes: %v", len(v), err)
		}
		return nil
	})
}

// put overwrites a blob.
func (l *large) put(key []byte) error {
	return l.Update(context.Background(), []kv.Key{key}, func(tx kv.Tx) error {
		old, err := tx.Get(key)
		if err != nil {
			return err
		}
		if err := tx.Delete(largeBodyKey(old[largeRecord-16:])); err != nil {
			return err
		}
		return l.write(tx, key)
	})
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
