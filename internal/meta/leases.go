package meta

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/leasehold/leasehold/internal/kv"
)

// LeaseEntry is one entry of the index of leases: a blob or, with an empty name, a
// container that has a lease, which may have ended.
type LeaseEntry struct {
	Container  string
	Generation uint64
	Blob       string
	Position   string // where a walk that goes on with this entry starts
}

// IndexLease keeps the index of leases: whether a blob, or with an empty name a
// container, has one.
func IndexLease(tx kv.Tx, account, container string, gen uint64, name string, leased bool) error {
	key := append(appendGen(named(tagLease, account, container), gen), name...)
	if leased {
		return tx.Put(key, nil)
	}
	return tx.Delete(key)
}

// LeasePosition returns where a walk starts that goes on with the first blob of a container whose
// name is not before the given one.
func LeasePosition(container string, gen uint64, name string) string {
	return string(appendGen(append([]byte(container), 0), gen)) + name
}

// WalkLeases visits the entries of an account in the order of containers and, within
// one, blobs, beginning with a position.
func WalkLeases(r kv.Reader, account, position string, visit func(LeaseEntry) (Step, error)) error {
	base := named(tagLease, account)
	start := append(bytes.Clone(base), position...)
	for p, err := range r.Scan(start, kv.PrefixEnd(base)) {
		if err != nil {
			return err
		}
		rest := p.Key[len(base):]
		zero := bytes.IndexByte(rest, 0)
		if zero < 0 || len(rest) < zero+9 {
			return fmt.Errorf("%w: key %q", ErrDamaged, p.Key)
		}
		e := LeaseEntry{
			Container:  string(rest[:zero]),
			Generation: binary.BigEndian.Uint64(rest[zero+1:]),
			Blob:       string(rest[zero+9:]),
			Position:   string(rest),
		}
		if step, err := visit(e); err != nil || step == Stop {
			return err
		}
	}
	return nil
}
