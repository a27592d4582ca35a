package k8slock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/hold/holdtest"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func candidate(t *testing.T, s *holdtest.Store, name string, o *Options) *Lock {
	t.Helper()
	l, err := New(s.Blob("box", "leader"), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestElectorsElectOne runs the elector of client-go with several candidates, who resign, and are
// stopped without resigning, in turn.
func TestElectorsElectOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := holdtest.NewStore()
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		leading, terms := map[string]bool{}, 0
		var events atomic.Int32
		var all sync.WaitGroup
		for i := range 4 {
			name := fmt.Sprint("candidate ", i)
			lock := candidate(t, s, name, &Options{OnEvent: func(string) { events.Add(1) }})
			all.Go(func() {
				for ctx.Err() == nil {
					term, stop := context.WithCancel(ctx)
					leaderelection.RunOrDie(term, leaderelection.LeaderElectionConfig{
						Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
						ReleaseOnCancel: i%2 == 0, Name: name,
						Callbacks: leaderelection.LeaderCallbacks{
							OnStartedLeading: func(ctx context.Context) {
								mu.Lock()
								leading[name] = true
								terms++
								if len(leading) != 1 {
									t.Errorf("leaders: %v", leading)
								}
								mu.Unlock()
								<-time.After(40 * time.Second)
								mu.Lock()
								delete(leading, name)
								mu.Unlock()
								stop()
							},
							OnStoppedLeading: func() {},
						},
					})
					<-time.After(time.Second)
				}
			})
		}
		<-time.After(20 * time.Minute)
		cancel()
		all.Wait()
		<-time.After(time.Minute)
		if terms < 10 || int(events.Load()) < terms {
			t.Errorf("%d terms and %d events in 20 minutes", terms, events.Load())
		}
	})
}

func record(name string) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: name, LeaseDurationSeconds: 15}
}

func TestContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := holdtest.NewStore(), t.Context()
		a, b := candidate(t, s, "a", nil), candidate(t, s, "b", nil)
		a.RecordEvent("nobody listens")
		if _, _, err := a.Get(ctx); !apierrors.IsNotFound(err) {
			t.Errorf("get without a record: %v", err)
		}
		if err := a.Update(ctx, record("a")); err == nil {
			t.Error("update without a record")
		}
		if err := a.Create(ctx, record("a")); err != nil {
			t.Fatal(err)
		}
		if err := b.Create(ctx, record("b")); !apierrors.IsAlreadyExists(err) {
			t.Errorf("create while leased: %v", err)
		}
		if r, text, err := b.Get(ctx); err != nil || r.HolderIdentity != "a" || len(text) == 0 {
			t.Fatalf("%+v, %s, %v", r, text, err)
		}
		if err := b.Update(ctx, record("b")); !errors.Is(err, hold.ErrHeld) {
			t.Errorf("the record of a leader was overwritten: %v", err)
		}
		if err := a.Update(ctx, record("a")); err != nil {
			t.Error(err)
		}
		if err := a.Update(ctx, record("")); err != nil {
			t.Error(err)
		}
		if id := s.Holder("box/leader"); id != "" {
			t.Error("resigning did not release the lease")
		}
		if err := b.Create(ctx, record("b")); !apierrors.IsAlreadyExists(err) {
			t.Errorf("create over a record: %v", err)
		}
		if err := b.Update(ctx, record("b")); err == nil {
			t.Error("a record that changed since was overwritten")
		}
		if id := s.Holder("box/leader"); id != "" {
			t.Error("an update that failed left a lease behind")
		}
		if _, _, err := b.Get(ctx); err != nil {
			t.Fatal(err)
		}
		if err := b.Update(ctx, record("b")); err != nil {
			t.Error(err)
		}
		long := record("b")
		long.LeaseDurationSeconds = 61
		if err := b.Update(ctx, long); err == nil {
			t.Error("a lease of 61 s")
		}
		if a.Identity() != "a" || a.Describe() != holdtest.Endpoint+"/box/leader" {
			t.Error(a.Identity(), a.Describe())
		}
		if _, err := New(s.Blob("box", "leader"), "", nil); err == nil {
			t.Error("a candidate without an identity")
		}
	})
}
