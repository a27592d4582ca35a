package hold

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestMeterIsNeverSlow: whatever one clock does, the other makes up for it, as long as somebody
// looks in between.
func TestMeterIsNeverSlow(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(p *process)
	}{
		{"nothing", func(p *process) { wait(time.Minute) }},
		{"sleep", func(p *process) { p.stop(true); wait(time.Minute); p.resume() }},
		{"stop", func(p *process) { p.stop(false); wait(time.Minute); p.resume() }},
		{"wall clock set back", func(p *process) { p.stepWall(-time.Hour); wait(time.Minute) }},
		{"wall clock set back, then sleep", func(p *process) {
			p.stepWall(-time.Hour)
			wait(2 * tick)
			p.stop(true)
			wait(time.Minute)
			p.resume()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newWorld(1, 1).procs[0]
				p.rate = 1
				m := newMeter(p, soundRules().elapsed)
				start, began := time.Now(), m.now()
				// While a request is on its way, the look of within is the only one.
				_, end := m.within(context.Background(), time.Hour)
				defer end()
				wait(5 * time.Second)
				test.do(p)
				if believed, passed := m.now().sub(began), time.Since(start); believed < passed {
					t.Errorf("believed %v of %v", believed, passed)
				} else if believed > passed+tick {
					t.Errorf("believed %v of %v, for no reason", believed, passed)
				}
			})
		})
	}
}

func TestMeterNeverRunsBackwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newWorld(1, 1).procs[0]
		m := newMeter(p, soundRules().elapsed)
		last := m.now()
		for _, step := range []time.Duration{-time.Hour, time.Minute, -time.Minute, 0} {
			p.stepWall(step)
			if now := m.now(); now < last {
				t.Errorf("after a step of %v it went back by %v", step, last.sub(now))
			} else {
				last = now
			}
		}
	})
}

func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(machineClock{time.Now()}, soundRules().elapsed)
		start := time.Now()
		ctx, end := m.within(t.Context(), 3500*time.Millisecond)
		defer end()
		<-ctx.Done()
		if took := time.Since(start); took != 3500*time.Millisecond || context.Cause(ctx) != errNoAnswer {
			t.Errorf("%v after %v", context.Cause(ctx), took)
		}
		ctx, end = m.within(t.Context(), time.Hour)
		end()
		if context.Cause(ctx) != context.Canceled {
			t.Errorf("ended with %v", context.Cause(ctx))
		}
	})
}
