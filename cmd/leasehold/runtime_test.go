package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1: 400, 24 << 20: 400, 48 << 20: 200, 96 << 20: 100, 192 << 20: 50, 1 << 50: 50} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d bytes in use %d percent of garbage may gather, want %d", live, got, want)
		}
	}
}

// TestTuneRuntime has much in use, and waits until less garbage may gather.
func TestTuneRuntime(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMAXPROCS", "")
	before, procs := debug.SetGCPercent(100), runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	defer debug.SetGCPercent(before)
	tuneRuntime()
	if got := runtime.GOMAXPROCS(0); got != procs+syncs {
		t.Errorf("GOMAXPROCS is %d, want %d", got, procs+syncs)
	}
	used := make([]byte, 2*garbageRoom)
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		runtime.GC()
		percent := debug.SetGCPercent(minGCPercent)
		debug.SetGCPercent(percent)
		if percent == minGCPercent {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("with %d bytes in use %d percent of garbage may gather", len(used), percent)
		}
	}
	runtime.KeepAlive(used)
}
