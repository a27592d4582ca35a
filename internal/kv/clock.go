package kv

import (
	"sync/atomic"
	"time"
)

// Clock is the time of an engine that has none of its own: the wall time when it
// was made plus the time that has passed since, so that a step of the wall clock
// does not move it; and never below the floor it was given, so that a restart
// behind a stepped wall clock goes on from there. It is safe for concurrent use.
type Clock struct {
	wall  func() time.Time
	start time.Time
	base  int64 // in ticks since 1970, at start
	last  atomic.Int64
}

// NewClock returns a clock that reads wall (nil means time.Now) and shows no time
// before floor, the highest time that an earlier clock of the same store is
// known to have shown. The zero floor means none.
//
// The passing of time is the difference between two readings of wall, which for
// time.Now is monotonic; a wall without monotonic readings, as in tests, can be
// stepped, and the clock then follows it forward and waits when it goes back.
func NewClock(wall func() time.Time, floor time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	c := &Clock{wall: wall, start: wall()}
	c.base = ticks(c.start)
	if !floor.IsZero() {
		c.base = max(c.base, ticks(floor))
		c.last.Store(ticks(floor))
	}
	return c
}

// Now returns a time not before any that the clock has shown.
func (c *Clock) Now() time.Time { return c.advance(0) }

// Next returns a time at least Tick after every one that the clock has shown.
func (c *Clock) Next() time.Time { return c.advance(1) }

// Last returns the highest time the clock has shown, its floor if it has shown none.
func (c *Clock) Last() time.Time { return fromTicks(c.last.Load()) }

func (c *Clock) advance(step int64) time.Time {
	now := c.base + int64(c.wall().Sub(c.start)/Tick)
	for {
		last := c.last.Load()
		t := max(now, last+step)
		if t == last || c.last.CompareAndSwap(last, t) {
			return fromTicks(t)
		}
	}
}

func ticks(t time.Time) int64 { return t.UnixNano() / int64(Tick) }

func fromTicks(n int64) time.Time { return time.Unix(0, n*int64(Tick)).UTC() }
