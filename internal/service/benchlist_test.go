//go:build unix

package service_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv/pebble"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// BenchmarkList lists 5,000 blobs of the embedded engine. Beside the time it tells the CPU time of
// the process for each entry, which suffers less from what else the machine does.
func BenchmarkList(b *testing.B) {
	const blobs = 5000
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Clock: c.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	s := newStoreOn(b, c, db, segments.New(nil))
	for _, row := range []struct {
		name, query string
		headers     []string
	}{
		{"plain", "", nil},
		{"history", "&include=snapshots,versions,deleted", nil},
		{"metadata", "&include=metadata", []string{"x-ms-meta-owner", "Smith & Sons", "x-ms-meta-order", "4711"}},
	} {
		s.want(201, "", "PUT", "/"+row.name+"?restype=container", nil)
		for i := range blobs {
			s.step(time.Second / 100)
			s.want(201, "", "PUT", fmt.Sprintf("/%s/blob-%07d", row.name, i), nil, append(row.headers, "x-ms-blob-type", "BlockBlob")...)
		}
		b.Run(row.name, func(b *testing.B) {
			before := processor(b)
			s.replay(b, "GET", "/"+row.name+"?restype=container&comp=list"+row.query, nil)
			b.ReportMetric(float64(processor(b)-before)/float64(b.N)/blobs, "cpu-ns/entry")
		})
	}
}

// processor returns the CPU time that the process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
