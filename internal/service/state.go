package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
)

// checkWorks checks that the operation works on the loaded state at all.
func (s *txn) checkWorks() error {
	if s.blob == nil || s.blob.Uncommitted {
		return nil
	}
	works := s.op.Use.works
	if works&onIncremental == 0 && s.blob.Incremental != nil && s.revision.IsZero() {
		return fault.OperationNotAllowedOnIncrementalCopyBlob
	}
	if works&onImmutable == 0 && s.tx != nil {
		if err := s.blob.CheckMutable(s.now); err != nil {
			return err
		}
	}
	if works&onArchived == 0 {
		if err := checkArchived(s.blob, s.now); err != nil {
			return err
		}
	}
	return s.checkKey()
}

// checkArchived refuses to read a blob that is in the archive or on its way out of it.
func checkArchived(b *blob.Blob, now blob.Time) error {
	switch t := b.Access.At(now); {
	case t.Target != 0:
		return fault.BlobBeingRehydrated
	case t.Tier == blob.TierArchive:
		return fault.BlobArchived
	}
	return nil
}
