package hold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// seeker is one attempt to get a lock, with all its tries.
type seeker struct {
	c       *Client
	o       LockOptions
	id      ID            // proposed by every try, so that repeating one is harmless
	doubt   bool          // a try may have had its effect without our knowing
	wait    time.Duration // how long the server shall wait; 0 unless it offers that
	refused error         // the last refusal because someone else holds the lease
}

// serverWait is the longest wait asked of a server: below the idle time-outs of usual proxies.
const serverWait = 50 * time.Second

// pauseFor is the pause after the nth failure in a row.
func pauseFor(n int) time.Duration {
	return jitter(min(250*time.Millisecond<<min(n-1, 5), 5*time.Second))
}

// seek gets a lock; if patient it waits until ctx ends.
func (c *Client) seek(ctx, parent context.Context, o *LockOptions, patient bool) (*Lock, error) {
	p, err := c.plan(o)
	if err != nil {
		return nil, err
	}
	s := &seeker{c: c, o: p, id: NewID()}
	r, err := s.untilGranted(ctx, patient)
	if err == nil {
		return s.start(ctx, parent, r)
	}
	if s.doubt {
		go c.giveBack(context.WithoutCancel(ctx), s.id, releaseBudget, false)
	}
	return nil, s.explain(ctx, err, patient)
}

// untilGranted tries until the lease is granted, or there is no use in trying.
func (s *seeker) untilGranted(ctx context.Context, patient bool) (reply, error) {
	for failures, created := 0, 0; ; {
		began := s.c.meter.now()
		r, err := s.try(ctx)
		switch {
		case err == nil:
			return r, nil
		case ctx.Err() != nil:
			return r, err
		case bloberror.HasCode(err, bloberror.LeaseAlreadyPresent, bloberror.LeaseIsBreakingAndCannotBeAcquired):
			if !patient {
				s.refused = err
				return r, err
			}
			if s.refused == nil {
				s.c.emit(EventWaiting, s.id, err)
			}
			s.refused, failures, created = err, 0, 0
			s.pause(ctx, r, s.c.meter.now().sub(began))
		case bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound) && s.o.CreateIfMissing && created < 3:
			if err := s.create(ctx); err != nil {
				return r, err
			}
			created++
		case (passing(err) || lapsed(err)) && (patient || failures < 2):
			failures++
			s.c.meter.sleepUntil(ctx, s.c.meter.now().add(pauseFor(failures)))
		default:
			return r, err
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
	}
}

// lapsed reports whether a grant was lost again before it could be renewed.
func lapsed(err error) bool {
	return bloberror.HasCode(err, bloberror.LeaseIDMismatchWithLeaseOperation, bloberror.LeaseIsBrokenAndCannotBeRenewed)
}

// try asks for the lease once. A grant that took long to come is renewed before it is believed,
// since its time counts from the moment it was asked for.
func (s *seeker) try(ctx context.Context) (r reply, err error) {
	s.id = s.c.rules.propose(s.id)
	err = s.c.attempt(ctx, maxTry+s.wait, func(ctx context.Context) (err error) {
		r, err = s.c.grant(ctx, s.wait, s.acquire)
		return err
	})
	if err != nil {
		s.doubt = s.doubt || ambiguous(err)
		return r, err
	}
	if s.o.Duration == Infinite || s.c.rules.anchor(r.sent, r.answered).add(s.o.Duration/3).after(r.answered) {
		return r, nil
	}
	s.doubt = true
	epoch := r.Epoch
	err = s.c.attempt(ctx, min(answerTimeout(s.o.Duration), maxTry), func(ctx context.Context) (err error) {
		r, err = s.c.grant(ctx, 0, func(ctx context.Context) (Grant, error) { return s.c.t.r.renew(ctx, s.id, nil) })
		return err
	})
	if r.Epoch == 0 {
		r.Epoch = epoch
	}
	return r, err
}

func (s *seeker) acquire(ctx context.Context) (Grant, error) {
	seconds, err := wireSeconds(s.o.Duration)
	if err != nil {
		return Grant{}, err
	}
	return s.c.t.r.acquire(ctx, s.id, seconds, nil)
}

// create makes the target. An existing target is no error.
func (s *seeker) create(ctx context.Context) error {
	err := s.c.attempt(ctx, maxTry, s.c.t.r.create)
	if err == nil || passing(err) || bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ContainerAlreadyExists, bloberror.LeaseIDMissing) {
		return nil // a failure that may pass shows again at the next try
	}
	return err
}

// pause waits before the next try, after one that took that long: at the server if it offers that,
// or here until the lease looks free. Looking is cheaper for everyone than trying.
func (s *seeker) pause(ctx context.Context, r reply, took time.Duration) {
	if s.wait > 0 && took < tick {
		s.wait = 0 // it says it waits, but does not
	} else if s.c.extensions && offers(r.header, "wait") {
		s.wait = serverWait
		return
	}
	for n := 1; ; n++ {
		if !s.c.meter.sleepUntil(ctx, s.c.meter.now().add(min(pauseFor(n), s.o.Poll))) {
			return
		}
		var i Info
		err := s.c.attempt(ctx, maxTry, func(ctx context.Context) (err error) {
			i, err = s.c.look(ctx)
			return err
		})
		if err == nil && i.State == StateBreaking {
			n = min(n, 2) // it will be free within a minute, for all who wait
		}
		// A target that can't be read can perhaps be leased.
		if err == nil && !i.State.Locked() || err != nil && !passing(err) {
			return
		}
	}
}

// start turns a grant into a lock.
func (s *seeker) start(ctx, parent context.Context, r reply) (*Lock, error) {
	l := s.c.newLock(parent, s.o, s.id, s.c.rules.anchor(r.sent, r.answered), r.Sent)
	s.c.emit(EventAcquired, s.id, nil)
	l.epoch = r.Epoch
	if err := l.writeMetadata(ctx); err != nil {
		l.Release(ctx)
		return nil, err
	}
	return l, nil
}

// explain returns the reason why there is no lock.
func (s *seeker) explain(ctx context.Context, err error, patient bool) error {
	if s.refused == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("hold: lock %s: %w", s.c.t, errors.Join(context.Cause(ctx), err))
		}
		return s.c.describe("acquire", err)
	}
	held := &HeldError{URL: s.c.t.String(), Err: s.refused}
	if patient && ctx.Err() != nil {
		held.Err = errors.Join(context.Cause(ctx), s.refused)
		return held
	}
	if patient {
		return s.c.describe("acquire", err)
	}
	s.c.attempt(ctx, maxTry, func(ctx context.Context) error {
		i, err := s.c.look(ctx)
		if err == nil && i.State.Locked() {
			held.State, held.Holder = i.State, i.Holder
			switch {
			case i.State == StateBreaking:
				held.RetryAfter = 5 * time.Second
			case !i.Infinite:
				held.RetryAfter = time.Minute
			}
		}
		return err
	})
	return held
}
