package service

import (
	"fmt"
	"strconv"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
)

func restoreOperations() []Operation {
	return []Operation{
		{
			Name: "Container_Restore", On: onContainer("PUT", "undelete"), Needs: auth.PermRestoreContainer, Status: 201,
			Use: useNothing, Run: update(doRestoreContainer),
		},
		{
			Name: "Container_Restore", Status: 201,
			On: onService("PUT", "container", "undelete"), Needs: auth.PermRestoreContainer,
			Use: useNothing, Run: view(doRestoreNowhere),
		},
	}
}

// containerVersion names a soft-deleted container by when it was deleted.
type containerVersion blob.Time

// ticksSince1601 is the number of ticks from 1601, the epoch of the service's versions of
// containers, to 1970.
const ticksSince1601 = 116444736000000000

// UnmarshalText reads 16 hexadecimal digits.
func (v *containerVersion) UnmarshalText(text []byte) error {
	ticks, err := strconv.ParseUint(string(text), 16, 63)
	if got := containerVersion(ticks - ticksSince1601); err == nil && got > 0 && got.String() == string(text) {
		*v = got
		return nil
	}
	return fault.InvalidHeader("x-ms-deleted-container-version", string(text))
}

// String returns 16 hexadecimal digits.
func (v containerVersion) String() string { return fmt.Sprintf("%016X", uint64(v)+ticksSince1601) }

// deletedContainerLease is the lease that listings show for a soft-deleted container (recorded;
// docs/reference/operations.md 7.1).
var deletedContainerLease = leaseState{Status: lease.Expired.Status(), State: lease.Expired.String()}

func (s *txn) softDeleteContainer(days int) error {
	c := s.container
	c.Lease = lease.Lease{Epoch: c.Lease.Epoch}
	c.Deleted, c.Retained = s.now, s.now+blob.Time(days)*blob.Day
	return meta.SoftDeleteContainer(s.tx, s.req.Account, s.req.Container, c)
}

// restoreContainer restores a soft-deleted container under its name.
type restoreContainer struct {
	Name    string           `header:"x-ms-deleted-container-name,required"`
	Version containerVersion `header:"x-ms-deleted-container-version,required"`
}

func doRestoreContainer(s *txn, a *restoreContainer) (*nothing, error) {
	if a.Name != s.req.Container {
		return nil, fault.InvalidHeader("x-ms-deleted-container-name", a.Name)
	}
	if s.container != nil {
		return nil, fault.ContainerAlreadyExists
	}
	c, err := meta.DeletedContainer(s.r, s.req.Account, s.req.Container, blob.Time(a.Version))
	if err != nil {
		return nil, err
	}
	if c == nil || c.Retained <= s.now {
		return nil, fault.ContainerNotFound
	}
	return &nothing{}, meta.RestoreContainer(s.tx, s.req.Account, s.req.Container, c)
}

// doRestoreNowhere refuses a restoration whose URL names no container. Most such requests lack a
// header too, which is refused first.
func doRestoreNowhere(*txn, *restoreContainer) (*nothing, error) { return nil, fault.InvalidURI }
