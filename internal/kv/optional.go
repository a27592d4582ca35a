package kv

import (
	"context"
	"time"
)

// Checkpointer is implemented by a DB that can copy itself while it is used.
type Checkpointer interface {
	// Checkpoint writes a copy of the store as it is now to a folder, which must not exist. The
	// copy can be opened. Transactions that begin after Checkpoint has returned are shown
	// everything that is in it.
	Checkpoint(ctx context.Context, dir string) error
}

// Verifier is implemented by a DB that can check what it has stored.
type Verifier interface {
	// Verify reads everything, and checks what the engine has to check it by.
	Verify(ctx context.Context) (Stats, error)
}

// Stats is what Verify has read.
type Stats struct {
	Keys, Bytes int64 // of the keys and values that can be read
}

// Meter is implemented by a DB that has numbers to watch it by.
type Meter interface {
	// Metrics returns the numbers as they are now; a closed or failed store has none.
	Metrics() Metrics
}

// Metrics are numbers to watch a store by; 0 stands for what an engine does not know.
type Metrics struct {
	CacheBytes    int64         // memory of the block cache
	MemTableBytes int64         // memory of what is not in tables yet
	DiskBytes     int64         // all files
	Syncs         int64         // of the log, since Open
	Commits       int64         // updates that wrote, since Open
	Debt          int64         // bytes to be compacted
	Stalls        int64         // times that writes were held up for compactions, since Open
	Stalled       time.Duration // time that they were held up, since Open
}
