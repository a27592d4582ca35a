package journal

import (
	"time"

	"github.com/leasehold/leasehold/internal/lease"
)

// slots is how many seconds the wheel has: more than the longest finite lease. What ends later is
// looked at once a turn.
const slots = 64

// wheel finds the leases that end by time, to the second. It decides nothing: whether a lease has
// ended is read from its entry.
type wheel struct {
	last int64 // the second up to which it has been turned
	slot [slots][]*entry
}

// add has a locked entry looked at when it may have ended.
func (w *wheel) add(e *entry) {
	if end := e.over(); end != 0 {
		w.at(e, int64(end+lease.Instant(time.Second)-1)/int64(time.Second))
	}
}

// addIdle has a resting entry looked at after a turn.
func (w *wheel) addIdle(e *entry) { w.at(e, w.last+slots-1) }

// at has an entry looked at in a second or before. One that is looked at earlier anyway is put
// into its place then.
func (w *wheel) at(e *entry, second int64) {
	second = min(max(second, w.last+1), w.last+slots-1)
	if e.due != 0 && e.due <= second {
		return
	}
	e.due = second
	w.slot[second%slots] = append(w.slot[second%slots], e)
}

// Ended is a resource whose lease ended by time.
type Ended struct {
	Name       Name
	Generation uint64
}

// Advance notices which leases have ended by time, and brings the table into order. It is called
// about once a second, by one goroutine.
func (j *Journal) Advance(now time.Time) (ended []Ended) {
	for second := j.nextSecond(now); second != 0; second = j.nextSecond(now) {
		ended = append(ended, j.turn(second, now)...)
	}
	j.ordering.Lock()
	defer j.ordering.Unlock()
	j.sort()
	return ended
}

// nextSecond returns the second that the wheel is turned to next; 0 if it is up to date. After a
// jump of the clock one turn looks at everything.
func (j *Journal) nextSecond(now time.Time) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := &j.wheel
	if w.last >= now.Unix() {
		return 0
	}
	w.last = max(w.last+1, now.Unix()-slots+1)
	return w.last
}

// turn looks at the entries of a second.
func (j *Journal) turn(second int64, now time.Time) (ended []Ended) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := second % slots
	due := j.wheel.slot[at]
	j.wheel.slot[at] = nil
	for _, e := range due {
		if e.due > second || e.due == 0 {
			continue // it was put into another second
		}
		e.due = 0
		switch end := e.over(); {
		case !e.locked:
			if e.resting {
				e.resting = false
				j.resting--
				if j.live[e.name] == e {
					delete(j.live, e.name)
				}
			}
		case end != 0 && end <= lease.At(now):
			j.expire(e, end)
			ended = append(ended, Ended{e.name, e.generation})
		default:
			j.wheel.add(e)
		}
	}
	return ended
}

// expire notes that a lease ended by time.
func (j *Journal) expire(e *entry, at lease.Instant) {
	kind := Expired
	if e.breaking {
		kind = Freed
	}
	o := Occurrence{At: at, Kind: kind, Name: e.name, Held: time.Duration(at - e.since)}
	if e.holder != nil {
		o.By = *e.holder
	}
	j.occur(o)
	j.events.add(Event{At: at, Kind: kind, Name: e.name, Epoch: e.epoch, By: e.holder})
	j.lock(e, false)
	j.version.Add(1)
}
