package guard

import "time"

// timetable decides when a command is asked to end, and when it is killed.
type timetable struct {
	until Moment // nobody else can have the lease before it
	grace time.Duration
	asked bool   // to end
	kill  Moment // when it is killed; valid once it was asked to end
}

// step is the action that is due.
type step int

const (
	nothing step = iota
	ask          // the command is to be asked to end
	kill         // the command and its descendants are to be killed
)

// extend moves the deadline, unless the command has been asked to end.
func (t *timetable) extend(until Moment) {
	if !t.asked {
		t.until = until
	}
}

// end schedules the end of the command: after the grace, or at the deadline if that is sooner.
func (t *timetable) end(now Moment, grace time.Duration) {
	at := min(now.Add(grace), t.until)
	if t.asked {
		at = min(at, t.kill)
	}
	t.asked, t.kill = true, at
}

// due returns the action that is due now.
func (t *timetable) due(now Moment) step {
	switch {
	case t.asked && now >= t.kill:
		return kill
	case t.asked:
		return nothing
	case now >= t.until:
		t.end(now, 0)
		return kill
	case now >= t.until.Add(-t.grace):
		t.asked, t.kill = true, t.until
		return ask
	}
	return nothing
}

// next returns when the next action is due, unless an order arrives first.
func (t *timetable) next() Moment {
	if t.asked {
		return t.kill
	}
	return t.until.Add(-t.grace)
}
