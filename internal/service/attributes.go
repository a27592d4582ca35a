package service

import (
	"github.com/leasehold/leasehold/internal/blob"
)

// attributes are what the operations that make a blob may set beside its content: all
// that has an operation of its own, too.
type attributes struct {
	Tags tagsHeader `header:"x-ms-tags"`
	Tier tierHeader `header:"x-ms-access-tier"`
	worm
	scoped
}

func (a *attributes) note(f *form) { f.takesTags = true }

func (a *attributes) setsTags() bool { return len(a.Tags) > 0 }

// setAttributes gives b, which is to be written in place of what there was, what a
// request asks for.
func (s *txn) setAttributes(b *blob.Blob, a *attributes) error {
	b.Tags = blob.Tags(a.Tags)
	if err := s.protect(b, &a.worm); err != nil {
		return err
	}
	return s.placeInTier(b, blob.Tier(a.Tier))
}
