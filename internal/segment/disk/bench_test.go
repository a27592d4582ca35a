//go:build unix

package disk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

// benchStore opens a store with its real syncs.
func benchStore(b *testing.B, o *Options) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkWrite writes durably from some callers at once.
func BenchmarkWrite(b *testing.B) {
	for _, tt := range []struct {
		kib     int64
		callers int
	}{{64, 1}, {64, 16}, {8 << 10, 1}, {8 << 10, 4}} {
		b.Run(fmt.Sprintf("%dKiB/x%d", tt.kib, tt.callers), func(b *testing.B) {
			s := benchStore(b, nil)
			data := segmenttest.Content(1, tt.kib<<10)
			b.SetBytes(tt.kib << 10)
			reportCPU(b)
			work := make(chan struct{})
			var wg sync.WaitGroup
			for range tt.callers {
				wg.Go(func() {
					for range work {
						ref, err := s.Write(context.Background(), plain{bytes.NewReader(data)})
						if err == nil { // the disk of a small machine holds few
							err = s.Delete(context.Background(), ref.ID)
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
		})
	}
}

// reportCPU has b report the processor time of the whole process for each operation,
// which says more than the time on the clock where others use the machine too.
func reportCPU(b *testing.B) {
	start := cpuTime(b)
	b.Cleanup(func() { b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op") })
}

// cpuTime returns the processor time of the process in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// plain hides every method but Read, as a network body would.
type plain struct{ io.Reader }

// socket returns a TCP connection whose other end takes all it is sent.
func socket(b *testing.B) *net.TCPConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, plain{c}, make([]byte, 1<<20))
		_ = c.Close()
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.Close()
		<-ended
		_ = l.Close()
	})
	return c.(*net.TCPConn)
}

// BenchmarkRead opens a segment and copies a range of it to a socket: as a file where
// the store does so, with CheckAlways always through checked buffers, and with a cache
// of one file, opening it each time.
func BenchmarkRead(b *testing.B) {
	for name, o := range map[string]*Options{"send": nil, "copy": {CheckAlways: true}, "reopen": {OpenFiles: 1}} {
		for _, kib := range []int64{1, 16, 32, 64, 256, 8 << 10} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, kib), func(b *testing.B) { benchRead(b, benchStore(b, o), kib<<10) })
		}
	}
}

func benchRead(b *testing.B, s *Store, n int64) {
	refs := make([]segment.Ref, 2)
	for i := range refs {
		ref, err := s.Write(b.Context(), bytes.NewReader(segmenttest.Content(uint64(i), 8<<20)))
		if err != nil {
			b.Fatal(err)
		}
		refs[i] = ref
	}
	c := socket(b)
	b.SetBytes(n)
	reportCPU(b)
	i := 0
	for b.Loop() {
		i++
		r, err := s.Open(b.Context(), refs[i%2], 0, n)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(c, r); err != nil {
			b.Fatal(err)
		}
		_ = r.Close()
	}
}

// BenchmarkList lists 2,000 segments, with and without a look at their footers.
func BenchmarkList(b *testing.B) {
	const n = 2000
	s, err := openOn(lazyFS{}, b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		if _, err := s.Write(b.Context(), bytes.NewReader(segmenttest.Content(1, 100))); err != nil {
			b.Fatal(err)
		}
	}
	for _, known := range []bool{false, true} {
		b.Run(fmt.Sprintf("known=%v", known), func(b *testing.B) {
			for b.Loop() {
				s.listedClean.Store(known)
				got := 0
				for _, err := range s.List(b.Context()) {
					if err != nil {
						b.Fatal(err)
					}
					got++
				}
				if got != n {
					b.Fatalf("%d segments are listed of %d", got, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/segment")
		})
	}
}
