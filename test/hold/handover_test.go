package hold

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/test/harness"
)

// dialer is a transport for many requests at once. It tells of requests that wait at the server,
// and counts the connections that it makes.
type dialer struct {
	client http.Client
	dials  atomic.Int32
	waits  chan struct{} // nil: nobody wants to know
}

func newDialer(waits chan struct{}) *dialer {
	d := &dialer{waits: waits}
	d.client.Transport = &http.Transport{
		MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d.dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	return d
}

// Do sends a request.
func (d *dialer) Do(r *http.Request) (*http.Response, error) {
	if d.waits != nil && r.Header.Get("leasehold-wait") != "" {
		d.waits <- struct{}{}
	}
	return d.client.Do(r)
}

// newContainer makes a container at the server. d may be nil.
func newContainer(t *testing.T, s *harness.Server, d *dialer) *container.Client {
	t.Helper()
	o := &azblob.ClientOptions{}
	if d != nil {
		o.ClientOptions = azcore.ClientOptions{Transport: d}
		t.Cleanup(d.client.CloseIdleConnections)
	}
	service, err := azblob.NewClientFromConnectionString(s.ConnectionString(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := service.ServiceClient().NewContainerClient("hold-" + strings.ToLower(harness.NewID()))
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHandOver has many wait for one lock, and logs how long after a release the next one has it.
// Those who poll have just begun to wait, and so look often; with LEASEHOLD_TEST=long they have
// waited longer.
func TestHandOver(t *testing.T) {
	s := harness.Start(t, &harness.Options{Metrics: true})
	s.NeedOwn()
	t.Run("server waits", func(t *testing.T) {
		const n = 64
		order := handOver(t, s, n, true)
		for place, waiter := range order {
			if place != waiter {
				t.Errorf("waiter %d came in place %d: %v", waiter, place, order)
				break
			}
		}
	})
	t.Run("polling", func(t *testing.T) {
		const n = 8
		order := handOver(t, s, n, false) // in any order
		slices.Sort(order)
		for place, waiter := range order {
			if place != waiter {
				t.Errorf("of %d waiters came %v", n, order)
				break
			}
		}
	})
}

// inQueue returns when n requests wait at the server.
func inQueue(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	late := time.After(30 * time.Second)
	for s.Metric("leasehold_lease_waiters") != float64(n) {
		select {
		case <-late:
			t.Fatalf("%d requests do not come to wait", n)
		case <-time.After(time.Millisecond):
		}
	}
}

// handOver lets n clients wait for a lock, one after another, gives it up, and returns the order in
// which they had it.
func handOver(t *testing.T, s *harness.Server, n int, extensions bool) (order []int) {
	t.Helper()
	waiting := make(chan struct{}, 2*n)
	d, options := newDialer(nil), &hold.Options{OnEvent: func(e hold.Event) {
		if e.Kind == hold.EventWaiting {
			waiting <- struct{}{}
		}
	}}
	if extensions {
		d, options = newDialer(waiting), &hold.Options{Extensions: true}
	}
	lock := newContainer(t, s, d).NewBlockBlobClient("lock")
	o := &hold.LockOptions{CreateIfMissing: true, Duration: time.Minute}
	client := func(o *hold.Options) *hold.Client {
		c, err := hold.New(hold.Blob(lock), o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, err := client(nil).TryLock(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	type visit struct {
		waiter int
		at     time.Time // when it had the lock, and released it
	}
	visits := make(chan visit, 2*n)
	for k := range n {
		c := client(options)
		go func() {
			err := c.Do(t.Context(), o, func(context.Context, *hold.Lock) error {
				visits <- visit{k, time.Now()}
				return nil
			})
			if err != nil {
				t.Error(err)
				waiting <- struct{}{}
				visits <- visit{waiter: -1}
			}
		}()
		<-waiting
		if extensions {
			inQueue(t, s, k+1) // so far it has only been sent
		}
	}
	if !extensions && long() {
		<-time.After(10 * time.Second) // the pauses of those who poll grow to their full length
	}
	released := time.Now()
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range n {
		v := <-visits
		took = append(took, v.at.Sub(released))
		released = v.at
		order = append(order, v.waiter)
	}
	slices.Sort(took)
	t.Logf("%d hand-overs: p50 %v, p99 %v, longest %v", n, took[n/2], took[(n*99+99)/100-1], took[n-1])
	return order
}
