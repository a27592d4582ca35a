package datadir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// Engines opens the stores of a data folder. No other code depends on particular engines.
type Engines struct {
	// OpenKV opens the key-value store in a folder, creating it if it is missing.
	OpenKV func(dir string, o KVOptions) (kv.DB, error)
	// MissingKV names a missing file in whose absence OpenKV would create a new store, or returns
	// "".
	MissingKV func(dir string) (string, error)
	// OpenSegments opens the segment store in a folder, creating it if it is missing.
	OpenSegments func(dir string) (segment.Store, error)
}

// KVOptions are the options of a key-value store. Every field is optional.
type KVOptions struct {
	Log     *slog.Logger
	OnFatal func(error) // called once, if the store fails for good
	Serving bool        // the store will be served, and uses the system clock
}

// Store is an open data folder.
type Store struct {
	DB       kv.DB
	Segments segment.Store

	folder   *Folder
	sweeping sync.Mutex // held while segments are removed, or must not be
	activity activity
}

// Open opens a data folder, creating it if it is missing or empty.
func Open(ctx context.Context, path string, e *Engines, o KVOptions) (_ *Store, err error) {
	s := &Store{}
	if s.folder, err = openFolder(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = s.folder.checkWhole(); err != nil {
		return nil, err
	}
	if err = s.folder.makePrivate(); err != nil {
		return nil, err
	}
	o.Serving = true
	if s.DB, err = e.OpenKV(s.folder.KV(), o); err != nil {
		return nil, fmt.Errorf("data folder %s can't be opened; if it is damaged, restore it from a backup: %w", path, err)
	}
	if s.Segments, err = e.OpenSegments(s.folder.Segments()); err != nil {
		return nil, fmt.Errorf("data folder %s can't be opened: %w", path, err)
	}
	if err = meta.Prepare(ctx, s.DB); err != nil {
		return nil, err
	}
	return s, s.folder.keep()
}

// Path returns the path of the folder.
func (s *Store) Path() string { return s.folder.path }

// Close closes the stores, then unlocks the folder.
func (s *Store) Close() error {
	var errs []error
	if s.Segments != nil {
		errs = append(errs, s.Segments.Close())
	}
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	return errors.Join(append(errs, s.folder.Close())...)
}

// Times of the sweeper.
const (
	sweepEvery  = 5 * time.Second
	sweepGrace  = time.Minute // time for readers of overwritten or deleted bytes to finish
	orphanGrace = 2 * meta.CommitWithin
	orphanEvery = time.Hour
)

// Sweep removes unreferenced data, until ctx ends.
func (s *Store) Sweep(ctx context.Context, log *slog.Logger) {
	w := &catalog.Sweeper{DB: s.DB, Segments: s.Segments, Grace: sweepGrace, OrphanGrace: orphanGrace}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.sweeping.Lock()
		orphans, err := sweepOnce(ctx, w)
		s.sweeping.Unlock()
		s.activity.note(func(a *Activity) {
			a.Orphans += int64(orphans)
			if err == nil {
				a.Swept = time.Now()
			}
		})
		if err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrReadOnly) {
			log.Warn("sweeping failed and will be retried", "error", err)
		}
	}
}

// sweepOnce sweeps all that is due. The time of the latest search for orphans is stored, so that
// they are also removed on a machine that never runs for orphanEvery at a stretch.
func sweepOnce(ctx context.Context, w *catalog.Sweeper) (orphans int, err error) {
	if err := w.Run(ctx); err != nil {
		return 0, err
	}
	due, err := w.OrphansDue(ctx, orphanEvery)
	if !due || err != nil {
		return 0, err
	}
	return w.Orphans(ctx, time.Now())
}
