// Package mem keeps segments in memory: for tests, and for a server whose content
// may end with the process.
package mem

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

// Options configures a Store. Every field is optional.
type Options struct {
	// MaxBytes is how much content the store takes, in bytes; over it, Write fails with
	// segment.ErrFull. 0 means no limit.
	MaxBytes int64
}

// Store keeps segments in memory.
type Store struct {
	maxBytes int64

	mu     sync.RWMutex
	closed bool
	held   int64 // bytes of content, of unfinished writes too
	items  map[segment.ID]item
}

// item is one stored segment. Its bytes never change; readers share them.
type item struct {
	data    []byte
	sum     uint64 // CRC-64/NVMe of data
	written time.Time
}

// New returns an empty store. o may be nil.
func New(o *Options) *Store {
	s := &Store{items: make(map[segment.ID]item)}
	if o != nil {
		s.maxBytes = o.MaxBytes
	}
	return s
}

// chunk is how many bytes Write takes from its reader between two looks at the context.
const chunk = 32 << 10

// Write implements segment.Store.
func (s *Store) Write(ctx context.Context, r io.Reader) (segment.Ref, error) {
	var ref segment.Ref
	if err := s.reserve(0); err != nil {
		return ref, err
	}
	var buf bytes.Buffer
	var reserved int64
	defer func() { _ = s.reserve(-reserved) }() // unless the segment took it over
	for {
		if err := ctx.Err(); err != nil {
			return ref, err
		}
		n, err := io.CopyN(&buf, r, chunk)
		if err := s.reserve(n); err != nil {
			return ref, err
		}
		reserved += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return ref, err
		}
	}
	if err := ctx.Err(); err != nil {
		return ref, err
	}
	data := bytes.Clone(buf.Bytes()) // without the room the buffer had to grow
	ref.Size = int64(len(data))
	_, _ = rand.Read(ref.ID[:]) // never fails
	it := item{data: data, sum: crc64nvme.Checksum(data), written: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return segment.Ref{}, segment.ErrClosed
	}
	s.items[ref.ID] = it
	reserved = 0
	return ref, nil
}

// reserve accounts for n more bytes of content, or returns them if n is negative.
func (s *Store) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 {
		s.held += n
		return nil
	}
	if s.closed {
		return segment.ErrClosed
	}
	if s.maxBytes > 0 && s.held+n > s.maxBytes {
		return fmt.Errorf("%w: more than %d bytes in memory", segment.ErrFull, s.maxBytes)
	}
	s.held += n
	return nil
}

// Open implements segment.Store. It checks the whole segment, so that what its
// reader gives is good.
func (s *Store) Open(ctx context.Context, ref segment.Ref, off, n int64) (io.ReadCloser, error) {
	if err := ref.CheckRange(off, n); err != nil {
		return nil, err
	}
	data, err := s.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &reader{ctx: ctx, data: data[off : off+n]}, nil
}

// Verify implements segment.Store.
func (s *Store) Verify(ctx context.Context, ref segment.Ref) error {
	_, err := s.get(ctx, ref)
	return err
}

// get returns the bytes of a segment that is whole.
func (s *Store) get(ctx context.Context, ref segment.Ref) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	closed := s.closed
	it, ok := s.items[ref.ID]
	s.mu.RUnlock()
	switch {
	case closed:
		return nil, segment.ErrClosed
	case !ok:
		return nil, fmt.Errorf("%w: %s", segment.ErrNotFound, ref.ID)
	case int64(len(it.data)) != ref.Size:
		return nil, fmt.Errorf("%w: %s has %d bytes, not %d", segment.ErrCorrupt, ref.ID, len(it.data), ref.Size)
	case crc64nvme.Checksum(it.data) != it.sum:
		return nil, fmt.Errorf("%w: %s has another checksum", segment.ErrCorrupt, ref.ID)
	}
	return it.data, nil
}

// Delete implements segment.Store.
func (s *Store) Delete(ctx context.Context, ids ...segment.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return segment.ErrClosed
	}
	for _, id := range ids {
		s.held -= int64(len(s.items[id].data))
		delete(s.items, id)
	}
	return nil
}

// List implements segment.Store. It yields what was stored when it began.
func (s *Store) List(ctx context.Context) iter.Seq2[segment.Info, error] {
	return func(yield func(segment.Info, error) bool) {
		s.mu.RLock()
		closed := s.closed
		items := maps.Clone(s.items)
		s.mu.RUnlock()
		if closed {
			yield(segment.Info{}, segment.ErrClosed)
			return
		}
		for id, it := range items {
			if err := ctx.Err(); err != nil {
				yield(segment.Info{}, err)
				return
			}
			ref := segment.Ref{ID: id, Size: int64(len(it.data))}
			if !yield(segment.Info{Ref: ref, Written: it.written}, nil) {
				return
			}
		}
	}
}

// Close implements segment.Store. The content is gone with it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.items = nil
	return nil
}

// reader gives the bytes of one range.
type reader struct {
	ctx    context.Context
	data   []byte // still to be given
	closed bool
}

// errReaderClosed is returned by reads after Close.
var errReaderClosed = fmt.Errorf("segment: reader: %w", io.ErrClosedPipe)

// ready returns the error that stands in the way of reading on.
func (r *reader) ready() error {
	if r.closed {
		return errReaderClosed
	}
	return r.ctx.Err()
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	if len(r.data) == 0 {
		return 0, nil
	}
	n, err := w.Write(r.data)
	r.data = r.data[n:]
	return int64(n), err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.closed = true
	r.data = nil
	return nil
}
