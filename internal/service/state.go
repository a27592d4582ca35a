package service

import (
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
)

// onArchived are the operations that work on a blob in the archive. All others are
// refused, also those that would replace it (docs/reference/operations.md 4.4), so that none
// forgets it.
var onArchived = map[string]bool{
	"Blob_GetProperties":            true,
	"Blob_GetMetadata":              true,
	"Blob_GetTags":                  true,
	"Blob_SetTags":                  true,
	"Blob_SetTier":                  true,
	"Blob_Delete":                   true,
	"Blob_Undelete":                 true,
	"Blob_AbortCopyFromURL":         true,
	"Blob_SetExpiry":                true,
	"Blob_SetImmutabilityPolicy":    true,
	"Blob_DeleteImmutabilityPolicy": true,
	"Blob_SetLegalHold":             true,
}

// onImmutable are the changes that a policy or a legal hold allows. All others are
// refused, so that none forgets it. Leases are always allowed.
var onImmutable = map[string]bool{
	"Blob_SetTags":                  true,
	"Blob_SetTier":                  true,
	"Blob_Undelete":                 true,
	"Blob_AbortCopyFromURL":         true,
	"Blob_SetImmutabilityPolicy":    true,
	"Blob_DeleteImmutabilityPolicy": true,
	"Blob_SetLegalHold":             true,
}

// checkState judges whether the state that was loaded lets the operation work on it at
// all.
func (s *scope) checkState(args any) error {
	if s.blob == nil || s.blob.Uncommitted || s.op.Use == useNothing {
		return nil
	}
	if s.blob.Incremental != nil && s.revision.IsZero() && !onIncremental[s.op.Name] {
		return fault.OperationNotAllowedOnIncrementalCopyBlob
	}
	if strings.HasSuffix(s.op.Name, "Lease") {
		return nil
	}
	if s.tx != nil && !onImmutable[s.op.Name] {
		if err := s.blob.CheckMutable(s.now); err != nil {
			return err
		}
	}
	if !onArchived[s.op.Name] {
		if err := checkArchived(s.blob, s.now); err != nil {
			return err
		}
	}
	return s.checkKey(args)
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
