// Package waiting lets requests wait for a lease that another holder has, and serves
// them in the order of their arrival.
package waiting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Limits of waiting. Each waiter keeps a connection and a goroutine.
const (
	// Longest is the longest wait, that of the longest finite lease.
	Longest = 60 * time.Second

	maxWaiters          = 2048 // in all: half of what a server serves at once by default
	maxWaitersAccount   = 1024 // of one account: other accounts find places as well
	maxWaitersPrincipal = 768  // of one principal of an account, for the same reason
	maxWaitersResource  = 512  // for one blob or container
)

// Requester identifies the sender of a waiting request: a principal of an account.
type Requester struct{ Account, Principal string }

// Queues hold the requests that wait for leases, one queue for each resource that is
// waited for. The zero value is empty and ready for use, by many goroutines.
type Queues struct {
	waiting atomic.Int64 // requests in all queues; 0 is the fast path of every method
	mu      sync.Mutex
	byName  map[string]*queue
	places  map[Requester]int // taken by each requester and, under an empty principal, by each account
	stopped bool              // nobody waits any more

	// Ended, if not nil, is called with the outcome of each request that asked to wait and found
	// the lease held, and how long the request waited.
	Ended func(Outcome, time.Duration)
}

// Outcome is how a request ended that found the lease held and asked to wait.
type Outcome string

// The outcomes.
const (
	Granted  Outcome = "granted"
	TimedOut Outcome = "timed_out"    // the time of the request was over
	Gone     Outcome = "gone"         // the client hung up
	Full     Outcome = "refused_full" // there was no place to wait
	Stopped  Outcome = "stopped"      // the server stops
	Failed   Outcome = "failed"       // the attempt failed for another reason than the lease
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Granted, TimedOut, Gone, Full, Stopped, Failed}

// queue holds the requests that wait for the lease of one resource.
type queue struct {
	// turn is held while the first request tries, so that nobody overtakes it.
	turn sync.Mutex

	mu      sync.Mutex // guards waiters and expiry
	waiters []*waiter
	expiry  *time.Timer
}

// Attempt tries to acquire a lease. If the error is [fault.LeaseAlreadyPresent], left is the time
// until the present lease ends.
type Attempt func() (left time.Duration, err error)

// waiter is one request in a queue.
type waiter struct {
	by    Requester
	since time.Time
	ctx   context.Context
	try   Attempt
	err   error         // the outcome, when done is closed
	done  chan struct{} // closed when the request was served, or sent away
}

// Acquire makes one attempt and, if the lease of the named resource is held, waits for its turn: at
// most wait, and never longer than Longest. Requests that wait already come first, even before a
// request that does not wait. If there is no place, ctx ends, or the time is over, Acquire returns
// the error of the last attempt; after Stop it returns [fault.ServerBusy].
func (q *Queues) Acquire(ctx context.Context, name string, by Requester, wait time.Duration, try Attempt) error {
	if own := q.find(name); own != nil {
		own.serve()
	}
	_, err := try()
	if wait <= 0 || !errors.Is(err, fault.LeaseAlreadyPresent) {
		return err
	}
	w := &waiter{by: by, since: time.Now(), ctx: ctx, try: try, done: make(chan struct{})}
	own, joinErr := q.join(name, by, w)
	switch {
	case joinErr != nil:
		q.ended(Stopped, 0)
		return joinErr
	case own == nil:
		q.ended(Full, 0)
		return err
	}
	defer q.leave(name, by, own)
	began := time.Now()
	over, err := own.wait(w, wait)
	q.ended(outcomeOf(err, over), time.Since(began))
	return err
}

// ended reports the outcome of a request.
func (q *Queues) ended(o Outcome, waited time.Duration) {
	if q.Ended != nil {
		q.Ended(o, waited)
	}
}

// outcomeOf returns the outcome of a request that has waited; over is its outcome if it was not
// served.
func outcomeOf(err error, over Outcome) Outcome {
	switch {
	case err == nil:
		return Granted
	case errors.Is(err, errStopped):
		return Stopped
	case over == "":
		return Failed
	}
	return over
}

// wait waits until the request is served, its time is over or its client is gone. over is the
// reason why it was not served, "" if it was.
func (own *queue) wait(w *waiter, wait time.Duration) (over Outcome, err error) {
	own.serve() // the present lease may have ended before the request joined
	timer := time.NewTimer(min(wait, Longest))
	defer timer.Stop()
	select {
	case <-w.done:
		return "", w.err
	case <-w.ctx.Done():
		over = Gone
	case <-timer.C:
		over = TimedOut
	}
	return over, own.giveUp(w)
}

// Len returns how many requests wait in all queues.
func (q *Queues) Len() int { return int(q.waiting.Load()) }

// Waiter is a request that waits.
type Waiter struct {
	Requester
	Since time.Time
}

