package catalog

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/meta"
)

// retireBatch bounds the revisions that one transaction of the sweeper removes, so that it holds up
// no request.
const retireBatch = 256

// expire removes the current state, whose time is over. Neither its lease nor soft delete keeps it
// (docs/facts/expiry.md). A transaction that only reads takes it for absent.
func (e *Entry) expire() error {
	old := e.Current
	if e.tx == nil {
		e.Current = nil
		return nil
	}
	if err := e.release(old.Content); err != nil {
		return err
	}
	if err := e.DropStaged(nil); err != nil {
		return err
	}
	return e.remove()
}

// Retire removes the revisions whose retention has ended, then the uncommitted blocks if none was
// added for meta.StagedFor, and with them a blob that consists of nothing else. It reports whether
// another call is needed. A protected revision stays, and is scheduled again.
func (e *Entry) Retire() (more bool, err error) {
	done := 0
	for r, err := range meta.Revisions(e.r, e.Generation, e.Blob) {
		if err != nil {
			return false, err
		}
		b, err := r.Decode()
		if err != nil {
			return false, err
		}
		if !b.Gone(e.Now) {
			continue
		}
		if b.CheckMutable(e.Now) != nil {
			if err := e.Schedule(max(b.Policy.Until, e.Now+blob.Day)); err != nil {
				return false, err
			}
			continue
		}
		if err := e.Erase(r.Revision, b); err != nil {
			return false, err
		}
		if done++; done == retireBatch {
			return true, nil
		}
	}
	return false, e.retireStaged()
}

func (e *Entry) retireStaged() error {
	all, err := meta.StagedBlocks(e.r, e.Generation, e.Blob)
	if err != nil {
		return err
	}
	if all != nil && all.Last+meta.StagedFor > e.Now {
		if all.Due > e.Now {
			return nil // the deadline is about something else
		}
		all.Due = all.Last + meta.StagedFor
		if err := meta.PutStaging(e.tx, e.Generation, e.Blob, all); err != nil {
			return err
		}
		return e.Schedule(all.Due)
	}
	if err := meta.DropStagedBlocks(e.tx, e.Generation, e.Blob, e.Now, nil); err != nil {
		return err
	}
	return e.retireUncommitted()
}

// retireUncommitted removes a blob that existed only as uncommitted blocks, of which none are left.
// While a lease holds it, it is scheduled again instead.
func (e *Entry) retireUncommitted() error {
	b := e.Current
	if b == nil || !b.Uncommitted {
		return nil
	}
	if b.Lease.State(e.r.Now()).Locked() {
		return e.Schedule(e.Now + meta.StagedFor)
	}
	return e.remove()
}
