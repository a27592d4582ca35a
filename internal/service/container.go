package service

import (
	"cmp"
	"errors"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

type createContainer struct {
	metadata
	Access            publicAccess     `header:"x-ms-blob-public-access"`
	DefaultScope      encryption.Scope `header:"x-ms-default-encryption-scope"`
	DenyScopeOverride *bool            `header:"x-ms-deny-encryption-scope-override"`
}

// checkForm demands both headers of the encryption of a container, or none.
func (a *createContainer) checkForm() error {
	switch {
	case a.DefaultScope == "" && a.DenyScopeOverride != nil:
		return fault.MissingHeader("x-ms-default-encryption-scope")
	case a.DefaultScope != "" && a.DenyScopeOverride == nil:
		return fault.MissingHeader("x-ms-deny-encryption-scope-override")
	}
	return nil
}

// publicAccess is the level of public access that a request asks for.
type publicAccess blob.PublicAccess

// UnmarshalText accepts "container" and "blob".
func (p *publicAccess) UnmarshalText(text []byte) error {
	switch string(text) {
	case "container":
		*p = publicAccess(blob.PublicContainer)
	case "blob":
		*p = publicAccess(blob.PublicBlobs)
	default:
		return fault.InvalidHeader("x-ms-blob-public-access", string(text))
	}
	return nil
}

func doCreateContainer(s *txn, a *createContainer) (*validators, error) {
	if err := blob.CheckContainerName(s.req.Container); err != nil {
		return nil, err
	}
	if s.container != nil {
		return nil, fault.ContainerAlreadyExists
	}
	if a.Access != 0 && !s.Accounts(s.req.Account).AllowPublicAccess {
		return nil, fault.PublicAccessNotPermitted
	}
	c := s.newContainer(s.req.Container)
	c.Metadata, c.Access = a.record(), blob.PublicAccess(a.Access)
	if a.DefaultScope != encryption.DefaultScope {
		c.DefaultScope = string(a.DefaultScope)
	}
	c.DenyScopeOverride = a.DenyScopeOverride != nil && *a.DenyScopeOverride
	v := validatorsOf(c.Version())
	return &v, s.putContainer(c)
}

// newContainer returns a new container with default settings.
func (s *txn) newContainer(name string) *blob.Container {
	c := &blob.Container{
		Generation:    s.newGeneration(name),
		Created:       s.now,
		VersionedWORM: s.Features(s.req.Account).Immutability,
	}
	c.Touch(s.now)
	return c
}

type deleteContainer struct {
	dateConditions
	leaseIDHeader
}

type nothing struct{}

func doDeleteContainer(s *txn, _ *deleteContainer) (*nothing, error) {
	err := s.checkEmptied()
	if err != nil {
		return nil, err
	}
	if days := s.Features(s.req.Account).ContainerRetention; days > 0 {
		err = s.softDeleteContainer(days)
	} else {
		err = meta.DeleteContainer(s.tx, s.now, s.req.Account, s.req.Container, s.container)
	}
	if err == nil {
		err = s.indexLease(lease.Lease{})
	}
	s.deleted = true
	return &nothing{}, err
}

// gateContainer returns the keys by which the deletion of a container excludes the creation of
// blobs; none if its blobs can't be protected.
func gateContainer(c *call) (keys []kv.Key) {
	c.gated = 0
	err := c.DB.View(c.ctx(), func(r kv.Reader) error {
		box, err := meta.Container(r, c.req.Account, c.req.Container)
		if box != nil && box.VersionedWORM {
			c.gated, keys = box.Generation, meta.GateKeys(box.Generation)
		}
		return err
	})
	if err != nil {
		return nil // the update meets the same error, or notices that it is not gated
	}
	return keys
}

// checkEmptied refuses to delete a container with immutability support while it holds blobs. It
// reads beside the transaction, whose gates keep blobs from being created meanwhile.
func (s *txn) checkEmptied() error {
	if !s.container.VersionedWORM {
		return nil
	}
	if s.gated != s.container.Generation {
		return errContainerChanged
	}
	return s.DB.View(s.ctx(), func(r kv.Reader) error {
		return meta.WalkStates(r, s.container.Generation, meta.Names{}, func(*meta.Entry) (meta.Step, string, error) {
			return meta.Stop, "", fault.BlobImmutableDueToPolicy
		})
	})
}

// beingDeleted is how long a deleted container counts as being deleted.
const beingDeleted = 30 * time.Second

var deletionResults = wire.CompileResults[nothing]()

// failedDeletion answers the deletion of a container that is being deleted as the first deletion
// was answered. Every other operation finds such a container missing.
func failedDeletion(c *call, err error) error {
	if !errors.Is(err, fault.ContainerNotFound) {
		return err
	}
	var again bool
	failed := c.DB.View(c.ctx(), func(r kv.Reader) (err error) {
		since := blob.TimeOf(r.Now().Add(-beingDeleted))
		again, err = meta.BeingDeleted(r, c.req.Account, c.req.Container, since)
		return err
	})
	if failed != nil || !again {
		return err
	}
	return deletionResults.Write(c.req, c.op.Status, &nothing{})
}

type getContainer struct {
	leaseIDHeader
}

type containerProperties struct {
	validators
	extended
	shown
	metadata
	leaseState
	Access                blob.PublicAccess `header:"x-ms-blob-public-access"`
	HasImmutabilityPolicy bool              `header:"x-ms-has-immutability-policy,always,since=2017-11-09"`
	HasLegalHold          bool              `header:"x-ms-has-legal-hold,always,since=2017-11-09"`
	DefaultScope          string            `header:"x-ms-default-encryption-scope,since=2019-07-07"`
	DenyScopeOverride     bool              `header:"x-ms-deny-encryption-scope-override,always,since=2019-07-07"`
	VersionedWORM         bool              `header:"x-ms-immutable-storage-with-versioning-enabled,always,since=2020-06-12"`
}

func doGetContainer(s *txn, _ *getContainer) (*containerProperties, error) {
	c := s.container
	return &containerProperties{
		validators:        validatorsOf(c.Version()),
		extended:          s.extended(c.Lease),
		shown:             s.shown(c.Lease, auth.PermBreakContainerLease),
		metadata:          metadataOf(c.Metadata),
		leaseState:        leaseStateOf(c.Lease, s.r.Now()),
		Access:            c.Access,
		DefaultScope:      cmp.Or(c.DefaultScope, encryption.DefaultScope),
		DenyScopeOverride: c.DenyScopeOverride,
		VersionedWORM:     c.VersionedWORM,
	}, nil
}

type describedVersion struct {
	validators
	metadata
}

func doGetContainerMetadata(s *txn, _ *getContainer) (*describedVersion, error) {
	return &describedVersion{validatorsOf(s.container.Version()), metadataOf(s.container.Metadata)}, nil
}

type setContainerMetadata struct {
	leaseIDHeader
	metadata
	IfModifiedSince conditionDate `header:"If-Modified-Since"`
}

func (a *setContainerMetadata) note(f *form) {
	f.conditions.IfModifiedSince = blob.Time(a.IfModifiedSince)
}

func doSetContainerMetadata(s *txn, a *setContainerMetadata) (*validators, error) {
	s.container.Metadata = a.record()
	s.container.Touch(s.now)
	v := validatorsOf(s.container.Version())
	return &v, s.putContainer(s.container)
}

// present reports whether a lease belongs in the index of leases.
func present(l lease.Lease) bool { return l.Kind != lease.None }
