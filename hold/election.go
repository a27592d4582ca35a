package hold

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ElectionOptions are the options of an Election; nil means the defaults.
type ElectionOptions struct {
	Options
	// Lock is how the leader's lock is taken. An election always describes its leader (Describe is
	// Self("") unless set) and always counts terms, so DeleteOnRelease can't be set.
	Lock LockOptions
	// Observe is the time between two looks of Observe. Default 5 s.
	Observe time.Duration
}

// Election chooses one leader among all processes that run it on one target.
type Election struct {
	c *Client
	o ElectionOptions
}

// Term is the time of one leader.
type Term struct {
	// Number rises from one term to the next: other resources can refuse the leader of an earlier
	// term. See Lock.Epoch.
	Number uint64
	// Lock is the leader's lock; it is released when the leading function has returned.
	Lock *Lock
}

// Leader describes the leader as candidates and others see it. Until a new leader has announced
// itself they still see its predecessor.
type Leader struct {
	Elected bool   // there is one
	Holder  Holder // as it described itself
	Term    uint64
}

// NewElection returns an election on the target. It sends nothing.
func NewElection(t Target, o *ElectionOptions) (*Election, error) {
	e := &Election{}
	if o != nil {
		e.o = *o
	}
	e.o.Lock.Epoch = true
	if e.o.Lock.Describe == nil {
		e.o.Lock.Describe = Self("")
	}
	c, err := New(t, &e.o.Options)
	if err != nil {
		return nil, err
	}
	e.c = c
	_, err = c.plan(&e.o.Lock)
	return e, err
}

// Run campaigns until this process leads, and calls lead. The context of lead ends when ctx does,
// and before anyone else can lead. When lead returns, with or without an error, the leadership is
// given up and Run returns the same. But if the leadership was lost, and lead returned nil, ErrLost
// or the error of its context, Run campaigns again. A panic of lead passes on after the leadership
// was given up.
func (e *Election) Run(ctx context.Context, lead func(context.Context, Term) error) error {
	for {
		led, lost := false, false
		var own error
		err := e.c.Do(ctx, &e.o.Lock, func(ctx context.Context, l *Lock) error {
			led = true
			own = lead(ctx, Term{Number: l.epoch, Lock: l})
			lost = errors.Is(context.Cause(ctx), ErrLost)
			return own
		})
		switch {
		case !led && !errors.Is(err, ErrLost): // if it was lost before it could be announced, campaign again
			return err
		case led && !lost:
			return own
		case led && own != nil && !errors.Is(own, ErrLost) && !errors.Is(own, context.Canceled):
			return own
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// Leader returns the present leader; Elected is false if there is none.
func (e *Election) Leader(ctx context.Context) (Leader, error) {
	i, err := e.c.Inspect(ctx)
	if errors.Is(err, ErrNotFound) {
		return Leader{}, nil
	}
	return leaderIn(i), err
}

// Observe yields the leader, and each change, until ctx ends: the zero Leader when there is none.
// Failures are yielded as errors, and observation goes on. A term that is shorter than the time
// between two looks can be missed.
func (e *Election) Observe(ctx context.Context) iter.Seq2[Leader, error] {
	return func(yield func(Leader, error) bool) {
		first, last := true, Leader{}
		for i, err := range e.c.Watch(ctx, &WatchOptions{Interval: e.o.Observe}) {
			if errors.Is(err, ErrNotFound) {
				i, err = Info{}, nil
			}
			now := leaderIn(i)
			if err == nil && !first && now == last {
				continue
			}
			if err == nil {
				first, last = false, now
			}
			if !yield(now, err) {
				return
			}
		}
	}
}

// leaderIn returns the leader that the metadata beside a lease describe.
func leaderIn(i Info) Leader {
	if !i.State.Locked() || i.Holder == nil {
		return Leader{}
	}
	return Leader{Elected: true, Holder: *i.Holder, Term: i.Epoch}
}
