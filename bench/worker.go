package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// worker is one connection with one goroutine that sends request after request.
type worker struct {
	id      int
	client  client
	ans     answer
	bytes   int64   // body bytes sent and received
	latency []int64 // of each request, in nanoseconds
	elapsed time.Duration
	err     error

	redial func() (client, error) // when set, a broken connection is replaced and its request repeated, once
}

// newWorker connects a worker to a target. Whatever is sent has to end before the deadline.
func newWorker(t *target, kind string, id int, deadline time.Time) (*worker, error) {
	connect := func() (client, error) {
		c, err := dial(kind, t)
		if err == nil {
			c.deadline(deadline)
		}
		return c, err
	}
	c, err := connect()
	if err != nil {
		return nil, err
	}
	w := &worker{id: id, client: c, latency: make([]int64, 0, 4096)}
	if t.role == peer { // it resets connections that were idle while it stood still for some seconds
		w.redial = connect
	}
	return w, nil
}

// step does one unit of work, of one or more requests. It returns errDone when there is nothing
// left to do.
type step func(*worker) error

// errDone ends a worker's slice before its time.
var errDone = errors.New("no work left")

// call sends one request, times it, and fails unless one of the wanted statuses comes back.
func (w *worker) call(c *call, want ...int) error {
	start := time.Now()
	err := w.client.do(c, &w.ans)
	if err != nil && w.redial != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		if again, failed := w.redial(); failed == nil {
			w.client.close()
			w.client = again
			err = again.do(c, &w.ans)
		}
	}
	w.latency = append(w.latency, int64(time.Since(start)))
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.method, c.target(), err)
	}
	w.bytes += w.ans.read + int64(len(c.body))
	for _, status := range want {
		if w.ans.status == status {
			return nil
		}
	}
	return fmt.Errorf("%s %s: want %v, got %s", c.method, c.target(), want, &w.ans)
}

// content is what a body must be.
type content struct {
	size int64
	sum  uint32
}

// expect fails unless the last answer carried this content.
func (w *worker) expect(c content) error {
	if w.ans.read != c.size || w.ans.sum != c.sum {
		return fmt.Errorf("content: want %d bytes with sum %08x, got %s with sum %08x", c.size, c.sum, &w.ans, w.ans.sum)
	}
	return nil
}

// slice is what a set of workers did in a stretch of time.
type slice struct {
	requests int
	bytes    int64
	rate     float64 // requests a second
	latency  []int64
	wall     time.Duration
	cpu      time.Duration // of the target
	machine  time.Duration // of everything on the machine
	client   time.Duration // of this process
}

// stall is how long past the end of a slice a request may take before it counts as an error.
const stall = 30 * time.Second

// runSlice lets one worker per step work for d. Connections are made, and used once, before the
// clock starts. The rate is the sum of the workers' own rates, so that a slow last request does not
// count against the others.
func runSlice(t *target, kind string, steps []step, warm *call, d time.Duration) (slice, error) {
	workers, err := connect(t, kind, len(steps), warm, time.Now().Add(stall+d))
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.client.close()
			}
		}
	}()
	if err != nil {
		return slice{}, err
	}
	var s slice
	cpu, machine, self := cpuTime(t.pid), machineBusy(), ownCPU()
	start := time.Now()
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { w.run(steps[i], start, d) })
	}
	wg.Wait()
	s.wall = time.Since(start)
	s.cpu, s.machine, s.client = cpuTime(t.pid)-cpu, machineBusy()-machine, ownCPU()-self
	for _, w := range workers {
		if w.err != nil {
			return s, w.err
		}
		s.requests += len(w.latency)
		s.bytes += w.bytes
		s.latency = append(s.latency, w.latency...)
		if w.elapsed > 0 {
			s.rate += float64(len(w.latency)) / w.elapsed.Seconds()
		}
	}
	return s, nil
}

// connect makes n workers and lets each send one request, all at a time, since idle connections
// don't last for ever.
func connect(t *target, kind string, n int, warm *call, deadline time.Time) ([]*worker, error) {
	workers, errs := make([]*worker, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		w, err := newWorker(t, kind, i, deadline)
		if err != nil {
			return workers, err
		}
		workers[i] = w
		own := *warm
		own.fields = slices.Clone(warm.fields)
		wg.Go(func() { errs[i] = w.client.do(&own, &w.ans) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return workers, fmt.Errorf("first request of a connection: %w", err)
		}
	}
	return workers, nil
}

func (w *worker) run(do step, start time.Time, d time.Duration) {
	defer func() { w.elapsed = time.Since(start) }()
	for time.Since(start) < d {
		if err := do(w); err != nil {
			if !errors.Is(err, errDone) {
				w.err = err
			}
			return
		}
	}
}
