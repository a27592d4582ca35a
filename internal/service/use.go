package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/wire"
)

// use describes how an operation treats its container or blob. It decides the preconditions, which
// one function checks for all operations (docs/reference/leases.md 8,
// docs/reference/conditions-and-errors.md 1).
type use struct {
	creates bool        // the resource may be missing
	staged  bool        // a blob of uncommitted blocks alone counts as existing
	lease   leaseUse    // what the lease of the resource demands
	effect  blob.Effect // how conditional headers are judged
	works   works       // on which blobs of limited use it works all the same
	// target is the first version for which an unmet condition is ConditionNotMet; before, it is
	// TargetConditionNotMet (docs/reference/conditions-and-errors.md 2.3).
	target wire.Version
}

type leaseUse uint8

const (
	leaseAside  leaseUse = iota // the operation ignores the lease, or is about the lease itself
	leaseReads                  // a lease ID that is sent must be valid
	leaseWrites                 // while locked, the lease ID is needed
	leaseCopies                 // the same, and the lease has to be infinite
)

// works is a set of the blobs of limited use that an operation works on. Every other operation is
// refused on such a blob, so that none can forget the check.
type works uint8

const (
	onArchived    works = 1 << iota // in the archive (docs/reference/operations.md 4.4)
	onImmutable                     // under a policy or a legal hold
	onIncremental                   // the destination of incremental copies

	onAll = onArchived | onImmutable | onIncremental
)

var (
	useNothing   = use{creates: true, works: onAll}
	useRead      = use{lease: leaseReads, effect: blob.Reads}
	useAttribute = use{lease: leaseReads, effect: blob.Reads, works: onArchived}
	useWrite     = use{lease: leaseWrites, effect: blob.Writes}
	useCreate    = use{creates: true, lease: leaseWrites, effect: blob.Creates}
	useDelete    = use{staged: true, lease: leaseWrites, effect: blob.Writes, works: onArchived | onIncremental}
	useStage     = use{creates: true, staged: true, lease: leaseWrites, effect: blob.Writes}
	useStaged    = use{staged: true, lease: leaseReads, effect: blob.Reads}
	useLease     = use{staged: true, effect: blob.Writes, works: onArchived | onImmutable}
	useEndLease  = use{staged: true, effect: blob.Writes, works: onArchived | onImmutable}
	useUnguarded = use{effect: blob.Reads}                     // neither lease nor conditions count
	useModify    = use{lease: leaseReads, effect: blob.Writes} // of a container: writes that its lease does not guard
)

// on returns the use, of blobs of limited use as well.
func (u use) on(w works) use {
	u.works |= w
	return u
}

// Words for the rules of a use, for documentation.
var (
	leaseRules = map[leaseUse]string{
		leaseReads:  "a lease ID that is sent must be valid",
		leaseWrites: "needs the lease ID while locked",
		leaseCopies: "needs the lease ID while locked, and an infinite lease",
	}
	effectRules = map[blob.Effect]string{
		blob.Reads:   "conditions of a read",
		blob.Writes:  "conditions of a write",
		blob.Creates: "conditions of a creation",
	}
	worksRules = []struct {
		on   works
		text string
	}{
		{onArchived, "works in the archive"},
		{onImmutable, "works under a policy or a legal hold"},
		{onIncremental, "works on the destination of incremental copies"},
	}
)

// rules returns the rules of a use in words.
func (u use) rules(ofBlob bool) (rules []string) {
	if u.creates {
		rules = append(rules, "the resource may be missing")
	}
	if u.staged && ofBlob {
		rules = append(rules, "uncommitted blocks count as a blob")
	}
	if text := leaseRules[u.lease]; text != "" {
		rules = append(rules, text)
	}
	if u != useNothing && u != useUnguarded {
		rules = append(rules, effectRules[u.effect])
	}
	for _, w := range worksRules {
		if ofBlob && u.works&w.on != 0 {
			rules = append(rules, w.text)
		}
	}
	return rules
}
