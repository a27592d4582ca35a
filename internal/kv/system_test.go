package kv

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestClockCountsSleep lets a machine sleep for an hour, in which the wall clock that Go reads
// monotonically stands.
func TestClockCountsSleep(t *testing.T) {
	start := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	boot := 5 * time.Hour
	c := NewClock(clockSince(start, func() time.Duration { return boot }), time.Time{})
	before := c.Now()
	boot += time.Second
	if passed := c.Now().Sub(before); passed != time.Second {
		t.Errorf("in a second %v passed", passed)
	}
	boot += time.Hour
	if passed := c.Now().Sub(before); passed != time.Hour+time.Second {
		t.Errorf("with an hour of sleep %v passed", passed)
	}
}

// TestSinceBoot holds the time since the start of the machine against what the system tells
// elsewhere.
func TestSinceBoot(t *testing.T) {
	passed, ok := sinceBoot()
	if runtime.GOOS != "linux" {
		if ok && passed <= 0 {
			t.Errorf("%v since the start of the machine", passed)
		}
		return
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Duration(seconds*float64(time.Second)) - passed; !ok || d.Abs() > 5*time.Second {
		t.Errorf("%v since the start of the machine, the system says %v more", passed, d)
	}
	if d := time.Until(SystemClock()()); d.Abs() > time.Second {
		t.Errorf("the clock is off by %v", d)
	}
}
