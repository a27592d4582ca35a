package guard

import (
	"testing"
	"time"
)

// TestTimetable goes through what can happen to a command with a deadline at 100 s and a grace of 5
// s.
func TestTimetable(t *testing.T) {
	const s = Moment(time.Second)
	extend := func(at Moment) func(*timetable) { return func(t *timetable) { t.extend(at) } }
	end := func(now Moment, grace time.Duration) func(*timetable) {
		return func(t *timetable) { t.end(now, grace) }
	}
	type look struct {
		at   Moment
		want step
	}
	for name, tc := range map[string]struct {
		orders []func(*timetable)
		looks  []look
		next   Moment
	}{
		"in time":                         {nil, []look{{94 * s, nothing}}, 95 * s},
		"asked a grace before, then kill": {nil, []look{{95 * s, ask}, {99 * s, nothing}, {100 * s, kill}, {101 * s, kill}}, 100 * s},
		"no grace when it wakes too late": {nil, []look{{94 * s, nothing}, {200 * s, kill}}, 100 * s},
		"renewed":                         {[]func(*timetable){extend(110 * s)}, []look{{100 * s, nothing}, {105 * s, ask}, {110 * s, kill}}, 110 * s},
		"a deadline may come sooner":      {[]func(*timetable){extend(90 * s)}, []look{{85 * s, ask}, {90 * s, kill}}, 90 * s},
		"told to end":                     {[]func(*timetable){end(10*s, 5*time.Second)}, []look{{14 * s, nothing}, {15 * s, kill}}, 15 * s},
		"told to end near the deadline":   {[]func(*timetable){end(98*s, 5*time.Second)}, []look{{99 * s, nothing}, {100 * s, kill}}, 100 * s},
		"told to end, then lost":          {[]func(*timetable){end(10*s, 5*time.Second), end(11*s, 0)}, []look{{11 * s, kill}}, 11 * s},
		"lost, then told to end":          {[]func(*timetable){end(10*s, 0), end(11*s, 5*time.Second)}, []look{{11 * s, kill}}, 10 * s},
		"renewed too late":                {[]func(*timetable){end(10*s, 5*time.Second), extend(200 * s)}, []look{{15 * s, kill}}, 15 * s},
	} {
		tt := timetable{until: 100 * s, grace: 5 * time.Second}
		for _, o := range tc.orders {
			o(&tt)
		}
		for _, l := range tc.looks {
			if got := tt.due(l.at); got != l.want {
				t.Errorf("%s: at %v: step %d, want %d", name, time.Duration(l.at), got, l.want)
			}
		}
		if got := tt.next(); got != tc.next {
			t.Errorf("%s: next at %v, want %v", name, time.Duration(got), time.Duration(tc.next))
		}
	}
}
