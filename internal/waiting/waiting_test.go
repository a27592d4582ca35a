package waiting

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// resource is something that one request at a time can have.
type resource struct {
	mu    sync.Mutex
	taken bool
	order []int // who has got it
}

func (r *resource) attempt(who int) Attempt {
	return func() (time.Duration, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.taken {
			return time.Hour, fault.LeaseAlreadyPresent
		}
		r.taken = true
		r.order = append(r.order, who)
		return 0, nil
	}
}

func (r *resource) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = false
}

func TestServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		r := &resource{taken: true}
		for who := range 5 {
			go q.Acquire(t.Context(), "a", someone, Longest, r.attempt(who))
			synctest.Wait()
		}
		for range 5 {
			r.release()
			q.Changed("a")
			synctest.Wait()
		}
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(r.order, want) {
			t.Errorf("served in the order %v, want %v", r.order, want)
		}
		if n := q.waiting.Load(); n != 0 || len(q.byName) != 0 {
			t.Errorf("%d requests and %d queues are left", n, len(q.byName))
		}
	})
}

// someone waits where it does not matter who does.
var someone = Requester{Account: "acct", Principal: "key"}

// TestBounds fills the places of a resource, of a principal, of an account, and of the server: who
// finds no place is told at once, and others find one.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		r := &resource{taken: true}
		ctx, cancel := context.WithCancel(t.Context())
		names := 0
		wait := func(name string, by Requester, n int) {
			for who := range n {
				go q.Acquire(ctx, name, by, Longest, r.attempt(who))
			}
			synctest.Wait()
		}
		full := func(what, name string, by Requester) {
			t.Helper()
			start := time.Now()
			if err := q.Acquire(ctx, name, by, Longest, r.attempt(0)); !errors.Is(err, fault.LeaseAlreadyPresent) || time.Since(start) != 0 {
				t.Errorf("%s: %v after %v", what, err, time.Since(start))
			}
		}
		spread := func(by Requester, n int) { // over as many resources as it takes
			for ; n > 0; n -= maxWaitersResource {
				names++
				wait(strconv.Itoa(names), by, min(n, maxWaitersResource))
			}
		}
		first, second := Requester{"one", "a"}, Requester{"one", "b"}
		wait("resource", first, maxWaitersResource)
		full("one more for the resource", "resource", Requester{"two", "a"})
		spread(first, maxWaitersPrincipal-maxWaitersResource)
		full("one more of the principal", "free", first)
		spread(second, maxWaitersAccount-maxWaitersPrincipal)
		full("one more of the account", "free", second)
		spread(Requester{"two", "a"}, maxWaitersPrincipal)
		spread(Requester{"two", "b"}, maxWaiters-maxWaitersAccount-maxWaitersPrincipal)
		full("one more in all", "free", Requester{"three", "a"})
		if n := q.Len(); n != maxWaiters {
			t.Errorf("%d requests wait, want %d", n, maxWaiters)
		}
		cancel()
		synctest.Wait()
		if n := q.waiting.Load(); n != 0 || len(q.places) != 0 {
			t.Errorf("%d requests wait although their clients are gone, %d places are taken", n, len(q.places))
		}
	})
}

func TestLongestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		r := &resource{taken: true}
		start := time.Now()
		err := q.Acquire(t.Context(), "a", someone, time.Hour, r.attempt(0))
		if took := time.Since(start); !errors.Is(err, fault.LeaseAlreadyPresent) || took != Longest {
			t.Errorf("%v after %v, want LeaseAlreadyPresent after %v", err, took, Longest)
		}
	})
}

// TestPanicIsTheWaitersOwn lets the attempt of a request that waits panic when a timer serves it:
// the request fails, and the next one has its turn.
func TestPanicIsTheWaitersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		tries := 0
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			first <- q.Acquire(t.Context(), "a", someone, Longest, func() (time.Duration, error) {
				if tries++; tries < 3 { // on its own, and when it joins the queue
					return time.Second, fault.LeaseAlreadyPresent
				}
				panic("a mistake")
			})
		}()
		synctest.Wait()
		go func() {
			held := true
			second <- q.Acquire(t.Context(), "a", someone, Longest, func() (time.Duration, error) {
				if held {
					held = false
					return time.Hour, fault.LeaseAlreadyPresent
				}
				return 0, nil
			})
		}()
		if err := <-first; err == nil || !strings.Contains(err.Error(), "a mistake") {
			t.Errorf("the request whose attempt panics ends with %v", err)
		}
		if err := <-second; err != nil {
			t.Errorf("the next one ends with %v", err)
		}
	})
}

