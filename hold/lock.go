package hold

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// LockOptions are the options of a lock; nil means the defaults.
type LockOptions struct {
	// Duration is the length of the lease: 15 to 60 whole seconds, default 30 s; the time after
	// which others can have it if this process dies. With Infinite nobody can, until somebody
	// breaks the lease.
	Duration time.Duration
	// Margin is the time between the end of the lock's context and the earliest moment at which the
	// lease can end: the time that users of the lock have to stop, and the bound on the error of
	// the clock's rate. Default: a tenth of the duration. At most half.
	Margin time.Duration
	// CreateIfMissing makes an empty blob, or the container, if there is none.
	CreateIfMissing bool
	// DeleteOnRelease deletes the blob instead of releasing the lease. It can't be combined with
	// Epoch, which lives in the blob, nor with a container.
	DeleteOnRelease bool
	// Describe is written to the metadata under the lease, for others to read with Inspect. It
	// stays there when the lease ends. Since is filled in. See Self.
	Describe *Holder
	// Epoch gives the lock a number higher than the number of every earlier lock: see Lock.Epoch.
	// Programs that share a lock have to agree on Options.Extensions too: the server's numbers and
	// those in the metadata don't know each other.
	Epoch bool
	// Poll is the longest pause between two looks at a lease that someone else holds. Default 3 s.
	Poll time.Duration
}

// plan returns the options with the defaults filled in.
func (c *Client) plan(o *LockOptions) (LockOptions, error) {
	var p LockOptions
	if o != nil {
		p = *o
	}
	if p.Duration == 0 {
		p.Duration = 30 * time.Second
	}
	if p.Margin == 0 {
		p.Margin = defaultMargin(p.Duration)
	}
	if p.Poll <= 0 {
		p.Poll = 3 * time.Second
	}
	_, isContainer := c.t.r.(*containerResource)
	switch _, err := wireSeconds(p.Duration); {
	case err != nil:
		return p, err
	case p.Duration != Infinite && (p.Margin < 0 || p.Margin > p.Duration/2):
		return p, fmt.Errorf("hold: a margin of %v for a lease of %v", p.Margin, p.Duration)
	case p.DeleteOnRelease && p.Epoch:
		return p, errors.New("hold: DeleteOnRelease would forget the epoch")
	case p.DeleteOnRelease && isContainer:
		return p, errors.New("hold: DeleteOnRelease is for blobs")
	}
	return p, nil
}

// Lock is a lease that stays held. Make one with Client.Lock, TryLock, Adopt or Do, and end it with
// Release or HandOff. Its methods are safe for concurrent use.
type Lock struct {
	c     *Client
	o     LockOptions
	id    ID
	ctx   context.Context
	end   context.CancelCauseFunc // of ctx
	epoch uint64                  // written before the lock is handed out

	stop context.CancelFunc // of the renewal loop
	kept chan struct{}      // closed when the renewal loop has returned

	tries sync.WaitGroup // the loop's requests that are on their way

	mu       sync.Mutex
	ended    error       // the cause of the end; nil while the lock is held
	sent     instant     // when the last successful acquire or renewal left
	sentAt   time.Time   // the same on the wall clock
	deadline instant     // when the context ends
	atRisk   bool        // since the last success
	lastErr  error       // of the last renewal
	alarm    func() bool // stops the timer of watch

	release  sync.Once
	released error
}

// lockContext ends on time even if the timer that should end it is late: asked for its state, it
// looks at the clocks. After a sleep of the machine this is the first to know.
type lockContext struct {
	context.Context
	l *Lock
}

func (c *lockContext) Err() error {
	if c.l.over() {
		<-c.Done() // whoever found that out is about to end the context
	}
	return c.Context.Err()
}

