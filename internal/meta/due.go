package meta

import (
	"bytes"
	"context"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
)

// Deadline says what is looked after.
type Deadline struct {
	Account   string `cbor:"1,keyasint"`
	Container string `cbor:"2,keyasint"`
}

// Schedule has the sweeper look at a time after what a declared key covers, the key of a
// blob or container. It may look for nothing.
func Schedule(tx kv.Tx, at blob.Time, key kv.Key, where Deadline) error {
	return put(tx, dueKey(at, key), &where)
}

// IndexExpiry keeps the index of the current blobs that expire: what key covers did at old,
// and does at next; zero for never.
func IndexExpiry(tx kv.Tx, old, next blob.Time, key kv.Key, where Deadline) error {
	if old == next {
		return nil
	}
	if old != 0 {
		if err := tx.Delete(timedKey(tagExpiry, old, key)); err != nil {
			return err
		}
	}
	if next == 0 {
		return nil
	}
	return put(tx, timedKey(tagExpiry, next, key), &where)
}

// due looks after one batch of what is due, and tells how much it did.
func (w *Sweeper) due(ctx context.Context) (int, error) { return w.timed(ctx, tagDue) }

// expired looks after one batch of blobs that have expired.
func (w *Sweeper) expired(ctx context.Context) (int, error) { return w.timed(ctx, tagExpiry) }

func (w *Sweeper) timed(ctx context.Context, tag byte) (int, error) {
	type reminded struct {
		key   []byte
		where Deadline
	}
	var batch []reminded
	err := w.DB.View(ctx, func(r kv.Reader) error {
		batch = batch[:0]
		end := timedKey(tag, blob.TimeOf(r.Now())+1, nil)
		for p, err := range r.Scan([]byte{tag}, end) {
			if err != nil {
				return err
			}
			where, err := decode[Deadline](p.Key, p.Value)
			if err != nil {
				return err
			}
			if batch = append(batch, reminded{bytes.Clone(p.Key), *where}); len(batch) == sweepBatch {
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, b := range batch {
		if err := w.lookAfter(ctx, b.key, b.where); err != nil {
			return 0, err
		}
	}
	return len(batch), nil
}

// lookAfter ends what has come to its end of what one reminder is about.
func (w *Sweeper) lookAfter(ctx context.Context, key []byte, where Deadline) error {
	declared := key[9:]
	return w.DB.Update(ctx, []kv.Key{declared}, func(tx kv.Tx) error {
		e := &ending{tx: tx, now: blob.TimeOf(tx.Now()), key: declared, where: where}
		var err error
		if declared[0] == tagBlob {
			e.gen, e.name = generationOf(declared), string(declared[9:len(declared)-1])
			if err = e.expired(); err == nil {
				err = e.blob()
			}
		} else if declared[0] == tagContainer {
			err = e.container()
		}
		if err != nil || e.more {
			return err
		}
		return tx.Delete(key)
	})
}

// ending is one step of looking after a blob or container.
type ending struct {
	tx    kv.Tx
	now   blob.Time
	key   kv.Key
	where Deadline
	gen   uint64
	name  string
	more  bool // another step is needed
}

// container gives up the soft-deleted containers of a name whose retention has ended.
func (e *ending) container() error {
	for p, err := range e.tx.Scan(append(bytes.Clone(e.key), 0), kv.PrefixEnd(e.key)) {
		if err != nil {
			return err
		}
		c, err := decode[blob.Container](p.Key, p.Value)
		if err != nil {
			return err
		}
		if c.Retained > e.now {
			continue
		}
		if err := bury(e.tx, e.now, e.where.Account, e.where.Container, c); err != nil {
			return err
		}
		if err := e.tx.Delete(p.Key); err != nil {
			return err
		}
	}
	return nil
}

// expired removes a current blob whose time is over. Neither its lease nor soft delete
// keeps it (docs/facts/expiry.md).
func (e *ending) expired() error {
	b, err := Blob(e.tx, e.gen, e.name)
	if b == nil || err != nil || !b.Expired(e.now) {
		return err
	}
	if err := Release(e.tx, e.gen, e.now, b.Content); err != nil {
		return err
	}
	if err := DropStagedBlocks(e.tx, e.gen, e.name, e.now, nil); err != nil {
		return err
	}
	if err := IndexTags(e.tx, e.gen, e.name, 0, b.Tags, nil); err != nil {
		return err
	}
	if err := IndexExpiry(e.tx, b.Expires, 0, e.key, e.where); err != nil {
		return err
	}
	return e.forget(b)
}

// blob removes the past states whose retention has ended, and the uncommitted blocks
// that nobody has added to for a week, with a blob that exists only as those.
func (e *ending) blob() error {
	done := 0
	for p, err := range Revisions(e.tx, e.gen, e.name) {
		if err != nil {
			return err
		}
		b, err := p.Decode()
		if err != nil {
			return err
		}
		if b.Deleted == 0 || b.Retained > e.now {
			continue
		}
		if err := Release(e.tx, e.gen, e.now, b.Content); err != nil {
			return err
		}
		if err := DeleteRevision(e.tx, e.gen, e.name, p.Revision, b); err != nil {
			return err
		}
		if done++; done == sweepBatch {
			e.more = true
			return nil
		}
	}
	return e.staged()
}

func (e *ending) staged() error {
	all, err := StagedBlocks(e.tx, e.gen, e.name)
	if err != nil {
		return err
	}
	if all != nil && all.Last+StagedFor > e.now {
		// The reminder may be about something else, or blocks were added since.
		if all.Due > e.now {
			return nil
		}
		all.Due = all.Last + StagedFor
		if err := put(e.tx, stagingKey(e.gen, e.name), all); err != nil {
			return err
		}
		return Schedule(e.tx, all.Due, e.key, e.where)
	}
	if err := DropStagedBlocks(e.tx, e.gen, e.name, e.now, nil); err != nil {
		return err
	}
	return e.uncommitted()
}

// uncommitted removes a blob that existed only as uncommitted blocks, of which none are
// left, unless a lease holds it: then it is looked after again.
func (e *ending) uncommitted() error {
	b, err := Blob(e.tx, e.gen, e.name)
	if b == nil || err != nil || !b.Uncommitted {
		return err
	}
	if b.Lease.State(e.tx.Now()).Locked() {
		return Schedule(e.tx, e.now+StagedFor, e.key, e.where)
	}
	return e.forget(b)
}

// forget removes the current record, which is b, and its lease from the index.
func (e *ending) forget(b *blob.Blob) error {
	if err := DeleteBlob(e.tx, e.gen, e.name); err != nil {
		return err
	}
	if b.Lease.Kind == lease.None {
		return nil
	}
	return IndexLease(e.tx, e.where.Account, e.where.Container, e.gen, e.name, false)
}
