package service

import (
	"net/http"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// deleteBlob removes a blob, its snapshots, both, or one snapshot or version.
type deleteBlob struct {
	conditional
	leaseIDHeader
	stateParams
	tierDates
	Snapshots deleteSnapshots `header:"x-ms-delete-snapshots"`
	Type      string          `query:"deletetype"`
}

// deleteSnapshots says what the deletion of a blob does with its snapshots.
type deleteSnapshots uint8

const (
	refuseSnapshots  deleteSnapshots = iota // fail if there are any
	includeSnapshots                        // delete them too
	onlySnapshots                           // delete them and leave the blob
)

// UnmarshalText reads include and only.
func (d *deleteSnapshots) UnmarshalText(text []byte) error {
	switch string(text) {
	case "include":
		*d = includeSnapshots
	case "only":
		*d = onlySnapshots
	default:
		return fault.InvalidHeader("x-ms-delete-snapshots", string(text))
	}
	return nil
}

func (a *deleteBlob) checkForm() error {
	switch {
	case a.Type != "" && !strings.EqualFold(a.Type, "permanent"):
		return fault.InvalidQuery("deletetype", a.Type, "")
	case a.Snapshots != refuseSnapshots && !a.ref().revision.IsZero():
		return fault.InvalidOperation
	}
	return nil
}

// note notes that a permanent deletion is about a soft-deleted state.
func (a *deleteBlob) note(f *form) { f.state.deleted = a.Type != "" }

type deletedBlob struct {
	Permanent bool `header:"x-ms-delete-type-permanent,always,since=2017-07-29"`
}

func doDeleteBlob(s *txn, a *deleteBlob) (*deletedBlob, error) {
	if err := a.tierDates.check(s.blob, s.now); err != nil {
		return nil, err
	}
	switch {
	case a.Version != 0 && s.revision.IsZero():
		return nil, &fault.Error{Code: fault.OperationNotAllowedOnRootBlob, Status: http.StatusForbidden}
	case a.Type != "":
		return s.purge()
	case !s.revision.IsZero():
		kept, err := s.entry.DeleteRevision(s.revision, s.blob)
		return &deletedBlob{!kept}, err
	case a.Snapshots == refuseSnapshots:
		if err := s.entry.CheckNoSnapshots(); err != nil {
			return nil, err
		}
	default:
		if err := s.entry.DeleteSnapshots(); err != nil {
			return nil, err
		}
	}
	if a.Snapshots == onlySnapshots {
		return &deletedBlob{s.entry.Retained == 0}, s.putBlob(s.blob)
	}
	kept, err := s.entry.Delete()
	return &deletedBlob{!kept}, err
}

// purge permanently deletes a snapshot or version that is soft-deleted.
func (s *txn) purge() (*deletedBlob, error) {
	switch {
	case !s.properties.AllowsPermanentDelete(), s.revision.IsZero():
		return nil, fault.BlobOperationNotSupported
	case s.blob.Deleted == 0:
		return nil, fault.BlobSnapshotNotSoftDeleted
	}
	return &deletedBlob{true}, s.entry.Erase(s.revision, s.blob)
}

// undeleteBlob restores all soft-deleted states of a blob.
type undeleteBlob struct{}

func doUndelete(s *txn, _ *undeleteBlob) (*nothing, error) {
	found, err := s.entry.Undelete()
	if err == nil && !found {
		err = fault.BlobNotFound
	}
	return &nothing{}, err
}
