package service

import (
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

func tierOperations() []Operation {
	return []Operation{
		{
			Name: "Blob_SetTier", On: onBlob("PUT", "tier"), Needs: auth.PermSetTier, Status: 200,
			Use: useWrite.on(onArchived | onImmutable), Run: update(doSetTier),
		},
	}
}

// tierHeader is the tier that a request names.
type tierHeader blob.Tier

// UnmarshalText refuses unknown tiers.
func (h *tierHeader) UnmarshalText(text []byte) error {
	t, ok := blob.ParseTier(string(text))
	if !ok {
		return fault.InvalidHeader("x-ms-access-tier", string(text))
	}
	*h = tierHeader(t)
	return nil
}

// rehydratePriority is the priority with which a blob leaves the archive.
type rehydratePriority string

const (
	standardPriority rehydratePriority = "Standard"
	highPriority     rehydratePriority = "High"
)

// UnmarshalText reads the two priorities.
func (p *rehydratePriority) UnmarshalText(text []byte) error {
	for _, known := range []rehydratePriority{standardPriority, highPriority} {
		if strings.EqualFold(string(known), string(text)) {
			*p = known
			return nil
		}
	}
	return fault.InvalidHeader("x-ms-rehydrate-priority", string(text))
}

type setTier struct {
	leaseIDHeader
	stateParams
	Tier     tierHeader        `header:"x-ms-access-tier,required"`
	Priority rehydratePriority `header:"x-ms-rehydrate-priority"`
	IfTags   tagCondition      `header:"x-ms-if-tags"`
}

func (a *setTier) note(f *form) { f.conditions.IfTags = a.IfTags.TagCondition }

type tierSet struct {
	Status int `status:""`
}

func doSetTier(s *txn, a *setTier) (*tierSet, error) {
	tier := blob.Tier(a.Tier)
	state := s.blob.Access.At(s.now)
	if err := checkTier(s.blob, state.Tier, tier); err != nil {
		return nil, err
	}
	answer := &tierSet{}
	switch {
	case state.Target != 0 && state.Target != tier:
		return nil, fault.BlobBeingRehydrated
	case state.Target == 0 && state.Tier == tier:
	case state.Tier == blob.TierArchive && !s.revision.IsZero():
		return nil, fault.BlobArchived
	case state.Tier == blob.TierArchive:
		answer.Status = 202
		state.Target = tier
		s.rehydrate(&state, a.Priority == highPriority)
	default:
		state = blob.TierState{Tier: tier, Changed: s.now}
	}
	s.blob.Access = state
	return answer, s.putBlob(s.blob)
}

// rehydration is how long it takes to move a blob out of the archive; with high priority a tenth of
// it.
const rehydration = time.Minute

// rehydrate sets the time at which the blob leaves the archive. A blob that is leaving already is
// never delayed.
func (s *txn) rehydrate(t *blob.TierState, urgent bool) {
	after := rehydration
	if t.Urgent = t.Urgent || urgent; t.Urgent {
		after /= 10
	}
	done := blob.TimeOf(s.now.Std().Add(after))
	if t.Done == 0 || done < t.Done {
		t.Done = done
	}
}

// checkTier checks that the tier of a blob can change from old to tier.
func checkTier(b *blob.Blob, old, tier blob.Tier) error {
	switch {
	case !tier.Fits(b.Type):
		return fault.AccessTierNotSupportedForBlobType
	case b.Type == blob.PageBlob && b.Size > tier.Limit():
		return fault.BlobTierInadequateForContentLength
	case b.Type == blob.PageBlob && tier < old:
		return fault.CannotChangeToLowerTier
	}
	return nil
}

// placeInTier sets the tier of a new blob. A blob that replaces another one inherits a tier that
// was set.
func (s *txn) placeInTier(b *blob.Blob, tier blob.Tier) error {
	switch {
	case tier != 0:
		if err := checkTier(b, 0, tier); err != nil {
			return err
		}
		b.Access = blob.TierState{Tier: tier, Changed: s.now}
	case s.blob != nil:
		b.Access = s.blob.Access.At(s.now)
	}
	return nil
}

// tierShown describes the tier of a blob in the answer to a read.
type tierShown struct {
	Tier     blob.Tier `header:"x-ms-access-tier,since=2017-04-17"`
	Inferred bool      `header:"x-ms-access-tier-inferred,since=2017-04-17"`
	Changed  blob.Time `header:"x-ms-access-tier-change-time,since=2017-04-17"`
	Smart    blob.Tier `header:"x-ms-smart-access-tier,since=2026-06-06"`
}

// tierRead is the same for Get Blob, which sends it only to newer clients.
type tierRead struct {
	Tier     blob.Tier `header:"x-ms-access-tier,since=2026-10-06"`
	Inferred bool      `header:"x-ms-access-tier-inferred,since=2026-10-06"`
	Changed  blob.Time `header:"x-ms-access-tier-change-time,since=2026-10-06"`
	Smart    blob.Tier `header:"x-ms-smart-access-tier,since=2026-10-06"`
}

// tierHeaders holds the headers with the tier in Get Blob Properties.
type tierHeaders struct {
	tierShown
	ArchiveStatus string            `header:"x-ms-archive-status,since=2017-04-17"`
	Priority      rehydratePriority `header:"x-ms-rehydrate-priority,since=2019-12-12"`
}

// MarshalText writes the priority.
func (p rehydratePriority) MarshalText() ([]byte, error) { return []byte(p), nil }

func (s *txn) tierHeaders() tierHeaders { return s.tierOf(s.blob) }

func (s *txn) tierOf(b *blob.Blob) (h tierHeaders) {
	t := b.Access.At(s.now)
	h.Tier, h.Changed = t.Tier, t.Changed.Second()
	if t.Tier == 0 {
		h.Tier = b.InferredTier(b.Type == blob.PageBlob && s.Features(s.req.Account).PageTiers)
		h.Inferred = h.Tier != 0
	}
	if t.Tier == blob.TierSmart {
		h.Smart = blob.TierHot
	}
	if t.Target != 0 {
		h.ArchiveStatus = "rehydrate-pending-to-" + strings.ToLower(t.Target.String())
		if h.Priority = standardPriority; t.Urgent {
			h.Priority = highPriority
		}
	}
	return h
}

// appendTier appends the elements that describe the tier in a listing.
func (s *txn) appendTier(b []byte, r *blob.Blob) []byte {
	h := s.tierOf(r)
	if h.Tier == 0 {
		return b
	}
	b = wire.AppendXMLElement(b, "AccessTier", h.Tier.String())
	if h.Inferred {
		b = append(b, "<AccessTierInferred>true</AccessTierInferred>"...)
	}
	if h.Smart != 0 {
		b = wire.AppendXMLElement(b, "SmartAccessTier", h.Smart.String())
	}
	if h.ArchiveStatus != "" {
		b = wire.AppendXMLElement(b, "ArchiveStatus", h.ArchiveStatus)
		b = wire.AppendXMLElement(b, "RehydratePriority", string(h.Priority))
	}
	if h.Changed != 0 {
		b = appendTime(b, "AccessTierChangeTime", h.Changed)
	}
	return b
}

// tierDates holds the conditions of a deletion on the time of the last change of tier, which is the
// time of creation if the tier was never set.
type tierDates struct {
	TierModifiedSince   conditionDate `header:"x-ms-access-tier-if-modified-since"`
	TierUnmodifiedSince conditionDate `header:"x-ms-access-tier-if-unmodified-since"`
}

func (d *tierDates) check(b *blob.Blob, now blob.Time) error {
	changed := b.Access.At(now).Changed
	if changed == 0 {
		changed = b.Created
	}
	since, until := blob.Time(d.TierModifiedSince), blob.Time(d.TierUnmodifiedSince)
	if since != 0 && changed.Second() <= since || until != 0 && changed.Second() > until {
		return fault.AccessTierChangeTimeConditionNotMet
	}
	return nil
}
