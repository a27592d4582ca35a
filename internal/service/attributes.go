package service

import (
	"github.com/leasehold/leasehold/internal/blob"
)

// attributes holds what an operation that makes a blob may set beside its content. Each attribute
// also has an operation of its own.
type attributes struct {
	Tags tagsHeader `header:"x-ms-tags"`
	Tier tierHeader `header:"x-ms-access-tier"`
	worm
	scoped
}

func (a *attributes) note(f *form) { f.takesTags = true }

func (a *attributes) setsTags() bool { return len(a.Tags) > 0 }

// setAttributes sets the attributes that a request asks for on b, which replaces the current blob.
func (s *txn) setAttributes(b *blob.Blob, a *attributes) error {
	b.Tags = blob.Tags(a.Tags)
	if err := s.protect(b, &a.worm); err != nil {
		return err
	}
	return s.placeInTier(b, blob.Tier(a.Tier))
}
