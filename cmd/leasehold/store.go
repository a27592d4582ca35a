package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment/disk"
)

// store is an open data folder.
type store struct {
	folder   *folder
	db       *pebble.DB
	segments *disk.Store
	sweeping sync.Mutex // held by whoever removes segments, or needs them to stay
}

// openStore opens a data folder, or makes it. fatal is called once if the store
// fails in a way that it can't go on from.
func openStore(ctx context.Context, path string, log *slog.Logger, fatal func(error)) (_ *store, err error) {
	s := &store{}
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
	if s.db, err = pebble.Open(s.folder.kv(), &pebble.Options{Logger: log, OnFatal: fatal, Clock: kv.SystemClock(), OpenFiles: openTables()}); err != nil {
		return nil, fmt.Errorf("data folder %s can't be opened; if it is damaged, restore it from a backup: %w", path, err)
	}
	if s.segments, err = disk.Open(s.folder.segments(), &disk.Options{OpenFiles: openSegments()}); err != nil {
		return nil, fmt.Errorf("data folder %s can't be opened: %w", path, err)
	}
	if err = meta.Prepare(ctx, s.db); err != nil {
		return nil, err
	}
	return s, s.folder.keep()
}

// Close gives up what was opened, in order.
func (s *store) Close() error {
	var errs []error
	if s.segments != nil {
		errs = append(errs, s.segments.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
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

// sweep removes what is no longer referred to, until ctx ends.
func (s *store) sweep(ctx context.Context, log *slog.Logger) {
	w := &catalog.Sweeper{DB: s.db, Segments: s.segments, Grace: sweepGrace, OrphanGrace: orphanGrace}
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

var random = rand.Reader
