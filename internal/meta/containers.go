package meta

import (
	"bytes"
	"encoding/binary"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// Container returns the record of a container, nil when there is none.
func Container(r kv.Reader, account, container string) (*blob.Container, error) {
	return get[blob.Container](r, ContainerKey(account, container))
}

// PutContainer stores the record of a container.
func PutContainer(tx kv.Tx, account, container string, c *blob.Container) error {
	return put(tx, ContainerKey(account, container), c)
}

// DeleteContainer removes a container at once. Its blobs, which nobody can reach any more, are
// removed in the background.
func DeleteContainer(tx kv.Tx, now blob.Time, account, container string, c *blob.Container) error {
	if err := bury(tx, now, account, container, c); err != nil {
		return err
	}
	return tx.Delete(ContainerKey(account, container))
}

// bury queues the blobs of a container for removal in the background.
func bury(tx kv.Tx, now blob.Time, account, container string, c *blob.Container) error {
	return put(tx, DeadKey(c.Generation), &deadContainer{now, account, container})
}

func deletedContainerKey(account, container string, deleted blob.Time) []byte {
	return binary.BigEndian.AppendUint64(ContainerKey(account, container), uint64(deleted))
}

// DeletedContainer returns the record of a container that was soft-deleted at a time,
// nil when there is none.
func DeletedContainer(r kv.Reader, account, container string, deleted blob.Time) (*blob.Container, error) {
	return get[blob.Container](r, deletedContainerKey(account, container, deleted))
}

// SoftDeleteContainer moves the record of a container, which says since and until when,
// out of the way. Its blobs stay, out of reach.
func SoftDeleteContainer(tx kv.Tx, account, container string, c *blob.Container) error {
	key := ContainerKey(account, container)
	if err := Schedule(tx, c.Retained, key, Deadline{account, container}); err != nil {
		return err
	}
	if err := put(tx, deletedContainerKey(account, container, c.Deleted), c); err != nil {
		return err
	}
	return tx.Delete(key)
}

// RestoreContainer moves the record of a soft-deleted container back.
func RestoreContainer(tx kv.Tx, account, container string, c *blob.Container) error {
	if err := tx.Delete(deletedContainerKey(account, container, c.Deleted)); err != nil {
		return err
	}
	c.Deleted, c.Retained = 0, 0
	return PutContainer(tx, account, container, c)
}

// RetireContainers removes the soft-deleted containers of a name whose retention has ended. The
// transaction must have declared the key of the container.
func RetireContainers(tx kv.Tx, account, container string) error {
	now, key := blob.TimeOf(tx.Now()), ContainerKey(account, container)
	for p, err := range tx.Scan(append(bytes.Clone(key), 0), kv.PrefixEnd(key)) {
		if err != nil {
			return err
		}
		c, err := decode[blob.Container](p.Key, p.Value)
		if err != nil {
			return err
		}
		if c.Retained > now {
			continue
		}
		if err := bury(tx, now, account, container, c); err != nil {
			return err
		}
		if err := tx.Delete(p.Key); err != nil {
			return err
		}
	}
	return nil
}

// WalkContainers visits the containers of an account whose name begins with prefix,
// from the name start on, in order, until visit returns Stop.
func WalkContainers(r kv.Reader, account, prefix, start string, visit func(name string, c *blob.Container) (Step, error)) error {
	return WalkAllContainers(r, account, prefix, start, func(_, name string, c *blob.Container) (Step, error) {
		if c.Deleted != 0 {
			return Next, nil
		}
		return visit(name, c)
	})
}

// WalkAllContainers is WalkContainers that visits the soft-deleted ones too, behind the
// one that has their name now. A position is where a walk has to start so that the
// container is the first it visits; start may be one.
func WalkAllContainers(r kv.Reader, account, prefix, start string, visit func(position, name string, c *blob.Container) (Step, error)) error {
	base := named(tagContainer, account)
	from := append(bytes.Clone(base), max(prefix, start)...)
	for p, err := range r.Scan(from, kv.PrefixEnd(append(bytes.Clone(base), prefix...))) {
		if err != nil {
			return err
		}
		c, err := decode[blob.Container](p.Key, p.Value)
		if err != nil {
			return err
		}
		position := p.Key[len(base):]
		name, _, _ := bytes.Cut(position, []byte{0})
		if step, err := visit(string(position), string(name), c); err != nil || step == Stop {
			return err
		}
	}
	return nil
}

// maxDeadVisited bounds the search of BeingDeleted: rarely are so many containers of one name
// deleted before the first of them is removed.
const maxDeadVisited = 1000

// BeingDeleted reports whether a container of this name was deleted after since and what
// it left is still there.
func BeingDeleted(r kv.Reader, account, container string, since blob.Time) (bool, error) {
	visited := 0
	for p, err := range r.Scan([]byte{tagDead}, []byte{tagDead + 1}) {
		if err != nil {
			return false, err
		}
		d, err := decode[deadContainer](p.Key, p.Value)
		if err != nil {
			return false, err
		}
		if d.Account == account && d.Container == container && d.Since > since {
			return true, nil
		}
		if visited++; visited == maxDeadVisited {
			break
		}
	}
	return false, nil
}
