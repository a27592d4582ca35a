package service

import (
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// The five actions of Lease Blob and Lease Container. Arguments and answers are defined here; the
// rules are in lease.Apply.

type acquire struct {
	Proposed lease.OptionalID `header:"x-ms-proposed-lease-id"`
	Duration lease.Duration   `header:"x-ms-lease-duration,required"`
}

func (a *acquire) leaseRequest(s *txn) lease.Request {
	return lease.Request{Action: lease.Acquire, Proposed: a.Proposed, Duration: a.Duration,
		Fresh: lease.ID(s.NewGUID()), Holder: s.holder()}
}

type renew struct {
	ID lease.OptionalID `header:"x-ms-lease-id,required"`
}

func (a *renew) leaseRequest(*txn) lease.Request {
	return lease.Request{Action: lease.Renew, ID: a.ID}
}

type change struct {
	ID       lease.OptionalID `header:"x-ms-lease-id,required"`
	Proposed lease.OptionalID `header:"x-ms-proposed-lease-id,required"`
}

func (a *change) leaseRequest(s *txn) lease.Request {
	return lease.Request{Action: lease.Change, ID: a.ID, Proposed: a.Proposed, Holder: s.holder()}
}

type release struct {
	ID lease.OptionalID `header:"x-ms-lease-id,required"`
}

func (a *release) leaseRequest(*txn) lease.Request {
	return lease.Request{Action: lease.Release, ID: a.ID}
}

type breakLease struct {
	Period lease.BreakPeriod `header:"x-ms-lease-break-period"`
}

func (a *breakLease) leaseRequest(*txn) lease.Request {
	return lease.Request{Action: lease.Break, Period: a.Period}
}

// Lease Blob takes all conditional headers, Lease Container only those with dates
// (docs/reference/leases.md 2.3, 2.4).
type (
	acquireBlob struct {
		conditional
		acquire
	}
	renewBlob struct {
		conditional
		renew
	}
	changeBlob struct {
		conditional
		change
	}
	releaseBlob struct {
		conditional
		release
	}
	breakBlob struct {
		conditional
		breakLease
	}
	acquireContainer struct {
		dateConditions
		acquire
	}
	renewContainer struct {
		dateConditions
		renew
	}
	changeContainer struct {
		dateConditions
		change
	}
	releaseContainer struct {
		dateConditions
		release
	}
	breakContainer struct {
		dateConditions
		breakLease
	}
)

// leaseAnswer is the answer to every action but break.
type leaseAnswer struct {
	validators
	extended
	ID lease.OptionalID `header:"x-ms-lease-id"`
}

// breakAnswer is the answer to break.
type breakAnswer struct {
	validators
	extended
	Seconds int64 `header:"x-ms-lease-time,always"`
}

// leaseAction is implemented by the arguments of the five actions.
type leaseAction interface {
	leaseRequest(*txn) lease.Request
}

// act applies an action to the lease of the resource and stores the outcome. A lease
// action changes neither ETag nor Last-Modified (docs/reference/leases.md 5).
func act(s *txn, a leaseAction) (lease.Outcome, validators, error) {
	r := a.leaseRequest(s)
	if s.req.Level == wire.LevelContainer {
		next, out, err := lease.Apply(s.container.Lease, r, s.r.Now())
		if err != nil {
			return out, validators{}, fault.ForContainer(err)
		}
		s.container.Lease = next
		return out, validatorsOf(s.container.Version()), s.putContainer(s.container)
	}
	next, out, err := lease.Apply(s.blob.Lease, r, s.r.Now())
	if err != nil {
		return out, validators{}, err
	}
	s.blob.Lease = next
	return out, validators{s.blob.ETag, s.blob.Modified}, s.putBlob(s.blob)
}

// doLease runs one action, other than a break.
func doLease[A any, P interface {
	*A
	leaseAction
}](s *txn, a *A) (*leaseAnswer, error) {
	out, v, err := act(s, P(a))
	return &leaseAnswer{v, s.extended(s.held()), out.ID}, err
}

// doBreak runs a break, which answers with a time instead of an ID.
func doBreak[A any, P interface {
	*A
	leaseAction
}](s *txn, a *A) (*breakAnswer, error) {
	if err := s.checkEpoch(); err != nil {
		return nil, err
	}
	out, v, err := act(s, P(a))
	return &breakAnswer{v, extended{Offered: s.extended(s.held()).Offered}, out.Seconds}, err
}
