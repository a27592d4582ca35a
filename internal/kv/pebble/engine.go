package pebble

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/leasehold/leasehold/internal/kv"
)

// engineOptions returns the options that Pebble is opened with. Values stay in the tables (records
// are small and bodies are read as often as written), and tables of all levels have filters, since
// most lookups of a new blob find nothing.
func (db *DB) engineOptions(opts *Options) *pebble.Options {
	cacheBytes := opts.CacheBytes
	if cacheBytes == 0 {
		cacheBytes = 64 << 20
	}
	o := &pebble.Options{
		FS:                 db.fs,
		FormatMajorVersion: pebble.FormatValueSeparation,
		CacheSize:          cacheBytes,
		// Small enough that their content is read back from the log within 0.3 s after a kill, and
		// that four of them are no burden.
		MemTableSize:                16 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       64,
		MaxOpenFiles:                cmp.Or(opts.OpenFiles, 500),
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		// So that the space of a deleted container comes back without further writes.
		FlushDelayDeleteRange: 10 * time.Second,
		Logger:                logger{db},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { db.log.Warn("flush or compaction failed, will be tried again", "err", err.Error()) },
			DiskSlow:        func(i pebble.DiskSlowInfo) { db.log.Warn("slow disk", "what", i.String()) },
			WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
				db.stalls.begin(time.Now())
				db.log.Warn("writes are held up", "why", i.Reason)
			},
			WriteStallEnd: func() {
				db.stalls.end(time.Now())
				db.log.Warn("writes go on")
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// Level 0 is kept short, so that compactions because something is read often gain little;
	// to find out took 1.5 % of the CPU time of a listing.
	o.Experimental.ReadSamplingMultiplier = -1
	if opts.tune != nil {
		opts.tune(o)
	}
	return o
}

// logger passes Pebble's messages to slog.
type logger struct{ db *DB }

func (l logger) Infof(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l logger) Errorf(format string, args ...any) { l.log(slog.LevelError, format, args) }

// Fatalf must not return: Pebble would continue in a state that it does not expect. It ends the
// goroutine, which runs the deferred unlocks; see applyAll and contain.
func (l logger) Fatalf(format string, args ...any) {
	l.db.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

func (l logger) log(level slog.Level, format string, args []any) {
	if l.db.log.Enabled(context.Background(), level) {
		l.db.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

// Checkpoint writes a copy of the store as it is now to dir, which must not exist;
// tables are hard links where the file system can. The copy can be opened. Transactions that
// begin after Checkpoint has returned are shown everything that is in it.
func (db *DB) Checkpoint(ctx context.Context, dir string) error {
	if err := db.begin(ctx); err != nil {
		return err
	}
	defer db.running.Done()
	if err := db.contain(func() error { return db.pebble.Checkpoint(dir, pebble.WithFlushedWAL()) }); err != nil {
		return err
	}
	// The copy has groups that were applied and not yet published; the next one comes after them.
	return db.commit.do(nil)
}

// Verify reads everything, which checks the checksum of every block that is not in
// the cache already, and the order of keys in and between tables.
func (db *DB) Verify(ctx context.Context) (s kv.Stats, err error) {
	if err := db.begin(ctx); err != nil {
		return s, err
	}
	defer db.running.Done()
	if err := db.contain(func() error { return db.pebble.CheckLevels(nil) }); err != nil {
		return s, err
	}
	r := db.newReader()
	defer db.release(&r)
	for p, err := range r.Scan(nil, nil) {
		if err != nil {
			return s, err
		}
		if s.Keys++; s.Keys%1024 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		s.Bytes += int64(len(p.Key) + len(p.Value))
	}
	return s, nil
}

// Metrics implements kv.Meter; a closed or failed store has none.
func (db *DB) Metrics() kv.Metrics {
	if db.begin(context.Background()) != nil {
		return kv.Metrics{}
	}
	defer db.running.Done()
	m := db.pebble.Metrics()
	return kv.Metrics{
		CacheBytes:    m.BlockCache.Size,
		MemTableBytes: int64(m.MemTable.Size + m.MemTable.ZombieSize),
		DiskBytes:     int64(m.DiskSpaceUsage()),
		Syncs:         db.commit.syncs.Load(),
		Commits:       db.commit.commits.Load(),
		Debt:          int64(m.Compact.EstimatedDebt),
		Stalls:        db.stalls.count.Load(),
		Stalled:       db.stalls.total(time.Now()),
	}
}

// stalls counts the times that the engine held up writes, which do not overlap.
type stalls struct {
	count atomic.Int64
	ended atomic.Int64 // nanoseconds of stalls that are over
	began atomic.Int64 // of the stall that is not over, nanoseconds since 1970; 0 for none
}

func (s *stalls) begin(at time.Time) {
	s.count.Add(1)
	s.began.Store(at.UnixNano())
}

func (s *stalls) end(at time.Time) {
	if began := s.began.Swap(0); began != 0 {
		s.ended.Add(at.UnixNano() - began)
	}
}

// total returns the time of all stalls.
func (s *stalls) total(now time.Time) time.Duration {
	all := s.ended.Load()
	if began := s.began.Load(); began != 0 {
		all += now.UnixNano() - began
	}
	return time.Duration(all)
}
