package meta

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

// ErrDamaged is wrapped by every error about a record that can't be what was
// written. It is a fault of the store, never of a request.
var ErrDamaged = errors.New("meta: damaged record")

// Records are CBOR maps with integer keys: short, self-describing, and open to
// new fields. Times are whole ticks or nanoseconds, so no option about them is
// needed. Text may be any bytes: clients choose IDs of blocks and values of metadata.
var (
	encoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	decoding = must(cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

func get[T any](r kv.Reader, key []byte) (*T, error) {
	raw, err := r.Get(key)
	if raw == nil || err != nil {
		return nil, err
	}
	return decode[T](key, raw)
}

func decode[T any](key, raw []byte) (*T, error) {
	v := new(T)
	if err := decoding.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("%w under key %q: %v", ErrDamaged, key, err)
	}
	return v, nil
}

func put[T any](tx kv.Tx, key []byte, v *T) error {
	raw, err := encoding.Marshal(v)
	if err != nil {
		return fmt.Errorf("meta: encoding %T: %w", v, err)
	}
	return tx.Put(key, raw)
}

// Blob returns the current record of a blob, nil when there is none.
func Blob(r kv.Reader, gen uint64, name string) (*blob.Blob, error) {
	return getBlob(r, currentKey(gen, name))
}

// PutBlob stores the current record of a blob.
func PutBlob(tx kv.Tx, gen uint64, name string, b *blob.Blob) error {
	return put(tx, currentKey(gen, name), b)
}

// DeleteBlob removes the current record of a blob and nothing else.
func DeleteBlob(tx kv.Tx, gen uint64, name string) error {
	return tx.Delete(currentKey(gen, name))
}

// Staging is what is known of the uncommitted blocks of a blob as a whole.
type Staging struct {
	Count    int       `cbor:"1,keyasint"`
	IDLength int       `cbor:"2,keyasint"` // bytes, the same for all of them
	Last     blob.Time `cbor:"3,keyasint"` // when the last block was staged
	Due      blob.Time `cbor:"4,keyasint"` // when the sweeper revisits them, see Schedule
	// KeyHash is the SHA-256 of the customer's key that all of them are encrypted with,
	// Scope the encryption scope that they have.
	KeyHash []byte `cbor:"5,keyasint,omitempty"`
	Scope   string `cbor:"6,keyasint,omitempty"`
}

// StagedFor is how long uncommitted blocks are kept after the last was staged
// (docs/reference/operations.md 5).
const StagedFor = 7 * blob.Day

// StagedBlocks returns what is known of the uncommitted blocks, nil when there are
// none.
func StagedBlocks(r kv.Reader, gen uint64, name string) (*Staging, error) {
	return get[Staging](r, stagingKey(gen, name))
}

// PutStaging stores what is known of the uncommitted blocks of a blob.
func PutStaging(tx kv.Tx, gen uint64, name string, all *Staging) error {
	return put(tx, stagingKey(gen, name), all)
}

// StagedBlock returns one uncommitted block, nil when it is not there.
func StagedBlock(r kv.Reader, gen uint64, name, id string) (*blob.Block, error) {
	return get[blob.Block](r, append(stagingKey(gen, name), id...))
}

// PutStagedBlock stores an uncommitted block and what is known of all of them.
func PutStagedBlock(tx kv.Tx, gen uint64, name string, b *blob.Block, all *Staging) error {
	key := stagingKey(gen, name)
	if err := put(tx, key, all); err != nil {
		return err
	}
	return put(tx, append(key, b.ID...), b)
}

// AllStagedBlocks returns the uncommitted blocks in the order of their IDs.
func AllStagedBlocks(r kv.Reader, gen uint64, name string) ([]blob.Block, error) {
	var blocks []blob.Block
	prefix := stagingKey(gen, name)
	for p, err := range r.Scan(append(prefix, 0), kv.PrefixEnd(prefix)) {
		if err != nil {
			return nil, err
		}
		if len(p.Key) == len(prefix) {
			continue
		}
		b, err := decode[blob.Block](p.Key, p.Value)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, *b)
	}
	return blocks, nil
}

// DropStagedBlocks forgets all uncommitted blocks and releases their bytes, except those of
// kept. There are at most blob.MaxUncommittedBlocks.
func DropStagedBlocks(tx kv.Tx, gen uint64, name string, now blob.Time, kept []blob.Block) error {
	all, err := StagedBlocks(tx, gen, name)
	if all == nil || err != nil {
		return err
	}
	blocks, err := AllStagedBlocks(tx, gen, name)
	if err != nil {
		return err
	}
	if err := tx.Delete(dueKey(all.Due, BlobKey(gen, name))); err != nil {
		return err
	}
	prefix := stagingKey(gen, name)
	if err := kv.DeleteRange(tx, prefix, kv.PrefixEnd(prefix)); err != nil {
		return err
	}
	return ReleaseBlocks(tx, gen, now, blocks, kept)
}

// Inline returns the bytes that lie in the store itself under id.
func Inline(r kv.Reader, gen uint64, id blob.ObjectID) ([]byte, error) {
	raw, err := r.Get(inlineKey(gen, id))
	if raw == nil && err == nil {
		err = fmt.Errorf("%w: inline bytes %x are missing", ErrDamaged, id)
	}
	return raw, err
}

// PutInline stores bytes under id.
func PutInline(tx kv.Tx, gen uint64, id blob.ObjectID, data []byte) error {
	return tx.Put(inlineKey(gen, id), data)
}

// Step tells a walk how to go on.
type Step uint8

const (
	Next Step = iota // to the next entry
	Stop             // end the walk
	Skip             // to the name that the visitor set
)

// FormatVersion is the version of the key layout and the encoding that this
// program writes.
const FormatVersion = 1

var formatKey = []byte{tagMeta, 'f'}

// Format returns the version of the store, 0 for an empty one.
func Format(r kv.Reader) (uint32, error) {
	raw, err := r.Get(formatKey)
	if raw == nil || err != nil {
		return 0, err
	}
	if len(raw) != 4 {
		return 0, fmt.Errorf("%w: format version %q", ErrDamaged, raw)
	}
	return binary.BigEndian.Uint32(raw), nil
}

// FormatKey is the key to declare for PutFormat.
func FormatKey() kv.Key { return formatKey }

// PutFormat marks a new store with FormatVersion.
func PutFormat(tx kv.Tx) error {
	return tx.Put(formatKey, binary.BigEndian.AppendUint32(nil, FormatVersion))
}

// Prepare marks an empty store with the version of its layout, and refuses one that
// a newer program has written.
func Prepare(ctx context.Context, db kv.DB) error {
	return db.Update(ctx, []kv.Key{FormatKey()}, func(tx kv.Tx) error {
		switch v, err := Format(tx); {
		case err != nil:
			return err
		case v == 0:
			return PutFormat(tx)
		case v > FormatVersion:
			return fmt.Errorf("the store has layout %d, and this program knows those up to %d; use a newer one", v, FormatVersion)
		}
		return nil
	})
}
