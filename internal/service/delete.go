package service

import (
	"net/http"

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
	if a.Snapshots != refuseSnapshots && !a.address().past.IsZero() {
		return fault.InvalidOperation
	}
	return nil
}

type deletedBlob struct {
	Permanent bool `header:"x-ms-delete-type-permanent,always,since=2017-07-29"`
}

func doDeleteBlob(s *scope, a *deleteBlob) (*deletedBlob, error) {
	if err := a.tierDates.check(s.blob, s.now); err != nil {
		return nil, err
	}
	if !s.past.IsZero() {
		return &deletedBlob{true}, s.erase(s.past, s.blob)
	}
	if a.Version != 0 {
		return nil, &fault.Error{Code: fault.OperationNotAllowedOnRootBlob, Status: http.StatusForbidden}
	}
	if err := s.dropSnapshots(a.Snapshots); err != nil {
		return nil, err
	}
	if a.Snapshots == onlySnapshots {
		return &deletedBlob{true}, s.putBlob(s.blob)
	}
	if err := s.dropStaged(nil); err != nil {
		return nil, err
	}
	if err := meta.Release(s.tx, s.container.Generation, s.now, s.blob.Content); err != nil {
		return nil, err
	}
	return &deletedBlob{true}, s.deleteBlob()
}

// dropSnapshots removes the snapshots of the blob, or refuses if there are any and
// nothing was said about them.
func (s *scope) dropSnapshots(how deleteSnapshots) error {
	for e, err := range meta.AllPast(s.r, s.container.Generation, s.req.Blob) {
		if err != nil {
			return err
		}
		if e.Kind != blob.Snapshot {
			continue
		}
		if how == refuseSnapshots {
			return fault.SnapshotsPresent
		}
		b, err := e.Decode()
		if err != nil {
			return err
		}
		if err := s.erase(e.Past, b); err != nil {
			return err
		}
	}
	return nil
}

// erase removes a past state for good.
func (s *scope) erase(p blob.Past, b *blob.Blob) error {
	gen := s.container.Generation
	if err := meta.Release(s.tx, gen, s.now, b.Content); err != nil {
		return err
	}
	return meta.DeletePast(s.tx, gen, s.req.Blob, p, b)
}
