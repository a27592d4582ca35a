package hold

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// endpoint is the environment variable with the connection string of a real store, or an emulator,
// to test against. The tests make a container there, and delete it.
const endpoint = "HOLD_TEST_ENDPOINT"

// liveContainer returns a new container of the store under test.
func liveContainer(t *testing.T) *container.Client {
	t.Helper()
	s := os.Getenv(endpoint)
	if s == "" {
		t.Skip("needs a running store: set " + endpoint + " to its connection string")
	}
	service := ok(azblob.NewClientFromConnectionString(s, nil))(t)
	name := "hold-" + strings.ToLower(string(NewID()))
	c := service.ServiceClient().NewContainerClient(name)
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if client, err := New(Container(c), nil); err == nil {
			client.Break(ctx, &BreakOptions{Period: new(time.Duration(0))}) // usually there is nothing to break
		}
		if _, err := c.Delete(ctx, nil); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestLiveOperations(t *testing.T) {
	box := liveContainer(t)
	for kind, target := range map[string]Target{"blob": Blob(box.NewBlockBlobClient("one")), "container": Container(box)} {
		t.Run(kind, func(t *testing.T) {
			ctx, c := t.Context(), newClient(t, target, &Options{Extensions: true})
			if kind == "blob" {
				_, err := c.Inspect(ctx)
				wantError(t, err, ErrNotFound)
				if err := c.t.r.create(ctx); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.Break(ctx, nil)
			wantError(t, err, ErrNotLeased)
			g := ok(c.Acquire(ctx, 15*time.Second, nil))(t)
			_, err = c.Acquire(ctx, 15*time.Second, nil)
			wantError(t, err, ErrHeld)
			ok(c.Acquire(ctx, 30*time.Second, &AcquireOptions{ProposedID: g.ID}))(t)
			ok(c.Renew(ctx, g.ID, nil))(t)
			changed := ok(c.Change(ctx, g.ID, NewID(), nil))(t)
			_, err = c.Renew(ctx, g.ID, nil)
			wantError(t, err, ErrLost)
			if i := ok(c.Inspect(ctx))(t); i.State != StateLeased || i.Infinite {
				t.Errorf("%+v", i)
			}
			if left := ok(c.Break(ctx, &BreakOptions{Period: new(10 * time.Second)}))(t); left < 8*time.Second || left > 10*time.Second {
				t.Errorf("free after %v", left)
			}
			_, err = c.Renew(ctx, changed.ID, nil)
			wantError(t, err, ErrLost)
			if err := c.Release(ctx, changed.ID, nil); err != nil {
				t.Error(err)
			}
			ok(c.Acquire(ctx, Infinite, nil))(t)
			if left := ok(c.Break(ctx, nil))(t); left != 0 {
				t.Errorf("an infinite lease is free after %v", left)
			}
		})
	}
}

func TestLiveLock(t *testing.T) {
	box := liveContainer(t)
	for kind, target := range map[string]Target{"blob": Blob(box.NewBlockBlobClient("lock")), "container": Container(box)} {
		t.Run(kind, func(t *testing.T) {
			renewed := make(chan struct{}, 100)
			c := newClient(t, target, &Options{Extensions: true, OnEvent: func(e Event) {
				if e.Kind == EventRenewed {
					renewed <- struct{}{}
				}
			}})
			o := &LockOptions{Duration: 15 * time.Second, CreateIfMissing: true, Epoch: true, Describe: Self("live  test: ä"), Poll: time.Second}
			l := ok(c.Lock(t.Context(), o))(t)
			held := &HeldError{}
			if _, err := c.TryLock(t.Context(), o); !asHeld(err, &held) || held.Holder == nil || held.Holder.Note != "live  test: ä" {
				t.Errorf("second lock: %v", err)
			}
			for range 2 {
				<-renewed
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
			next := make(chan *Lock)
			go func() {
				l, err := c.Lock(t.Context(), o)
				if err != nil {
					t.Error(err)
				}
				next <- l
			}()
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
			second := <-next
			if second == nil {
				return
			}
			first, _ := l.Epoch()
			if e, ok := second.Epoch(); !ok || e <= first {
				t.Errorf("epoch %d after %d", e, first)
			}
			if err := second.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func asHeld(err error, held **HeldError) (is bool) {
	*held, is = err.(*HeldError)
	return is
}

// TestLiveContention lets many goroutines fight for one lock, and counts under it.
func TestLiveContention(t *testing.T) {
	box := liveContainer(t)
	const n = 10
	var count, inside atomic.Int32
	done := make(chan error)
	for range n {
		c := newClient(t, Blob(box.NewBlockBlobClient("contended")), &Options{Extensions: true})
		go func() {
			done <- c.Do(t.Context(), &LockOptions{CreateIfMissing: true, Poll: time.Second}, func(context.Context, *Lock) error {
				if n := inside.Add(1); n != 1 {
					return fmt.Errorf("%d inside", n)
				}
				count.Add(1)
				inside.Add(-1)
				return nil
			})
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if count.Load() != n {
		t.Errorf("%d of %d were inside", count.Load(), n)
	}
}

// TestLiveExtensions shows what a server with extensions adds.
func TestLiveExtensions(t *testing.T) {
	box := liveContainer(t)
	c := newClient(t, Blob(box.NewBlockBlobClient("extended")), &Options{Extensions: true})
	o := &LockOptions{Duration: 15 * time.Second, CreateIfMissing: true, Epoch: true}
	l := ok(c.Lock(t.Context(), o))(t)
	r, err := c.grant(t.Context(), 0, func(ctx context.Context) (Grant, error) { return c.t.r.renew(ctx, l.ID(), nil) })
	if err != nil {
		t.Fatal(err)
	}
	if !offers(r.header, "wait") || !offers(r.header, "epoch") || !offers(r.header, "holder") {
		l.Release(t.Context())
		t.Skip("this store has no extensions: nothing to see")
	}
	i := ok(c.Inspect(t.Context()))(t)
	if i.Observed == nil || i.Observed.Principal == "" || i.Observed.Address == "" || !strings.Contains(i.Observed.Client, "azsdk-go") || i.Observed.Renewed.Before(i.Observed.Since) {
		t.Errorf("the server saw %+v", i.Observed)
	}
	if e, _ := l.Epoch(); e == 0 || e != i.Epoch || len(i.Metadata) > 0 {
		t.Errorf("epoch %d, then %d, with metadata %v", e, i.Epoch, i.Metadata)
	}

	const n = 5
	got := make(chan int, n)
	waiting := make(chan struct{}, n)
	for k := range n {
		waiter := newClient(t, Blob(box.NewBlockBlobClient("extended")), &Options{Extensions: true, OnEvent: func(e Event) {
			if e.Kind == EventWaiting {
				waiting <- struct{}{}
			}
		}})
		go func() {
			if err := waiter.Do(t.Context(), o, func(context.Context, *Lock) error { got <- k; return nil }); err != nil {
				t.Error(err)
			}
		}()
		<-waiting
		<-time.After(200 * time.Millisecond) // until it is in the queue: the event comes before the second request
	}
	start := time.Now()
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
	for k := range n {
		if first := <-got; first != k {
			t.Errorf("waiter %d came in place %d", first, k)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a queue of %d took %v", n, took)
	}
}
