package disk

import "sync"

// syncGroup lets callers that need the same sync at the same time share one. Each caller passes
// what the sync has to cover.
type syncGroup[T any] struct {
	sync func([]T) error
	turn chan struct{} // full while sync runs

	mu     sync.Mutex
	next   *sharedSync[T] // the one that others can still join; nil if nobody waits
	failed int            // how many syncs have failed
	err    error          // of the last that has
}

// sharedSync is one call of sync and its outcome.
type sharedSync[T any] struct {
	items []T
	done  chan struct{} // closed when err is set
	err   error
}

func newSyncGroup[T any](fn func([]T) error) *syncGroup[T] {
	return &syncGroup[T]{sync: fn, turn: make(chan struct{}, 1)}
}

// failures returns how many syncs have failed. A caller of join asks before its first write.
func (g *syncGroup[T]) failures() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// join returns, with its error, after a call of sync that began after join and was given x. The
// first caller makes the call; others join it while the previous call still runs. A sync that has
// failed since failures returned before may have lost what was written since, and the next would
// succeed without it: then join fails, too.
func (g *syncGroup[T]) join(x T, before int) error {
	g.mu.Lock()
	call, first := g.next, g.next == nil
	if first {
		call = &sharedSync[T]{done: make(chan struct{})}
		g.next = call
	}
	call.items = append(call.items, x)
	g.mu.Unlock()
	if first {
		g.lead(call)
	} else {
		<-call.done
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if call.err == nil && g.failed != before {
		return g.err
	}
	return call.err
}

// lead makes a call of sync that others may have joined.
func (g *syncGroup[T]) lead(call *sharedSync[T]) {
	g.turn <- struct{}{}
	g.mu.Lock()
	g.next = nil
	g.mu.Unlock()
	call.err = g.sync(call.items)
	if call.err != nil {
		g.mu.Lock()
		g.failed++
		g.err = call.err
		g.mu.Unlock()
	}
	close(call.done)
	<-g.turn
}
