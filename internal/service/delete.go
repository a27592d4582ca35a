package service

import (
	"net/http"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
)

// deleteBlob removes a blob, its snapshots, both, or one snapshot or version.
type deleteBlob struct {
	conditional
	guarded
	addressed
	tierDates
	Snapshots deleteSnapshots `header:"x-ms-delete-snapshots"`
	Type      string          `query:"deletetype"`
}

// deleteSnapshots says what a deletion of a blob is to do with its snapshots.
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
	case a.Snapshots != refuseSnapshots && !a.address().revision.IsZero():
		return fault.InvalidOperation
	}
	return nil
}

// address means what is soft-deleted if it is to be deleted for good.
func (a *deleteBlob) address() address {
	at := a.addressed.address()
	at.deleted = a.Type != ""
	return at
}

type deletedBlob struct {
	Permanent bool `header:"x-ms-delete-type-permanent,always,since=2017-07-29"`
}

func doDeleteBlob(s *scope, a *deleteBlob) (*deletedBlob, error) {
	if err := a.tierDates.check(s.blob, s.now); err != nil {
		return nil, err
	}
	switch {
	case a.Version != 0 && s.revision.IsZero():
		return nil, &fault.Error{Code: fault.OperationNotAllowedOnRootBlob, Status: http.StatusForbidden}
	case a.Type != "":
		return s.purge()
	case !s.revision.IsZero():
		permanent, err := s.remove(s.revision, s.blob)
		return &deletedBlob{permanent}, err
	}
	if err := s.dropSnapshots(a.Snapshots); err != nil {
		return nil, err
	}
	if a.Snapshots == onlySnapshots {
		return &deletedBlob{s.properties.Retained(s.now) == 0}, s.putBlob(s.blob)
	}
	return s.deleteBase()
}

// deleteBase ends the current state of the blob.
func (s *scope) deleteBase() (*deletedBlob, error) {
	if err := s.dropStaged(s.blob, nil); err != nil {
		return nil, err
	}
	kept := false
	if !s.blob.Uncommitted {
		var err error
		if kept, err = s.keep(s.blob, blob.DeletedBase); err != nil {
			return nil, err
		}
	}
	if !kept {
		if err := meta.Release(s.tx, s.container.Generation, s.now, s.blob.Content); err != nil {
			return nil, err
		}
	}
	return &deletedBlob{!kept}, s.deleteBlob()
}

// dropSnapshots deletes the snapshots of the blob, or refuses if there are any and
// nothing was said about them. Those that are soft-deleted don't count.
func (s *scope) dropSnapshots(how deleteSnapshots) error {
	for e, err := range meta.Revisions(s.r, s.container.Generation, s.req.Blob) {
		if err != nil {
			return err
		}
		if e.Kind != blob.Snapshot {
			continue
		}
		b, err := e.Decode()
		if err != nil {
			return err
		}
		if b.Deleted != 0 {
			continue
		}
		if how == refuseSnapshots {
			return fault.SnapshotsPresent
		}
		if _, err := s.remove(e.Revision, b); err != nil {
			return err
		}
	}
	return nil
}

// purge deletes for good a snapshot or version that is soft-deleted.
func (s *scope) purge() (*deletedBlob, error) {
	switch {
	case !s.properties.AllowsPermanentDelete(), s.revision.IsZero():
		return nil, fault.BlobOperationNotSupported
	case s.blob.Deleted == 0:
		return nil, fault.BlobSnapshotNotSoftDeleted
	}
	return &deletedBlob{true}, s.erase(s.revision, s.blob)
}
