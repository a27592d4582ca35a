package catalog

import (
	"context"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// Sweeper retires states whose time has come without a request, and removes the bytes that
// transactions have released. Any number of sweepers may work on one store.
type Sweeper struct {
	DB       kv.DB
	Segments segment.Store
	// Grace is how long released bytes stay, for readers that are still sending them and for
	// writers that are about to find their container deleted.
	Grace time.Duration
	// OrphanGrace is how old a segment that nothing refers to must be: longer than
	// meta.CommitWithin.
	OrphanGrace time.Duration
}

// Run sweeps until nothing is due.
func (w *Sweeper) Run(ctx context.Context) error {
	for _, overdue := range []func(kv.Reader) ([]meta.Due, error){meta.DueExpiries, meta.DueDeadlines} {
		for {
			n, err := w.retire(ctx, overdue)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
	}
	return w.collector().Run(ctx)
}

// Orphans removes the segments that nothing refers to, and returns how many there were.
func (w *Sweeper) Orphans(ctx context.Context, now time.Time) (removed int, err error) {
	return w.collector().Orphans(ctx, now)
}

// OrphansDue reports whether orphans were not looked for since the given time ago.
func (w *Sweeper) OrphansDue(ctx context.Context, every time.Duration) (bool, error) {
	return w.collector().OrphansDue(ctx, every)
}

func (w *Sweeper) collector() *meta.Collector {
	return &meta.Collector{DB: w.DB, Segments: w.Segments, Grace: w.Grace, OrphanGrace: w.OrphanGrace}
}

// retire revisits one batch of what is overdue, and returns how many there were.
func (w *Sweeper) retire(ctx context.Context, overdue func(kv.Reader) ([]meta.Due, error)) (int, error) {
	var batch []meta.Due
	err := w.DB.View(ctx, func(r kv.Reader) (err error) {
		batch, err = overdue(r)
		return err
	})
	if err != nil {
		return 0, err
	}
	for i := range batch {
		d := &batch[i]
		err := w.DB.Update(ctx, []kv.Key{d.Declared()}, func(tx kv.Tx) error { return retireDue(tx, d) })
		if err != nil {
			return 0, err
		}
	}
	return len(batch), nil
}

// retireDue performs one step of what a deadline asks for, and removes the deadline with the last
// step.
func retireDue(tx kv.Tx, d *meta.Due) error {
	if d.Blob == "" {
		if err := meta.RetireContainers(tx, d.Account, d.Container); err != nil {
			return err
		}
		return d.Remove(tx)
	}
	e, err := Open(tx, tx, Name{d.Account, d.Container, d.Generation, d.Blob}, Rules{})
	if err != nil {
		return err
	}
	if more, err := e.Retire(); more || err != nil {
		return err
	}
	if err := d.Remove(tx); err != nil {
		return err
	}
	// Former versions indexed the expiry time of a protected blob, not the end of its protection.
	return meta.IndexExpiry(tx, 0, e.stored.ends, e.Key(), e.deadline())
}
