package hold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// Infinite is the duration of a lease that ends only by release or break.
const Infinite time.Duration = -1

// Options are the settings of a Client; nil means none.
type Options struct {
	// OnEvent is called with each event of a lock: see Event. It may be called from several
	// goroutines at once and must not block, nor release the lock: until it returns that lock, and
	// no other, is not renewed.
	OnEvent func(Event)
	// Logger gets the same as OnEvent: losses and failures as warnings, the rest for debugging.
	// nil: nothing is logged.
	Logger *slog.Logger
	// Extensions asks the server for what Leasehold offers beyond the protocol, and uses what it
	// finds: waiting in a queue at the server instead of asking again and again, epochs without
	// further requests, and the holder as the server saw it. Other servers ignore the question.
	// When false, every request is one that the SDK itself would send.
	Extensions bool

	clock clock
	rules *rules
}

// Client does the operations of leases on one target. It is safe for concurrent use.
type Client struct {
	t          Target
	onEvent    func(Event)
	log        *slog.Logger
	extensions bool
	rules      *rules
	meter      *meter
}

// New returns a client. It sends nothing.
func New(t Target, o *Options) (*Client, error) {
	if t.r == nil {
		return nil, errors.New("hold: no target")
	}
	if o == nil {
		o = &Options{}
	}
	c := &Client{t: t, onEvent: o.OnEvent, log: o.Logger, extensions: o.Extensions, rules: o.rules}
	if c.rules == nil {
		c.rules = soundRules()
	}
	k := o.clock
	if k == nil {
		k = machineClock{time.Now()}
	}
	c.meter = newMeter(k, c.rules.elapsed)
	return c, nil
}

// Target returns what the client leases.
func (c *Client) Target() Target { return c.t }

// Grant is the answer to a successful acquire, renew or change.
type Grant struct {
	ID           ID
	Sent         time.Time // when the request left; a lease lasts at least its duration from here
	ETag         azcore.ETag
	LastModified time.Time
	Epoch        uint64 // as told by a server with that extension; else 0
}

