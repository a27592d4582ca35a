package hold

import (
	"context"
	"sync"
	"time"
)

// clock reads the machine's time. Tests replace it.
type clock interface {
	// now reads both clocks: the time since some fixed moment on the monotonic one, and the wall
	// clock.
	now() (mono time.Duration, wall time.Time)
	// afterFunc runs f in a goroutine of its own once d has passed on the monotonic clock. The
	// function it returns prevents that, unless it is too late.
	afterFunc(d time.Duration, f func()) (stop func() bool)
}

type machineClock struct{ start time.Time }

func (c machineClock) now() (time.Duration, time.Time) {
	t := time.Now()
	return t.Sub(c.start), t.Round(0)
}

func (c machineClock) afterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// instant is a moment in the time of a meter.
type instant time.Duration

func (i instant) add(d time.Duration) instant     { return i + instant(d) }
func (i instant) sub(other instant) time.Duration { return time.Duration(i - other) }
func (i instant) after(other instant) bool        { return i > other }

// meter measures how much time may have passed, on the safe side: between any two readings it
// believes the clock that says more. The monotonic clock stands still while a machine sleeps, the
// wall clock can be set back; as long as both don't fail between the same two readings, a meter is
// never slow. It never runs backwards. It can be fast, by the sum of all forward steps of the wall
// clock, and then a lease is given up early.
type meter struct {
	clock   clock
	elapsed func(mono, wall time.Duration) time.Duration

	mu    sync.Mutex
	mono  time.Duration
	wall  time.Time
	total instant
}

func newMeter(c clock, elapsed func(mono, wall time.Duration) time.Duration) *meter {
	m := &meter{clock: c, elapsed: elapsed}
	m.mono, m.wall = c.now()
	return m
}

func (m *meter) now() instant {
	m.mu.Lock()
	defer m.mu.Unlock()
	mono, wall := m.clock.now()
	m.total = m.total.add(max(0, m.elapsed(mono-m.mono, wall.Sub(m.wall))))
	m.mono, m.wall = mono, wall
	return m.total
}

// tick is how long a timer is trusted. Timers follow the monotonic clock, so after a sleep of the
// machine they are late by at most this.
const tick = time.Second

// sleepUntil waits until the meter shows t. It returns false when ctx ends first.
func (m *meter) sleepUntil(ctx context.Context, t instant) bool {
	for {
		left := t.sub(m.now())
		if left <= 0 {
			return ctx.Err() == nil
		}
		woken := make(chan struct{})
		stop := m.clock.afterFunc(min(left, tick), func() { close(woken) })
		select {
		case <-woken:
		case <-ctx.Done():
			stop()
			return false
		}
	}
}

// within returns a context that ends d after now, at the latest, with errNoAnswer as its cause.
// Until it ends, the clocks are read at every tick: while a request is on its way nobody else may
// do that, and between two readings that are far apart both clocks can fail.
func (m *meter) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	var (
		mu   sync.Mutex
		stop = func() bool { return true }
		over bool
		look func()
	)
	until := m.now().add(d)
	look = func() {
		mu.Lock()
		defer mu.Unlock()
		left := until.sub(m.now())
		switch {
		case over:
		case left <= 0:
			end(errNoAnswer)
		default:
			stop = m.clock.afterFunc(min(left, tick), look)
		}
	}
	look()
	return ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		stop()
		end(context.Canceled)
	}
}
