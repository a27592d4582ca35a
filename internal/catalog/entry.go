// Package catalog changes what is stored under one name, in one transaction, with all indexes over
// it: the current state of a blob, its revisions, its uncommitted blocks, and the indexes of tags,
// of expiry times, of leases and of deadlines. Requests and the sweeper call the same functions, so
// that what ends a state is written once.
//
// The package knows records and keys. It knows no request, no permission and no HTTP. Conditions
// and leases have been judged when it is called; that protected states do not end it judges itself.
package catalog

import (
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
)

// Name names an entry.
type Name struct {
	Account, Container string
	Generation         uint64 // of the container
	Blob               string
}

// Key returns the key to declare for changes of the entry.
func (n *Name) Key() kv.Key { return meta.BlobKey(n.Generation, n.Blob) }

func (n *Name) deadline() meta.Deadline {
	return meta.Deadline{Account: n.Account, Container: n.Container}
}

// Rules are the settings of the account that decide whether a state is kept when it ends.
type Rules struct {
	// Versioning keeps the state as a previous version.
	Versioning bool
	// Retained is until when soft delete keeps what is deleted now; 0 if soft delete is off.
	Retained blob.Time
	// NewID returns a random ID that no other object has.
	NewID func() blob.ObjectID
}

// Entry is what is stored under one name, at the moment of one transaction.
type Entry struct {
	Name
	Rules
	Now blob.Time
	// Current is the current state, nil if there is none. Its fields may be changed before Put
	// stores them.
	Current *blob.Blob

	r          kv.Reader
	tx         kv.Tx   // nil in a transaction that only reads
	opened     indexed // what was stored when the transaction began
	stored     indexed
	revision   blob.Revision // that was loaded last
	tags       blob.Tags     // of the stored record of that revision
	freed      bool          // see Freed
	superseded *superseded   // nil unless a revision has taken over the content of Current
}

// indexed holds what the indexes say about the stored record of the current state.
type indexed struct {
	tags  blob.Tags
	ends  blob.Time // when it expires; 0 for never
	lease lease.Lease
}

func indexOf(b *blob.Blob) indexed { return indexed{b.Tags, b.Ends(), b.Lease} }

func (i *indexed) leased() bool { return i.lease.Kind != lease.None }

// locked reports whether the index of leases must have the entry.
func (i *indexed) locked(now time.Time) bool { return i.lease.State(now).Locked() }

// blocks returns for how long the lease keeps others out, if nobody touches the blob.
func (i *indexed) blocks(now time.Time) time.Duration {
	left := i.lease.Left(now)
	if i.ends == 0 {
		return left
	}
	return min(left, max(0, i.ends.Std().Sub(now)))
}

// Open loads the entry of a name. It treats an expired blob as absent; an update also deletes it.
// tx is nil in a transaction that only reads. The transaction must have declared the key of the
// name.
func Open(r kv.Reader, tx kv.Tx, name Name, rules Rules) (*Entry, error) {
	e := &Entry{Name: name, Rules: rules, Now: blob.TimeOf(r.Now()), r: r, tx: tx}
	current, err := meta.Blob(r, name.Generation, name.Blob)
	if current == nil || err != nil {
		return e, err
	}
	e.Current = current
	e.stored = indexOf(current)
	e.opened = e.stored
	if current.Expired(e.Now) {
		return e, e.expire()
	}
	return e, nil
}

// Leased reports whether the stored state has a lease, which may have ended.
func (e *Entry) Leased() bool { return e.stored.leased() }

// Blocks returns for how long the stored lease keeps others out, if nobody touches the blob.
func (e *Entry) Blocks() time.Duration { return e.stored.blocks(e.r.Now()) }

// Freed reports whether the transaction lets the lease end sooner than before, so that requests
// that wait for it have to try again.
func (e *Entry) Freed() bool { return e.freed }

// Leases returns the lease that the transaction found and the one that it leaves, and when the blob
// expires; 0 for never.
func (e *Entry) Leases() (was, is lease.Lease, expires blob.Time) {
	return e.opened.lease, e.stored.lease, e.stored.ends
}

// Put stores b as the current state.
func (e *Entry) Put(b *blob.Blob) error {
	if err := e.index(indexOf(b)); err != nil {
		return err
	}
	e.Current = b
	return meta.PutBlob(e.tx, e.Generation, e.Blob, b)
}

// remove removes the record of the current state but not its content.
func (e *Entry) remove() error {
	if err := e.index(indexed{}); err != nil {
		return err
	}
	e.Current = nil
	return meta.DeleteBlob(e.tx, e.Generation, e.Blob)
}

// index updates the indexes for the next current state.
func (e *Entry) index(next indexed) error {
	was, now := e.stored, e.r.Now()
	e.stored = next
	e.freed = e.freed || next.blocks(now) < was.blocks(now) || was.leased() && was.ends != 0 && was.ends <= e.Now
	if err := meta.IndexTags(e.tx, e.Generation, e.Blob, 0, was.tags, next.tags); err != nil {
		return err
	}
	if err := meta.IndexExpiry(e.tx, was.ends, next.ends, e.Key(), e.deadline()); err != nil {
		return err
	}
	// A lease that ended by time may have been taken out of the index already, see RetireLeases.
	switch is := next.locked(now); {
	case is && !was.locked(now):
		return meta.IndexLease(e.tx, e.Account, e.Container, e.Generation, e.Blob, true)
	case !is && was.leased():
		return meta.IndexLease(e.tx, e.Account, e.Container, e.Generation, e.Blob, false)
	}
	return nil
}

// Schedule has the sweeper retire, at the given time, the states of the entry that are due then.
func (e *Entry) Schedule(at blob.Time) error {
	return meta.Schedule(e.tx, at, e.Key(), e.deadline())
}

// Revision loads a revision, nil if there is none.
func (e *Entry) Revision(id blob.Revision) (*blob.Blob, error) {
	b, err := meta.Revision(e.r, e.Generation, e.Blob, id)
	if e.revision, e.tags = id, nil; b != nil {
		e.tags = b.Tags
	}
	return b, err
}

// PutRevision stores a revision. One that was there before must have been loaded by Revision.
func (e *Entry) PutRevision(id blob.Revision, b *blob.Blob) error {
	if id.Kind == blob.PreviousVersion && id == e.revision {
		if err := meta.IndexTags(e.tx, e.Generation, e.Blob, id.ID, e.tags, b.Tags); err != nil {
			return err
		}
		e.tags = b.Tags
	}
	return meta.PutRevision(e.tx, e.Generation, e.Blob, id, b)
}