// Waiters returns who waits for the lease of a resource, in the order of their turns.
func (q *Queues) Waiters(name string) (all []Waiter) {
	own := q.find(name)
	if own == nil {
		return nil
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	for _, w := range own.waiters {
		all = append(all, Waiter{w.by, w.since})
	}
	return all
}

// Counts returns how many requests wait for each resource that is waited for.
func (q *Queues) Counts() map[string]int {
	if q.waiting.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	counts := make(map[string]int, len(q.byName))
	for name, own := range q.byName {
		own.mu.Lock()
		if n := len(own.waiters); n > 0 {
			counts[name] = n
		}
		own.mu.Unlock()
	}
	return counts
}

// find returns the queue of a resource, nil when nobody waits for it.
func (q *Queues) find(name string) *queue {
	if q.waiting.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byName[name]
}

// Changed serves the queue of a resource whose lease may have ended.
func (q *Queues) Changed(name string) {
	if own := q.find(name); own != nil {
		go own.serve()
	}
}

// ChangedUnder is Changed for all resources whose name begins with prefix.
func (q *Queues) ChangedUnder(prefix string) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, own := range q.byName {
		if strings.HasPrefix(name, prefix) {
			go own.serve()
		}
	}
}

// errStopped sends a request away from a server that stops: the client tries again after the pause,
// and reaches the next server.
var errStopped = &fault.Error{Code: fault.ServerBusy, Header: []fault.Detail{{Name: "Retry-After", Value: "1"}}}

// Stop sends away all waiting requests at once, and every request that would wait later. Requests
// that need not wait are served as before.
func (q *Queues) Stop() {
	q.mu.Lock()
	q.stopped = true
	all := slices.Collect(maps.Values(q.byName))
	q.mu.Unlock()
	for _, own := range all {
		own.sendAway()
	}
}

// sendAway ends the wait of all requests in the queue.
func (q *queue) sendAway() {
	q.turn.Lock()
	defer q.turn.Unlock()
	for w := q.first(); w != nil; w = q.first() {
		q.remove(w)
		w.err = errStopped
		close(w.done)
	}
}

// join adds a request at the end of the queue; nil when there is no place.
func (q *Queues) join(name string, by Requester, w *waiter) (*queue, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return nil, errStopped
	}
	account := Requester{Account: by.Account}
	if q.waiting.Load() >= maxWaiters || q.places[account] >= maxWaitersAccount || q.places[by] >= maxWaitersPrincipal {
		return nil, nil
	}
	own := q.byName[name]
	if own == nil {
		own = &queue{}
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if len(own.waiters) >= maxWaitersResource {
		return nil, nil
	}
	own.waiters = append(own.waiters, w)
	if q.byName == nil {
		q.byName, q.places = make(map[string]*queue), make(map[Requester]int)
	}
	q.byName[name] = own
	q.places[account]++
	q.places[by]++
	q.waiting.Add(1)
	return own, nil
}

// leave gives back the place of a request that has left its queue; the last request to leave ends
// the queue.
func (q *Queues) leave(name string, by Requester, own *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.Add(-1)
	for _, r := range []Requester{by, {Account: by.Account}} {
		if q.places[r]--; q.places[r] == 0 {
			delete(q.places, r)
		}
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if len(own.waiters) == 0 && q.byName[name] == own {
		delete(q.byName, name)
		own.stopTimer()
	}
}

func (q *queue) stopTimer() {
	if q.expiry != nil {
		q.expiry.Stop()
		q.expiry = nil
	}
}

// serve lets requests try in order until one of them finds the lease held.
func (q *queue) serve() {
	q.turn.Lock()
	defer q.turn.Unlock()
	for {
		w := q.first()
		if w == nil {
			return
		}
		left, err := w.attempt()
		if errors.Is(err, fault.LeaseAlreadyPresent) {
			q.serveAfter(left)
			return
		}
		q.remove(w)
		w.err = err
		close(w.done)
	}
}

// attempt runs the attempt of the request, unless its client is gone. It runs on the goroutine of a
// timer or of another request, so a panic becomes the error of the request that it belongs to.
func (w *waiter) attempt() (left time.Duration, err error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	defer func() {
		if p := recover(); p != nil {
			left, err = 0, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.try()
}

func (q *queue) first() *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiters) == 0 {
		return nil
	}
	return q.waiters[0]
}

func (q *queue) remove(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.waiters {
		if q.waiters[i] == w {
			q.waiters = append(q.waiters[:i], q.waiters[i+1:]...)
			return
		}
	}
}

// serveAfter schedules the queue to be served when the present lease ends. An infinite lease is
// ended by a request, which calls Changed.
func (q *queue) serveAfter(left time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopTimer()
	if len(q.waiters) > 0 && left < Longest {
		q.expiry = time.AfterFunc(left+time.Millisecond, q.serve)
	}
}

// giveUp takes a request out of its queue and returns the answer that it would get now, unless it
// was served meanwhile.
func (q *queue) giveUp(w *waiter) error {
	q.turn.Lock()
	defer q.turn.Unlock()
	select {
	case <-w.done:
		return w.err
	default:
	}
	q.remove(w)
	_, err := w.attempt()
	return err
}
