package kv

import "time"

// SystemClock returns a clock for NewClock: the wall time of this moment plus the time that has
// passed since, including the time for which the machine slept if the system reports it. The clock
// that Go reads stands meanwhile, and a lease would then outlive the sleep of the machine by its
// length.
func SystemClock() func() time.Time {
	if _, ok := sinceBoot(); !ok {
		return time.Now
	}
	return clockSince(time.Now().Round(0), func() time.Duration {
		passed, _ := sinceBoot()
		return passed
	})
}

// clockSince returns a clock that shows start now, and goes as passed does.
func clockSince(start time.Time, passed func() time.Duration) func() time.Time {
	from := passed()
	return func() time.Time { return start.Add(passed() - from) }
}
