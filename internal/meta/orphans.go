package meta

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
)

// CommitWithin is how long after its end an upload may be committed. A later commit is refused,
// because the sweeper may have removed the segment: Collector.OrphanGrace is longer, by more than a
// transaction takes.
const CommitWithin = 10 * time.Minute

// orphansKey holds the time at which orphans were last looked for, in eight bytes.
var orphansKey = []byte{tagMeta, 'o'}

// OrphansDue reports whether orphans were not looked for since the given time ago, by this process
// or another one.
func (w *Collector) OrphansDue(ctx context.Context, every time.Duration) (due bool, err error) {
	err = w.DB.View(ctx, func(r kv.Reader) error {
		raw, err := r.Get(orphansKey)
		due = len(raw) != 8 || blob.Time(binary.BigEndian.Uint64(raw)) <= blob.TimeOf(r.Now().Add(-every))
		return err
	})
	return due, err
}

// Orphans removes the segments that nothing refers to: the segments of uploads that a crash cut off
// before their record was written. It returns how many there were. Their age is judged by now, a
// time of the wall clock.
func (w *Collector) Orphans(ctx context.Context, now time.Time) (removed int, err error) {
	for info, err := range w.Segments.List(ctx) {
		if err != nil {
			return removed, err
		}
		if now.Sub(info.Written) < w.OrphanGrace {
			continue
		}
		known, err := w.referenced(ctx, info.ID)
		if err != nil {
			return removed, err
		}
		if known {
			continue
		}
		if err := w.Segments.Delete(ctx, info.ID); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, w.DB.Update(ctx, []kv.Key{orphansKey}, func(tx kv.Tx) error {
		return tx.Put(orphansKey, binary.BigEndian.AppendUint64(nil, uint64(blob.TimeOf(tx.Now()))))
	})
}

func (w *Collector) referenced(ctx context.Context, id segment.ID) (known bool, err error) {
	err = w.DB.View(ctx, func(r kv.Reader) error {
		raw, err := r.Get(objectKey(tagSegment, blob.ObjectID(id)))
		known = raw != nil
		return err
	})
	return known, err
}