// TestStopSendsWaitersAway: at once, with an answer after which clients try again, and those that
// come later too. Who need not wait is served.
func TestStopSendsWaitersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		r := &resource{taken: true}
		outcomes := make(chan error, 4)
		for who, name := range []string{"a", "a", "b"} {
			go func() { outcomes <- q.Acquire(t.Context(), name, someone, Longest, r.attempt(who)) }()
		}
		synctest.Wait()
		start := time.Now()
		q.Stop()
		outcomes <- q.Acquire(t.Context(), "a", someone, Longest, r.attempt(3))
		for range 4 {
			err := <-outcomes
			full, ok := fault.Of(err)
			if !ok || full.Code != fault.ServerBusy || len(full.Header) != 1 || full.Header[0].Name != "Retry-After" {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
		if err := q.Acquire(t.Context(), "a", someone, 0, r.attempt(4)); !errors.Is(err, fault.LeaseAlreadyPresent) {
			t.Errorf("who does not wait got %v", err)
		}
		r.release()
		if err := q.Acquire(t.Context(), "a", someone, Longest, r.attempt(5)); err != nil {
			t.Errorf("the lease was free: %v", err)
		}
		synctest.Wait()
		if n := q.Len(); n != 0 || len(q.byName) != 0 {
			t.Errorf("%d requests and %d queues are left", n, len(q.byName))
		}
	})
}

// TestOutcomes: each way to end a wait is reported once, with the time that it took.
func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type ended struct {
			outcome Outcome
			waited  time.Duration
		}
		var got []ended
		q := Queues{Ended: func(o Outcome, d time.Duration) { got = append(got, ended{o, d}) }}
		free := time.Now().Add(10 * time.Second)
		try := func() (time.Duration, error) {
			if left := time.Until(free); left > 0 {
				return left, fault.LeaseAlreadyPresent
			}
			return 0, nil
		}
		broken := func() (time.Duration, error) {
			if time.Until(free) > 0 {
				return time.Until(free), fault.LeaseAlreadyPresent
			}
			return 0, fault.LeaseIDMismatchWithLeaseOperation
		}
		hangsUp, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		q.Acquire(t.Context(), "a", someone, time.Second, try)
		q.Acquire(hangsUp, "a", someone, Longest, try)
		q.Acquire(t.Context(), "a", someone, Longest, try)
		free = time.Now().Add(10 * time.Second)
		q.Acquire(t.Context(), "a", someone, Longest, broken)
		free = time.Now().Add(10 * time.Second)
		q.places = map[Requester]int{someone: maxWaitersPrincipal}
		q.Acquire(t.Context(), "a", someone, Longest, try)
		q.places = nil
		q.Stop()
		q.Acquire(t.Context(), "a", someone, Longest, try)
		want := []ended{{TimedOut, time.Second}, {Gone, time.Second}, {Granted, 8*time.Second + time.Millisecond},
			{Failed, 10*time.Second + time.Millisecond}, {Full, 0}, {Stopped, 0}}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestWaitersAreListed: who waits is listed in the order of turns, and not any more when it was
// served.
func TestWaitersAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queues
		held := true
		try := func() (time.Duration, error) {
			if held {
				return time.Hour, fault.LeaseAlreadyPresent
			}
			return 0, nil
		}
		for _, who := range []string{"a", "b"} {
			go q.Acquire(t.Context(), "lock", Requester{Account: "acct", Principal: who}, time.Minute, try)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		all := q.Waiters("lock")
		if len(all) != 2 || all[0].Principal != "a" || all[1].Since.Sub(all[0].Since) != time.Second || q.Counts()["lock"] != 2 {
			t.Errorf("waiters %+v, counts %v", all, q.Counts())
		}
		held = false
		q.Changed("lock")
		synctest.Wait()
		if len(q.Waiters("lock")) != 0 || len(q.Counts()) != 0 {
			t.Errorf("after all were served: %v, %v", q.Waiters("lock"), q.Counts())
		}
	})
}
