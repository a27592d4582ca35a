package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// gcPercent is how much garbage, in percent of what is in use, may gather before it is collected. The server uses some 10 MiB
	// whatever it stores, so that the usual 100 means a collection for every few hundred requests; this takes some 40 MiB
	// and saves a sixth of the CPU time of a small read.
	gcPercent = 400
	// syncs is how many goroutines wait for the disk nearly all the time under writes: one for the log, one for short bodies.
	// The runtime counts each as running until it has noticed, which takes tens of microseconds, and a tenth of the puts of
	// 64 KiB on a machine of two processors.
	syncs = 2
)

// tuneRuntime sets up the Go runtime for a server, as far as GOGC and GOMAXPROCS leave it free to.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + syncs)
	}
}
