package hold

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

// BenchmarkRenew is the cost of one renewal at the client, with a store in memory: that of the SDK
// and of ours.
func BenchmarkRenew(b *testing.B) {
	c, err := New(Blob(holdtest.NewStore().Blob("box", "lock")), nil)
	if err != nil {
		b.Fatal(err)
	}
	l, err := c.Lock(b.Context(), &LockOptions{CreateIfMissing: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Release(context.Background())
	for b.Loop() {
		if err := l.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLiveness is the cost of looking at the context of a lock, which reads the clocks.
func BenchmarkLiveness(b *testing.B) {
	c, err := New(Blob(holdtest.NewStore().Blob("box", "lock")), nil)
	if err != nil {
		b.Fatal(err)
	}
	l, err := c.Lock(b.Context(), &LockOptions{CreateIfMissing: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Release(context.Background())
	for b.Loop() {
		if l.Context().Err() != nil {
			b.Fatal(context.Cause(l.Context()))
		}
	}
}

// BenchmarkThousandLocks takes a thousand locks at once and gives them up.
func BenchmarkThousandLocks(b *testing.B) {
	s := holdtest.NewStore()
	clients := make([]*Client, 1000)
	for i := range clients {
		c, err := New(Blob(s.Blob("box", fmt.Sprint(i))), nil)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = c
	}
	for b.Loop() {
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() {
				o := &LockOptions{Duration: 60 * time.Second, CreateIfMissing: true}
				if err := c.Do(context.Background(), o, func(context.Context, *Lock) error { return nil }); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
}
