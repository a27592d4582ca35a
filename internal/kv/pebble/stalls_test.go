package pebble

import (
	"testing"
	"time"
)

// TestStallsAreTimed: a stall counts from its beginning, and only once when it is over.
func TestStallsAreTimed(t *testing.T) {
	var s stalls
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	expect := func(now, count, seconds int64) {
		t.Helper()
		if got := s.total(at(now)); s.count.Load() != count || got != time.Duration(seconds)*time.Second {
			t.Errorf("%d stalls of %v, want %d of %d s", s.count.Load(), got, count, seconds)
		}
	}
	expect(100, 0, 0)
	s.begin(at(100))
	expect(103, 1, 3)
	s.end(at(105))
	expect(200, 1, 5)
	s.end(at(201))
	expect(202, 1, 5)
	s.begin(at(300))
	expect(301, 2, 6)
}
