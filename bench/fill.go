package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// fillConns is the number of connections that fill a store: enough for writes to share the disk's
// syncs. The peer gains nothing beyond a few.
func (s *stage) fillConns() int {
	if s.role == peer {
		return 8
	}
	return 96
}

// fill puts n blobs, named by path.
func (s *stage) fill(n int, path func(i int) string, data *bodies) error {
	return forEach(s, n, func(int) *call { return putCall(data) }, func(w *worker, c *call, i int) error {
		c.path = path(i)
		c.body = data.of(c.path)
		return w.call(c, 201)
	})
}

// readBack checks that blobs hold what was put.
func (s *stage) readBack(paths pathList, data *bodies) error {
	return forEach(s, len(paths), func(int) *call { return getCall("") }, func(w *worker, c *call, i int) error {
		c.path = paths[i]
		if err := w.call(c, 200); err != nil {
			return err
		}
		return w.expect(data.want(c.path))
	})
}

// forEach does n pieces of work over many connections, outside any measurement, each worker with a
// tool of its own. On the ceiling, which keeps nothing, there is nothing to do.
func forEach[T any](s *stage, n int, tool func(worker int) T, do func(w *worker, tool T, i int) error) error {
	if !s.store() || n == 0 {
		return nil
	}
	var next atomic.Int64
	var group sync.WaitGroup
	conns := min(s.fillConns(), n)
	errs := make([]error, conns)
	for id := range conns {
		group.Go(func() {
			w, err := newWorker(s.target, rawKind, id, time.Now().Add(2*stall))
			if err != nil {
				errs[id] = err
				return
			}
			defer func() { w.client.close() }()
			t := tool(id)
			for i := next.Add(1) - 1; i < int64(n) && errs[id] == nil; i = next.Add(1) - 1 {
				w.client.deadline(time.Now().Add(2 * stall))
				w.latency = w.latency[:0]
				errs[id] = do(w, t, int(i))
			}
			if errs[id] != nil {
				next.Store(int64(n)) // ends the others
			}
		})
	}
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	s.watch(n, &next, finished)
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("outside the measurement: %w", err)
		}
	}
	return nil
}

// watch reports the progress of long work every few seconds.
func (s *stage) watch(n int, next *atomic.Int64, finished <-chan struct{}) {
	start := time.Now()
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-finished:
			return
		case <-every.C:
			done := min(next.Load(), int64(n))
			s.progress("  %s: %s of %s, %.0f/s", s.role, thousands(int(done)), thousands(n), float64(done)/time.Since(start).Seconds())
		}
	}
}

// makeContainer creates the container of the stage. That it exists already is fine.
func (s *stage) makeContainer() error {
	if !s.store() {
		return nil
	}
	w, err := newWorker(s.target, rawKind, 0, time.Now().Add(stall))
	if err != nil {
		return err
	}
	defer w.client.close()
	return w.call(newCall("PUT", s.base+"/"+s.container, "restype=container", nil, "x-ms-version", version), 201, 409)
}
