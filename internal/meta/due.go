package meta

import (
	"bytes"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Deadline names the container of what the sweeper revisits at a time, or the container itself.
type Deadline struct {
	Account   string `cbor:"1,keyasint"`
	Container string `cbor:"2,keyasint"`
}

// Schedule has the sweeper revisit everything under key at a time. key is the declared key of a
// blob or a container. The sweeper may find nothing to do.
func Schedule(tx kv.Tx, at blob.Time, key kv.Key, d Deadline) error {
	return put(tx, dueKey(at, key), &d)
}

// IndexExpiry keeps the index of expiry times when the current blob under key, which expired at
// old, expires at next; zero stands for never.
func IndexExpiry(tx kv.Tx, old, next blob.Time, key kv.Key, d Deadline) error {
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
	return put(tx, timedKey(tagExpiry, next, key), &d)
}

// Due is a deadline that has passed, or the entry of a blob that has expired.
type Due struct {
	Deadline
	Generation uint64 // of the container of a blob
	Blob       string // "" for a container
	key        []byte
}

// Declared returns the key to declare for what is due.
func (d *Due) Declared() kv.Key { return d.key[9:] }

// Remove removes the deadline.
func (d *Due) Remove(tx kv.Tx) error { return tx.Delete(d.key) }

// DueDeadlines returns some of the deadlines that have passed, the oldest first.
func DueDeadlines(r kv.Reader) ([]Due, error) { return overdue(r, tagDue) }

// DueExpiries returns some of the blobs that have expired, the oldest first.
func DueExpiries(r kv.Reader) ([]Due, error) { return overdue(r, tagExpiry) }

func overdue(r kv.Reader, tag byte) ([]Due, error) {
	var batch []Due
	end := timedKey(tag, blob.TimeOf(r.Now())+1, nil)
	for p, err := range r.Scan([]byte{tag}, end) {
		if err != nil {
			return nil, err
		}
		at, err := decode[Deadline](p.Key, p.Value)
		if err != nil {
			return nil, err
		}
		d := Due{Deadline: *at, key: bytes.Clone(p.Key)}
		if declared := d.Declared(); declared[0] == tagBlob {
			d.Generation, d.Blob = generationOf(declared), string(declared[9:len(declared)-1])
		}
		if batch = append(batch, d); len(batch) == sweepBatch {
			break
		}
	}
	return batch, nil
}