// newLock starts keeping a lease that was granted by a request that left at from. The lock's
// context has the values and the end of parent.
func (c *Client) newLock(parent context.Context, o LockOptions, id ID, from instant, sentAt time.Time) *Lock {
	l := &Lock{c: c, o: o, id: id, kept: make(chan struct{}), sent: from, sentAt: sentAt, alarm: func() bool { return false }}
	inner, end := context.WithCancelCause(parent)
	l.ctx, l.end = &lockContext{inner, l}, end
	loop, stop := context.WithCancel(context.WithoutCancel(parent))
	l.stop = stop
	l.deadline = from.add(o.Duration - o.Margin)
	if o.Duration != Infinite {
		l.watch()
	}
	go l.keep(loop)
	return l
}

// ID returns the ID of the lease.
func (l *Lock) ID() ID { return l.id }

// Context returns a context that ends before the service can give the lease to anyone else, and
// when the lock is released or handed off. context.Cause says why: a *LostError, ErrReleased or
// ErrHandedOff. It has the values of the context with which the lock was taken, but does not end
// with it, except under Do.
func (l *Lock) Context() context.Context { return l.ctx }

// Deadline returns when the context will end if no renewal succeeds, by this machine's clock. Each
// renewal moves it. It is false for an infinite lease.
func (l *Lock) Deadline() (time.Time, bool) {
	if l.o.Duration == Infinite {
		return time.Time{}, false
	}
	now := l.c.meter.now()
	_, wall := l.c.meter.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	return wall.Add(l.deadline.sub(now)), true
}

// AccessConditions returns the conditions to send with a write of the leased blob, so that the
// service refuses the write if the lease is no longer held: the one fence that cannot be climbed.
// For a container, use LeaseAccessConditions alone.
func (l *Lock) AccessConditions() *blob.AccessConditions {
	return &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: l.id.ptr()}}
}

// Epoch returns the number of this lock among all that were ever taken on the target with
// LockOptions.Epoch: later ones have higher numbers. Pass it to other resources, and let them
// refuse a number below the highest they have seen: then a holder that acts late can do no harm
// there. It is false without that option.
func (l *Lock) Epoch() (uint64, bool) { return l.epoch, l.o.Epoch }

// Check asks the service whether the lease is still held, by renewing it. It returns nil if so, the
// cause of the end if not, and another error if the service could not tell; then the lock is still
// good until its deadline.
func (l *Lock) Check(ctx context.Context) error {
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	err := l.tryRenew(ctx, tryTimeout(l.length()))
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return l.c.describe("check", err)
}

// Release stops renewing, ends the context and gives the lease up, so that others need not wait for
// its end. Call it when the work that the lock protects has come to its end; defer it. It works
// even if ctx has ended, and returns after at most about ten seconds, or sooner when the lease
// would have ended anyway. Only the first call does anything; all return what it returned: nil, a
// *LostError if the lock had been lost before, or another error if it could not be given up, in
// which case it will end in its time.
func (l *Lock) Release(ctx context.Context) error {
	l.release.Do(func() { l.released = l.giveUp(context.WithoutCancel(ctx)) })
	return l.released
}

func (l *Lock) giveUp(ctx context.Context) error {
	l.over() // a lock that is late was lost, not released
	l.finish(ErrReleased)
	<-l.kept
	now := l.c.meter.now()
	l.mu.Lock()
	cause, budget, renewed := l.ended, releaseBudget, l.sentAt
	if l.o.Duration != Infinite {
		budget = min(budget, l.sent.add(l.o.Duration).sub(now))
	}
	l.mu.Unlock()
	var lost *LostError
	switch errors.As(cause, &lost); {
	case cause == ErrHandedOff:
		return nil
	case lost != nil && lost.Reason != ReasonExpired:
		return lost
	}
	err := l.c.giveBack(ctx, l.id, budget, l.o.DeleteOnRelease)
	if lost != nil {
		return lost
	}
	if reason, gone := lossOf(err); gone {
		err = &LostError{URL: l.c.t.String(), Reason: reason, Renewed: renewed, Err: err}
	}
	if err != nil {
		l.c.emit(EventReleaseFailed, l.id, err)
		return err
	}
	l.c.emit(EventReleased, l.id, nil)
	return nil
}

// releaseBudget is how long a release is tried; a finite lease that ends sooner needs none.
const releaseBudget = 10 * time.Second

