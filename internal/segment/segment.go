// Package segment keeps immutable byte segments: the content of blobs that is
// too large to lie beside its record in the key-value store.
//
// A segment is written first and referenced afterwards by a transaction of kv;
// a crash between the two leaves garbage, never half a blob. An engine implements
// Store and passes segmenttest.Run.
package segment

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Errors that every engine reports with errors.Is.
var (
	// ErrNotFound is returned by Open for a segment that is not there.
	ErrNotFound = errors.New("segment: not found")
	// ErrCorrupt is returned by Open or while reading when the stored bytes are not
	// those that were written. Such bytes are never served as if they were good.
	ErrCorrupt = errors.New("segment: stored bytes are damaged")
	// ErrFull is wrapped by Write when the store can't write for a reason that
	// may pass (no space, read-only file system). Nothing is left listed.
	ErrFull = errors.New("segment: store cannot write")
	// ErrClosed is returned by every other method after Close.
	ErrClosed = errors.New("segment: store is closed")
)

// ID names a segment. IDs are random: no two segments of a store ever share one.
type ID [16]byte

// String returns the ID as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the form that String writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return id, fmt.Errorf("segment: %q is no segment ID", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, fmt.Errorf("segment: %q is no segment ID", s)
	}
	return id, nil
}

// Ref is what a record keeps of a segment.
type Ref struct {
	ID   ID
	Size int64 // bytes
}

// CheckRange returns an error unless n bytes from offset off lie inside the
// segment. An empty range may begin anywhere up to the end.
func (r Ref) CheckRange(off, n int64) error {
	if off < 0 || n < 0 || off > r.Size || n > r.Size-off {
		return fmt.Errorf("segment: range of %d bytes at %d lies outside %s of %d bytes", n, off, r.ID, r.Size)
	}
	return nil
}

// Info is what List tells of a segment.
type Info struct {
	Ref
	Written time.Time // when its writing ended, by the store's own clock; good for a grace period only
	// Incomplete tells of bytes that do not end as a finished segment does: a
	// crash cut their writing short, or they were damaged since. Only whether a
	// record refers to them tells which. Open and Verify refuse them, Delete
	// removes them; Size is a guess.
	Incomplete bool
}

// Store keeps immutable byte segments. It is safe for concurrent use.
type Store interface {
	// Write stores all of r under a fresh ID and is durable on return: neither a
	// crash of the process nor of the machine loses it. If r fails, or ctx ends,
	// nothing is left listed. The error of r is returned as it is.
	Write(ctx context.Context, r io.Reader) (Ref, error)
	// Open reads n bytes from offset off. A range outside the segment is an error.
	// The reader stays good when the segment is deleted while it is read, and ends
	// with an error when ctx does. It is for one goroutine, and its Close may be called
	// twice. It may implement io.WriterTo, so that a file can be sent without copying.
	Open(ctx context.Context, ref Ref, off, n int64) (io.ReadCloser, error)
	// Delete removes segments; one that is not there is no error.
	Delete(ctx context.Context, ids ...ID) error
	// List yields every stored segment once, in no order. Segments written or deleted
	// meanwhile may or may not be seen; one that is being written is not. The
	// sequence ends after its first error.
	List(ctx context.Context) iter.Seq2[Info, error]
	// Verify reads the whole segment and returns ErrCorrupt or ErrNotFound if it
	// is not what was written.
	Verify(ctx context.Context, ref Ref) error
	// Close releases the store. Readers that are still open stay good; a second Close
	// does nothing.
	Close() error
}

// Backuper is implemented by a Store that can copy segments into a folder.
type Backuper interface {
	// Backup copies the segments that ids yields into a folder, durably. The folder can be opened
	// as a store of its own. Backup ends with the first error: of ids, of the disk, or ErrNotFound.
	Backup(ctx context.Context, dir string, ids iter.Seq2[ID, error]) error
}