func newGrant(id *string, etag *azcore.ETag, modified *time.Time) Grant {
	return Grant{ID: ID(value(id)), ETag: value(etag), LastModified: value(modified)}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// AcquireOptions are the options of Acquire.
type AcquireOptions struct {
	// ProposedID is the ID the lease shall have. Acquiring again with the ID that holds the lease
	// succeeds and starts its time anew, so a call with a fixed ID can be repeated after a failure.
	// Default: a random one.
	ProposedID ID
	// ModifiedAccessConditions are the conditional headers. A container heeds only the two dates.
	ModifiedAccessConditions *blob.ModifiedAccessConditions
	// Wait is how long the server shall wait for the lease to become free, in whole seconds; only
	// for servers with that extension and clients with Options.Extensions. The lease then lasts
	// from a later moment than Grant.Sent, which is still the safe moment to count from.
	Wait time.Duration
}

// Acquire leases the target for d: 15 to 60 whole seconds, or Infinite. It fails with a *HeldError
// if someone else holds the lease, and with ErrNotFound if the target does not exist.
func (c *Client) Acquire(ctx context.Context, d time.Duration, o *AcquireOptions) (Grant, error) {
	if o == nil {
		o = &AcquireOptions{}
	}
	seconds, err := wireSeconds(d)
	if err != nil {
		return Grant{}, err
	}
	id := o.ProposedID
	if id == "" {
		id = NewID()
	}
	r, err := c.grant(ctx, o.Wait, func(ctx context.Context) (Grant, error) {
		return c.t.r.acquire(ctx, id, seconds, o.ModifiedAccessConditions)
	})
	return r.Grant, c.describe("acquire", err)
}

// RenewOptions are the options of Renew.
type RenewOptions struct {
	// ModifiedAccessConditions are the conditional headers. A container heeds only the two dates.
	ModifiedAccessConditions *blob.ModifiedAccessConditions
}

// Renew starts the time of the lease anew, with the duration of its last acquire. It fails with a
// *LostError if the lease is not held by id.
func (c *Client) Renew(ctx context.Context, id ID, o *RenewOptions) (Grant, error) {
	conditions := value(o).ModifiedAccessConditions
	r, err := c.grant(ctx, 0, func(ctx context.Context) (Grant, error) { return c.t.r.renew(ctx, id, conditions) })
	return r.Grant, c.describe("renew", err)
}

// ChangeOptions are the options of Change.
type ChangeOptions struct {
	// ModifiedAccessConditions are the conditional headers. A container heeds only the two dates.
	ModifiedAccessConditions *blob.ModifiedAccessConditions
}

// Change gives the lease that id holds to another ID. The time of the lease goes on. Repeating a
// change succeeds.
func (c *Client) Change(ctx context.Context, id, to ID, o *ChangeOptions) (Grant, error) {
	conditions := value(o).ModifiedAccessConditions
	r, err := c.grant(ctx, 0, func(ctx context.Context) (Grant, error) { return c.t.r.change(ctx, id, to, conditions) })
	return r.Grant, c.describe("change", err)
}

// ReleaseOptions are the options of Client.Release.
type ReleaseOptions struct {
	// ModifiedAccessConditions are the conditional headers. A container heeds only the two dates.
	ModifiedAccessConditions *blob.ModifiedAccessConditions
}

// Release frees the lease at once. It fails with a *LostError if the lease is not held by id,
// unless an earlier attempt got no answer: then finding the lease gone counts as success.
func (c *Client) Release(ctx context.Context, id ID, o *ReleaseOptions) error {
	conditions := value(o).ModifiedAccessConditions
	release := func(ctx context.Context) error { return c.t.r.release(ctx, id, conditions) }
	return c.describe("release", c.retryUntil(ctx, 4*maxTry, release))
}

// BreakOptions are the options of Break.
type BreakOptions struct {
	// Period is how long the holder keeps the lease, 0 to 60 whole seconds; what is left of the
	// lease is an upper bound. nil lets a finite lease end in its own time and ends an infinite one
	// at once.
	Period *time.Duration
	// ModifiedAccessConditions are the conditional headers. A container heeds only the two dates.
	ModifiedAccessConditions *blob.ModifiedAccessConditions
}

// Break ends a lease without its ID and returns how long it takes to be free; the service rounds
// down to seconds. A holder learns of it at its next renewal: with a Period shorter than what is
// left of the lease, the target may have a new holder while the old one still believes that it
// holds the lease. Break fails with ErrNotLeased if there is no lease.
func (c *Client) Break(ctx context.Context, o *BreakOptions) (untilFree time.Duration, err error) {
	if o == nil {
		o = &BreakOptions{}
	}
	var seconds *int32
	if o.Period != nil {
		if p := *o.Period; p < 0 || p > time.Minute || p%time.Second != 0 {
			return 0, fmt.Errorf("hold: a break period of %v: it has to be 0 to 60 whole seconds", p)
		}
		seconds = new(int32(*o.Period / time.Second))
	}
	left, err := c.t.r.breakLease(ctx, seconds, o.ModifiedAccessConditions)
	return time.Duration(left) * time.Second, c.describe("break", err)
}

// reply is a grant with the details that only this package needs.
type reply struct {
	Grant
	header         http.Header // of the answer, also of a refusal; may be nil
	sent, answered instant
}

// grant runs an operation that grants a lease and notes when it left.
func (c *Client) grant(ctx context.Context, wait time.Duration, f func(context.Context) (Grant, error)) (reply, error) {
	var answer *http.Response
	ctx = c.ask(policy.WithCaptureResponse(ctx, &answer), wait)
	_, wall := c.meter.clock.now()
	r := reply{sent: c.meter.now()}
	g, err := f(ctx)
	r.Grant, r.answered = g, c.meter.now()
	r.Sent = wall
	if answer != nil {
		r.header, r.Epoch = answer.Header, epochOf(answer.Header)
	}
	return r, err
}

// once switches off the SDK's retries, which know nothing of deadlines.
func once(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
}

// attempt runs one request that may take as long as d. Without an answer in time the error is
// errNoAnswer.
func (c *Client) attempt(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	short, cancel := c.meter.within(ctx, d)
	defer cancel()
	err := f(once(short))
	if err != nil && context.Cause(short) == errNoAnswer {
		return errNoAnswer
	}
	return err
}

// retryUntil tries to give a lease up until that is done, or certain to fail, or the budget of
// time is spent.
func (c *Client) retryUntil(ctx context.Context, budget time.Duration, f func(context.Context) error) error {
	end := c.meter.now().add(budget)
	doubt := false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := c.attempt(ctx, max(tick, min(maxTry, end.sub(c.meter.now()))), f)
		if _, gone := lossOf(err); err == nil || gone && doubt && c.rules.forgive {
			return nil
		} else if gone || !passing(err) || ctx.Err() != nil {
			return err
		}
		doubt = doubt || ambiguous(err)
		if next := c.meter.now().add(jitter(pause)); next.after(end) || !c.meter.sleepUntil(ctx, next) {
			return err
		}
	}
}

// wireSeconds is the duration of a lease as the protocol has it.
func wireSeconds(d time.Duration) (int32, error) {
	if d == Infinite {
		return -1, nil
	}
	if d < 15*time.Second || d > 60*time.Second || d%time.Second != 0 {
		return 0, fmt.Errorf("hold: a duration of %v: it has to be 15 to 60 whole seconds, or Infinite", d)
	}
	return int32(d / time.Second), nil
}
