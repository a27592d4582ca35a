package hold

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

func TestWatchYieldsChanges(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var seen []State
		var failures []error
		var all sync.WaitGroup
		all.Go(func() {
			for i, err := range c.Watch(ctx, &WatchOptions{Interval: time.Second}) {
				if err != nil {
					failures = append(failures, err)
					continue
				}
				seen = append(seen, i.State)
			}
		})
		wait(1500 * time.Millisecond)
		if err := c.t.r.create(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		ok(c.Acquire(t.Context(), 15*time.Second, nil))(t)
		wait(5 * time.Second)
		ok(c.Break(t.Context(), nil))(t)
		wait(15 * time.Second)
		cancel()
		all.Wait()
		want := []State{StateAvailable, StateLeased, StateBreaking, StateBroken}
		if len(seen) != len(want) {
			t.Fatalf("saw %v, want %v", seen, want)
		}
		for i := range want {
			if seen[i] != want[i] {
				t.Fatalf("saw %v, want %v", seen, want)
			}
		}
		if len(failures) != 2 || !errors.Is(failures[0], ErrNotFound) {
			t.Errorf("failures %v", failures)
		}
		for range c.Watch(t.Context(), nil) {
			break
		}
	})
}

func TestSeen(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	h := http.Header{}
	for k, v := range map[string]string{
		"-principal": "key", "-address": "::1", "-client": "a%20b%25", "-since": since.Format(time.RFC3339Nano), "-renewed": "2026-01-02T03:14:05Z",
	} {
		h.Set(prefixHolder+k, v)
	}
	want := Observed{Principal: "key", Address: "::1", Client: "a b%", Since: since, Renewed: time.Date(2026, 1, 2, 3, 14, 5, 0, time.UTC)}
	if got := observedOf(h); got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := observedOf(http.Header{}); got != nil {
		t.Errorf("out of nothing: %+v", got)
	}
}

func FuzzSeen(f *testing.F) {
	f.Add("a%20b%", "2026-01-02T03:04:05.678Z", "wait, epoch", "17")
	f.Fuzz(func(t *testing.T, text, moment, features, epoch string) {
		h := http.Header{}
		h.Set(prefixHolder+"-client", text)
		h.Set(prefixHolder+"-since", moment)
		h.Set(headerFeatures, features)
		h.Set(headerEpoch, epoch)
		if s := observedOf(h); s != nil && s.Since.IsZero() {
			t.Error("a holder without a beginning")
		}
		offers(h, "wait")
		epochOf(h)
	})
}

// recorder notes the headers of requests.
type recorder struct {
	store *holdtest.Store
	mu    sync.Mutex
	asked []http.Header
}

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked = append(r.asked, req.Header.Clone())
	r.mu.Unlock()
	return r.store.Do(req)
}

// TestNothingIsAskedUnlessTold: without Options.Extensions no request shows who made it.
func TestNothingIsAskedUnlessTold(t *testing.T) {
	for _, told := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *holdtest.Store) {
			s.Extensions = true
			s.Container("box")
			r := &recorder{store: s}
			c := newClient(t, recorded(t, r), &Options{Extensions: told})
			l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, Epoch: true}))(t)
			_, err := c.TryLock(t.Context(), nil)
			wantError(t, err, ErrHeld)
			ok(c.Inspect(t.Context()))(t)
			wait(time.Minute)
			l.Release(t.Context())
			asked := 0
			for _, h := range r.asked {
				if h.Get(headerAsk)+h.Get(headerWait)+h.Get(headerHolder) != "" {
					asked++
				}
			}
			if (asked > 0) != told {
				t.Errorf("told %v, asked %d times", told, asked)
			}
		})
	}
}
