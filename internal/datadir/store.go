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

// Engines opens the stores in a data folder. No other code knows which engines they are.
type Engines struct {
	// OpenKV opens the key-value store in a folder, or makes it.
	OpenKV func(dir string, o KVOptions) (kv.DB, error)
	// MissingKV names a file without which OpenKV would make a new store, "" if none is missing.
	MissingKV func(dir string) (string, error)
	// OpenSegments opens the segments in a folder, or makes them.
	OpenSegments func(dir string) (segment.Store, error)
}

// KVOptions are the options of a key-value store. Every field is optional.
type KVOptions struct {
	Log     *slog.Logger
	OnFatal func(error) // called once if the store fails and can't go on
	Serving bool        // the store is opened to be served: with the clock of the system
}

// Store is an open data folder.
type Store struct {
	DB       kv.DB
	Segments segment.Store

	folder   *Folder
	sweeping sync.Mutex // held by whoever removes segments, or needs them to stay
}

// Open opens a data folder, or makes it.
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

// Close gives up what was opened, in order.
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
	sweepGrace  = time.Minute // for readers of what was overwritten or deleted
	orphanGrace = 2 * meta.CommitWithin
	orphanEvery = time.Hour
)

// Sweep removes what is no longer referred to, until ctx ends.
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
		err := sweepOnce(ctx, w)
		s.sweeping.Unlock()
		if err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrReadOnly) {
			log.Warn("sweeping failed; it is tried again", "error", err)
		}
	}
}

// sweepOnce sweeps what is due. When it last looked for orphans is stored, so that a machine that
// runs for less than orphanEvery a day removes them too.
func sweepOnce(ctx context.Context, w *catalog.Sweeper) error {
	if err := w.Run(ctx); err != nil {
		return err
	}
	due, err := w.OrphansDue(ctx, orphanEvery)
	if !due || err != nil {
		return err
	}
	_, err = w.Orphans(ctx, time.Now())
	return err
}
