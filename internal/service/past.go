package service

import (
	"net/http"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// revisionID is the ID of a snapshot or version.
type revisionID blob.Time

// UnmarshalText reads an ID with its seven fractional digits.
func (s *revisionID) UnmarshalText(text []byte) error {
	t, err := blob.ParseStamp(string(text))
	*s = revisionID(t)
	return err
}

// MarshalText writes an ID.
func (s revisionID) MarshalText() ([]byte, error) { return []byte(blob.Time(s).Stamp()), nil }

// versionsSince is the first version of the protocol that knows versions of blobs.
const versionsSince wire.Version = "2019-12-12"

// versionID is the header with the version that a write has made or that a read has found.
type versionID struct {
	VersionID revisionID `header:"x-ms-version-id,since=2019-12-12"`
}

// stateParams holds the parameters by which a request names a snapshot or a version. Operations
// whose arguments lack them work on the base blob only.
type stateParams struct {
	Snapshot revisionID `query:"snapshot"`
	Version  revisionID `query:"versionid"`
}

// stateRef refers to the state of a blob that a request is for.
type stateRef struct {
	revision blob.Revision
	deleted  bool // refers to a soft-deleted state only
}

func (a *stateParams) note(f *form) { f.state, f.takesState = a.ref(), true }

func (a *stateParams) ref() stateRef {
	switch {
	case a.Snapshot != 0:
		return stateRef{revision: blob.Revision{Kind: blob.Snapshot, ID: blob.Time(a.Snapshot)}}
	case a.Version != 0:
		return stateRef{revision: blob.Revision{Kind: blob.PreviousVersion, ID: blob.Time(a.Version)}}
	}
	return stateRef{}
}

// checkState refuses a snapshot or version if the operation works on the base blob only, as
// InvalidQueryParameterValue (docs/reference/conditions-and-errors.md 2.4), and both at once.
func (c *call) checkState() error {
	if c.req.Level != wire.LevelBlob {
		return nil
	}
	snapshot, version := c.req.Query.Get("snapshot"), c.req.Query.Get("versionid")
	if c.form.takesState {
		if snapshot != "" && version != "" {
			return fault.InvalidQuery("versionid", version, "A snapshot has no versions.")
		}
		return nil
	}
	switch {
	case snapshot != "":
		return fault.InvalidQuery("snapshot", snapshot,
			"This operation is only allowed on the root blob. Snapshot should not be provided.")
	case version != "":
		return fault.InvalidQuery("versionid", version,
			"This operation is only allowed on the root blob. Version id should not be provided.")
	}
	return nil
}

// softDeleted returns the failure for a snapshot or version that is soft-deleted.
func (s *txn) softDeleted() error {
	if s.req.Method != http.MethodHead {
		return fault.BlobNotFound
	}
	return &fault.Error{Code: fault.BlobNotFound, Header: []fault.Detail{{Name: "x-ms-is-soft-deleted", Value: "true"}}}
}

// enterRevision loads the state that a request names, and checks the conditions against it. The
// lease of the base blob does not matter (docs/reference/leases.md 4.2).
func (s *txn) enterRevision(at stateRef) (err error) {
	if at.revision.Kind == blob.PreviousVersion && s.blob != nil && s.blob.VersionID == at.revision.ID {
		return s.enterBlob()
	}
	s.revision = at.revision
	if s.blob, err = s.entry.Revision(at.revision); err != nil {
		return err
	}
	if s.blob == nil || s.blob.Gone(s.now) {
		return fault.BlobNotFound
	}
	if !at.deleted && s.blob.Deleted != 0 {
		return s.softDeleted()
	}
	if err := s.checkConditions(s.blob.Validators(), false); err != nil {
		return err
	}
	return s.checkWorks()
}
