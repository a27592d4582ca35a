// Package reserve keeps a part of the disk free of segments, so that small records can still be
// written when uploads are refused.
package reserve

import (
	"context"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/segment"
)

const (
	// keepFree is how many bytes of the disk bodies leave free: more than the key-value
	// store needs, so that blobs can still be deleted and leases renewed when uploads are
	// refused.
	keepFree = 256 << 20
	// askEvery is after how many bytes of a body it is asked again how much is free.
	askEvery = 8 << 20
)

// Store is a store of segments that refuses bodies before the disk is full.
type Store struct {
	segment.Store
	free func() (uint64, error) // bytes that are left on the disk
}

// New returns a store that writes to s while enough bytes are free.
func New(s segment.Store, free func() (uint64, error)) *Store { return &Store{s, free} }

// OnDisk returns how many bytes are left on the disk of a folder.
func OnDisk(dir string) func() (uint64, error) {
	return func() (uint64, error) {
		u, err := vfs.Default.GetDiskUsage(dir)
		return u.AvailBytes, err
	}
}

// Size returns the size in bytes of the disk of a folder; 0 if it is unknown.
func Size(dir string) uint64 {
	u, _ := vfs.Default.GetDiskUsage(dir)
	return u.TotalBytes
}

// Write implements segment.Store.
func (s *Store) Write(ctx context.Context, r io.Reader) (segment.Ref, error) {
	return s.Store.Write(ctx, &reader{r: r, store: s})
}

// Free returns how many bytes are left on the disk.
func (s *Store) Free() (uint64, error) { return s.free() }

// Full returns an error if there is no space for bodies. If the free space is unknown it returns
// nil and lets the write fail.
func (s *Store) Full() error {
	if free, err := s.free(); err == nil && free < keepFree {
		return fmt.Errorf("%w: %d bytes are free, and %d are kept for what is small", segment.ErrFull, free, keepFree)
	}
	return nil
}

// reader ends with segment.ErrFull when there is no space for more of a body.
type reader struct {
	r     io.Reader
	store *Store
	left  int // bytes until it is asked again
}

func (r *reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		if err := r.store.Full(); err != nil {
			return 0, err
		}
		r.left = askEvery
	}
	n, err := r.r.Read(p)
	r.left -= n
	return n, err
}
