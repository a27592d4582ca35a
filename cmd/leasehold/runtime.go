package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// garbageRoom is how much garbage may accumulate before a collection, but never more than
	// maxGCPercent of the live heap. A fresh server uses some 10 MiB; the default of 100 percent
	// would mean a collection every few hundred requests. Full caches make the live heap large, and
	// the heap of a large store must not grow to five times that. This saves a sixth of the CPU
	// time of a small read.
	garbageRoom  = 96 << 20
	maxGCPercent = 400
	// minGCPercent keeps a server with an unexpectedly large live heap from collecting all the
	// time.
	minGCPercent = 50

	// syncs is how many goroutines wait for the disk nearly all the time under writes: one for the
	// log, one for short bodies. The runtime takes tens of microseconds to notice that each is
	// blocked. On two processors this costs up to a tenth of the puts of 64 KiB.
	syncs = 2
)

// tuneRuntime tunes the Go runtime for a server, except where GOGC or GOMAXPROCS is set.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(maxGCPercent)
		afterCollection(new(collected), maxGCPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + syncs)
	}
}

// collected is never referenced, so its cleanup runs after the next collection.
type collected struct{ _ *byte }

// afterCollection adjusts the garbage percentage after each collection.
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

// gcPercent returns the garbage percentage for a live heap of the given size.
func gcPercent(live uint64) int {
	return int(min(max(garbageRoom*100/max(live, 1), minGCPercent), maxGCPercent))
}
