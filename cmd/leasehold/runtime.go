package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbageRoom is how much garbage may gather before it is collected, and at most maxGCPercent of what is in use: a server that
	// has just started uses some 10 MiB, and the usual 100 percent would mean a collection for every few hundred requests.
	// A full cache adds what it may hold, which must not make five times as much of a large store. A sixth of the CPU time of a
	// small read is saved so.
	garbageRoom  = 96 << 20
	maxGCPercent = 400
	// minGCPercent is for what should never be in use: without it the server would do little else than collect.
	minGCPercent = 50

	// syncs is how many goroutines wait for the disk nearly all the time under writes: one for the log, one for short bodies.
	// The runtime counts each as running until it has noticed, which takes tens of microseconds, and up to a tenth of the
	// puts of 64 KiB on a machine of two processors.
	syncs = 2
)

// tuneRuntime sets up the Go runtime for a server, as far as GOGC and GOMAXPROCS leave it free to.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(maxGCPercent)
		afterCollection(new(collected), maxGCPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + syncs)
	}
}

// collected is garbage from the start, so that its cleanup runs after the next collection.
type collected struct{ _ *byte }

// afterCollection sets how much garbage may gather before the collection after the next, and so on.
func afterCollection(c *collected, percent int) {
	runtime.AddCleanup(c, func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if next := gcPercent(live[0].Value.Uint64()); next != percent {
			debug.SetGCPercent(next)
			percent = next
		}
		afterCollection(new(collected), percent)
	}, percent)
}

// gcPercent returns how much garbage may gather where that many bytes are in use, in percent of those.
func gcPercent(live uint64) int {
	return int(min(max(garbageRoom*100/max(live, 1), minGCPercent), maxGCPercent))
}
