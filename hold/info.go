package hold

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
)

// State is the state of a lease, in the words of the protocol.
type State string

// The states. The lease is held, and others are kept out, in StateLeased and StateBreaking.
const (
	StateAvailable State = "available" // never leased, or released
	StateLeased    State = "leased"
	StateExpired   State = "expired"  // its time is over; its ID may still renew it if nothing happened since
	StateBreaking  State = "breaking" // ends soon and can't be renewed
	StateBroken    State = "broken"
)

// Locked reports whether somebody holds the lease.
func (s State) Locked() bool { return s == StateLeased || s == StateBreaking }

// Info is what anyone who may read can know of a lease. The ID is not part of it.
type Info struct {
	State        State
	Infinite     bool // only known in StateLeased
	ETag         azcore.ETag
	LastModified time.Time
	Metadata     map[string]string // by lower-case name
	// Holder is what a holder wrote about itself into the metadata: the present one, while State is
	// locked, if it writes anything; otherwise an earlier one. nil: nothing is written there.
	Holder *Holder
	// Epoch is the highest epoch given out so far, as the server tells or else as the metadata say;
	// 0: none.
	Epoch uint64
	// Observed is what the server knows of the present holder. Only servers with that extension
	// return it, and only to clients that may see it.
	Observed *Observed
}

func newInfo(state *lease.StateType, duration *lease.DurationType, etag *azcore.ETag, modified *time.Time, meta map[string]*string) Info {
	i := Info{
		State:    State(value(state)),
		Infinite: value(duration) == lease.DurationTypeInfinite,
		ETag:     value(etag), LastModified: value(modified),
		Metadata: make(map[string]string, len(meta)),
	}
	for k, v := range meta {
		i.Metadata[strings.ToLower(k)] = value(v)
	}
	i.Holder = holderIn(i.Metadata)
	i.Epoch, _ = strconv.ParseUint(i.Metadata[metaEpoch], 10, 64)
	return i
}

// same reports whether there is nothing new in j.
func (i Info) same(j Info) bool {
	return i.State == j.State && i.Infinite == j.Infinite && i.ETag == j.ETag && i.Epoch == j.Epoch &&
		(i.Observed == nil) == (j.Observed == nil) && (i.Observed == nil || i.Observed.Since.Equal(j.Observed.Since)) && maps.Equal(i.Metadata, j.Metadata)
}

// Inspect reads the state of the lease and what is known of its holder, in one request. It fails
// with ErrNotFound if the target does not exist.
func (c *Client) Inspect(ctx context.Context) (Info, error) {
	i, err := c.look(c.askHolder(ctx))
	return i, c.describe("inspect", err)
}

func (c *Client) look(ctx context.Context) (Info, error) {
	var answer *http.Response
	i, err := c.t.r.inspect(policy.WithCaptureResponse(ctx, &answer))
	if err == nil && answer != nil {
		i.Observed = observedOf(answer.Header)
		if e := epochOf(answer.Header); e > 0 {
			i.Epoch = e
		}
	}
	return i, err
}

// WatchOptions are the options of Watch.
type WatchOptions struct {
	Interval time.Duration // between two looks; default 5 s
}

// Watch looks at the lease again and again until ctx ends, and yields the first state and every
// later one that differs from the one before. A failure is yielded as an error, with the last Info,
// and watching goes on. Changes between two looks can be missed.
func (c *Client) Watch(ctx context.Context, o *WatchOptions) iter.Seq2[Info, error] {
	interval := 5 * time.Second
	if o != nil && o.Interval > 0 {
		interval = o.Interval
	}
	return func(yield func(Info, error) bool) {
		var last Info
		for first := true; ctx.Err() == nil; {
			i, err := c.Inspect(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				if !yield(last, err) {
					return
				}
			case first || !i.same(last):
				first, last = false, i
				if !yield(i, nil) {
					return
				}
			}
			if !c.meter.sleepUntil(ctx, c.meter.now().add(interval)) {
				return
			}
		}
	}
}
