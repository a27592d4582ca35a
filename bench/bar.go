package main

import (
	"fmt"
	"time"
)

// bar is what a row must reach. The zero value asks for nothing.
type bar struct {
	ceiling float64 // share of the ceiling's rate
	disk    float64 // share of the disk's own synced write rate that is enough if it is the lower demand
	sync    bool    // p99 at most that of the disk's sync and a millisecond
	twin    float64 // share of the rate of the row's twin
}

// syncSlack is what a single lease operation may take beyond the disk's sync.
const syncSlack = time.Millisecond

func (b bar) String() string {
	switch {
	case b.sync:
		return "p99 ≤ sync + 1 ms"
	case b.twin > 0:
		return fmt.Sprintf("≥ %.1f of small", b.twin)
	case b.disk > 0:
		return fmt.Sprintf("≥ %.2f, or %.1f of disk", b.ceiling, b.disk)
	case b.ceiling > 0:
		return fmt.Sprintf("≥ %.2f", b.ceiling)
	}
	return ""
}

// Verdicts.
const (
	passed = "ok"
	missed = "MISSED"
	failed = "ERROR"
)

// judge compares a row with its bar. Rows without a bar, or without what the bar compares with, get
// no verdict.
func (b bar) judge(r *row) string {
	switch {
	case r.Server == nil:
		return ""
	case r.Server.Error != "":
		return failed
	case b.sync:
		if r.SyncP99 == 0 {
			return ""
		}
		return verdict(r.Server.P99 <= r.SyncP99+float64(syncSlack.Microseconds()))
	case b.twin > 0:
		if r.TwinRatio == 0 {
			return ""
		}
		return verdict(r.TwinRatio >= b.twin)
	case b.ceiling > 0 && r.Ratio > 0:
		return verdict(r.Ratio >= b.ceiling || b.disk > 0 && r.DiskRate > 0 && r.Server.MiBPerSec >= b.disk*r.DiskRate)
	}
	return ""
}

func verdict(ok bool) string {
	if ok {
		return passed
	}
	return missed
}
