package main

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

// roomy is a store of segments that refuses bodies before the disk is full.
type roomy struct {
	segment.Store
	free func() (uint64, error) // bytes that are left on the disk
}

func newRoomy(s segment.Store, dir string) *roomy {
	return &roomy{s, func() (uint64, error) {
		u, err := vfs.Default.GetDiskUsage(dir)
		return u.AvailBytes, err
	}}
}

// Write implements segment.Store.
func (s *roomy) Write(ctx context.Context, r io.Reader) (segment.Ref, error) {
	return s.Store.Write(ctx, &roomyReader{r: r, store: s})
}

// full returns an error if there is no room for bodies. Where it can't be told what is free, the write itself will tell.
func (s *roomy) full() error {
	if free, err := s.free(); err == nil && free < keepFree {
		return fmt.Errorf("%w: %d bytes are free, and %d are kept for what is small", segment.ErrFull, free, keepFree)
	}
	return nil
}

// roomyReader ends with segment.ErrFull when there is no room for more of a body.
type roomyReader struct {
	r     io.Reader
	store *roomy
	left  int // bytes until it is asked again
}

func (r *roomyReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		if err := r.store.full(); err != nil {
			return 0, err
		}
		r.left = askEvery
	}
	n, err := r.r.Read(p)
	r.left -= n
	return n, err
}
