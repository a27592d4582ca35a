package service

import (
	"net/http"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// useGovern is the use of operations that protect a blob. The lease does not matter to them.
var useGovern = use{effect: blob.Writes}

func wormOperations() []Operation {
	const comp = "immutabilityPolicies"
	return []Operation{
		{
			Name: "Blob_SetImmutabilityPolicy", On: onBlob("PUT", comp), Needs: auth.PermSetImmutability, Status: 200,
			Use: useGovern.on(onArchived | onImmutable), Run: update(doSetPolicy),
		},
		{
			Name: "Blob_DeleteImmutabilityPolicy", On: onBlob("DELETE", comp), Needs: auth.PermSetImmutability, Status: 200,
			Use: useGovern.on(onArchived | onImmutable), Run: update(doDeletePolicy),
		},
		{
			Name: "Blob_SetLegalHold", On: onBlob("PUT", "legalhold"), Needs: auth.PermSetLegalHold, Status: 200,
			Use: useGovern.on(onArchived | onImmutable), Run: update(doSetLegalHold),
		},
	}
}

// policyDate is the end of a policy.
type policyDate blob.Time

const untilHeader = "x-ms-immutability-policy-until-date"

// UnmarshalText refuses text that is no date.
func (d *policyDate) UnmarshalText(text []byte) error {
	t, err := http.ParseTime(string(text))
	if err != nil {
		return fault.InvalidHeader(untilHeader, string(text))
	}
	*d = policyDate(blob.TimeOf(t).Second())
	return nil
}

// policyLocked is true for a locked policy, which can't be removed.
type policyLocked bool

// UnmarshalText reads the name of a mode.
func (l *policyLocked) UnmarshalText(text []byte) error {
	*l = policyLocked(strings.EqualFold(string(text), "locked"))
	if !bool(*l) && !strings.EqualFold(string(text), "unlocked") {
		return fault.InvalidHeader("x-ms-immutability-policy-mode", string(text))
	}
	return nil
}

// worm holds the headers that protect a new blob.
type worm struct {
	PolicyUntil  policyDate   `header:"x-ms-immutability-policy-until-date"`
	PolicyLocked policyLocked `header:"x-ms-immutability-policy-mode"`
	LegalHold    bool         `header:"x-ms-legal-hold"`
}

// protect sets the protection of a new blob that its request asks for.
func (s *txn) protect(b *blob.Blob, a *worm) error {
	if *a == (worm{}) {
		return nil
	}
	if err := s.checkProtects(); err != nil {
		return err
	}
	if a.PolicyUntil == 0 && bool(a.PolicyLocked) {
		return fault.MissingHeader(untilHeader)
	}
	b.LegalHold = a.LegalHold
	if a.PolicyUntil == 0 {
		return nil
	}
	return s.setPolicy(b, blob.Immutability{Until: blob.Time(a.PolicyUntil), Locked: bool(a.PolicyLocked)})
}

// checkProtects refuses a container whose blobs can't be protected.
func (s *txn) checkProtects() error {
	if !s.container.VersionedWORM {
		return fault.BlobOperationNotSupported
	}
	return nil
}

func (s *txn) setPolicy(b *blob.Blob, p blob.Immutability) error {
	if p.Until <= s.now {
		return fault.InvalidHeader(untilHeader, p.Until.Std().Format(http.TimeFormat))
	}
	if err := b.Policy.Replace(p); err != nil {
		return err
	}
	b.Policy = p
	return nil
}

type setPolicy struct {
	stateParams
	IfUnmodifiedSince conditionDate `header:"If-Unmodified-Since"`
	Until             policyDate    `header:"x-ms-immutability-policy-until-date,required"`
	Locked            policyLocked  `header:"x-ms-immutability-policy-mode"`
}

func (a *setPolicy) note(f *form) {
	f.conditions.IfUnmodifiedSince = blob.Time(a.IfUnmodifiedSince)
}

type policySet struct {
	Until blob.Time `header:"x-ms-immutability-policy-until-date"`
	Mode  string    `header:"x-ms-immutability-policy-mode"`
}

func doSetPolicy(s *txn, a *setPolicy) (*policySet, error) {
	if err := s.checkProtects(); err != nil {
		return nil, err
	}
	p := blob.Immutability{Until: blob.Time(a.Until), Locked: bool(a.Locked)}
	if err := s.setPolicy(s.blob, p); err != nil {
		return nil, err
	}
	return &policySet{p.Until, p.Mode()}, s.putBlob(s.blob)
}

type deletePolicy struct{ stateParams }

func doDeletePolicy(s *txn, _ *deletePolicy) (*nothing, error) {
	if err := s.checkProtects(); err != nil {
		return nil, err
	}
	if s.blob.Policy.Locked {
		return nil, fault.ImmutabilityPolicyDeleteOnLockedPolicy
	}
	s.blob.Policy = blob.Immutability{}
	return &nothing{}, s.putBlob(s.blob)
}

type setLegalHold struct {
	stateParams
	Hold *bool `header:"x-ms-legal-hold,required"`
}

type legalHoldSet struct {
	Hold bool `header:"x-ms-legal-hold,always"`
}

func doSetLegalHold(s *txn, a *setLegalHold) (*legalHoldSet, error) {
	if err := s.checkProtects(); err != nil {
		return nil, err
	}
	s.blob.LegalHold = *a.Hold
	return &legalHoldSet{*a.Hold}, s.putBlob(s.blob)
}

// appendProtection appends the elements about protection that a listing is asked to include.
func (l *blobLister) appendProtection(b []byte, r *blob.Blob) []byte {
	if l.with.policies && r.Policy.Until != 0 {
		b = appendTime(b, "ImmutabilityPolicyUntilDate", r.Policy.Until)
		b = wire.AppendXMLElement(b, "ImmutabilityPolicyMode", r.Policy.Mode())
	}
	if l.with.holds && r.LegalHold {
		b = append(b, "<LegalHold>true</LegalHold>"...)
	}
	return b
}