// giveBack ends the lease that id may hold.
func (c *Client) giveBack(ctx context.Context, id ID, budget time.Duration, remove bool) error {
	err := c.retryUntil(ctx, budget, func(ctx context.Context) error {
		if remove {
			return c.t.r.remove(ctx, id)
		}
		return c.t.r.release(ctx, id, nil)
	})
	if _, gone := lossOf(err); err != nil && remove && !gone {
		return c.giveBack(ctx, id, budget, false) // it has snapshots, or may not be deleted
	}
	return err
}

// HandOff stops renewing and ends the context, but keeps the lease, and returns its ID: whoever
// gets it has what is left of the duration to Adopt it. Release does nothing afterwards.
func (l *Lock) HandOff() ID {
	if l.finish(ErrHandedOff) {
		<-l.kept
		l.c.emit(EventHandedOff, l.id, nil)
	}
	return l.id
}

// finish ends the lock. It returns false if it had ended before.
func (l *Lock) finish(cause error) bool {
	l.mu.Lock()
	first, alarm := l.ended == nil, l.alarm
	if first {
		l.ended = cause
	}
	l.mu.Unlock()
	if first {
		alarm()
		l.end(cause)
		l.stop()
	}
	return first
}

// Lock waits until it gets the lease, and keeps it. It waits until ctx ends; then the error is a
// *HeldError if someone else held the lease. Failures that may pass are waited out as well. Once
// the lock is taken ctx no longer affects it.
func (c *Client) Lock(ctx context.Context, o *LockOptions) (*Lock, error) {
	return c.seek(ctx, context.WithoutCancel(ctx), o, true)
}

// TryLock takes the lease if it is free, and otherwise fails with a *HeldError that describes the
// holder as far as it is known.
func (c *Client) TryLock(ctx context.Context, o *LockOptions) (*Lock, error) {
	return c.seek(ctx, context.WithoutCancel(ctx), o, false)
}

// Do runs f under a lock: it waits for the lease as Lock does, calls f and releases the lease after
// f has returned or panicked. The context of f ends with the lock's and with ctx. Do returns the
// error of f, joined with a *LostError if the lease was lost before f had returned.
func (c *Client) Do(ctx context.Context, o *LockOptions, f func(context.Context, *Lock) error) (err error) {
	l, err := c.seek(ctx, ctx, o, true)
	if err != nil {
		return err
	}
	defer func() {
		if e := l.Release(ctx); e != nil && errors.Is(e, ErrLost) && !errors.Is(err, ErrLost) {
			err = errors.Join(err, e)
		}
	}()
	return f(l.ctx, l)
}

// Adopt takes over a lease that is held by id, perhaps handed off by another process, and keeps it.
// It fails with a
// *LostError if id does not hold the lease. The lease gets the duration of o.
func (c *Client) Adopt(ctx context.Context, id ID, o *LockOptions) (*Lock, error) {
	p, err := c.plan(o)
	if err != nil {
		return nil, err
	}
	// Acquire alone would also take a lease that has become free, and renew alone would leave its
	// duration unknown.
	if _, err = c.retry(ctx, func(ctx context.Context) (Grant, error) { return c.t.r.renew(ctx, id, nil) }); err != nil {
		return nil, c.describe("adopt", err)
	}
	s := &seeker{c: c, o: p, id: id}
	r, err := c.retry(ctx, s.acquire)
	if err != nil {
		return nil, c.describe("adopt", err)
	}
	return s.start(ctx, context.WithoutCancel(ctx), r)
}

// retry repeats a request that is safe to repeat while its failures may pass.
func (c *Client) retry(ctx context.Context, f func(context.Context) (Grant, error)) (r reply, err error) {
	for n := 1; ; n++ {
		err = c.attempt(ctx, maxTry, func(ctx context.Context) (err error) {
			r, err = c.grant(ctx, 0, f)
			return err
		})
		if err == nil || !passing(err) || !c.meter.sleepUntil(ctx, c.meter.now().add(pauseFor(n))) {
			return r, err
		}
	}
}
