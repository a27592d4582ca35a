package hold

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// The headers of the extensions; docs/extensions.md says what they mean. Those of requests have no
// x-ms- prefix because the SDK adds headers of a call after it has signed the request, and a
// signature covers every header with that prefix.
const (
	headerAsk      = "leasehold"             // request: 1
	headerWait     = "leasehold-wait"        // request: seconds
	headerHolder   = "leasehold-holder"      // request: true
	headerFeatures = "x-ms-leasehold"        // answer: wait, epoch, …
	headerEpoch    = "x-ms-leasehold-epoch"  // answer: a number
	prefixHolder   = "x-ms-leasehold-holder" // answer: -principal, -address, …
)

// Observed is what the server itself knows of a holder.
type Observed struct {
	Principal string    // who was authorized: an account key, a signature, or an identity
	Address   string    // from where the lease was acquired
	Client    string    // the name by which the client program announces itself
	Since     time.Time // when the lease was acquired
	Renewed   time.Time // when it was last renewed, or acquired
}

// ask adds the questions to a request, if the client has been told to ask.
func (c *Client) ask(ctx context.Context, wait time.Duration) context.Context {
	if !c.extensions {
		return ctx
	}
	h := http.Header{headerAsk: {"1"}}
	if wait >= time.Second {
		h.Set(headerWait, strconv.Itoa(int(wait/time.Second)))
	}
	return policy.WithHTTPHeader(ctx, h)
}

// askHolder asks the server for what it knows about the holder.
func (c *Client) askHolder(ctx context.Context) context.Context {
	if !c.extensions {
		return ctx
	}
	return policy.WithHTTPHeader(ctx, http.Header{headerAsk: {"1"}, headerHolder: {"true"}})
}

// offers reports whether an answer says that the server has a feature.
func offers(h http.Header, feature string) bool {
	return slices.ContainsFunc(strings.Split(h.Get(headerFeatures), ","), func(s string) bool { return strings.TrimSpace(s) == feature })
}

// epochOf returns the epoch in an answer, or 0.
func epochOf(h http.Header) uint64 {
	n, _ := strconv.ParseUint(h.Get(headerEpoch), 10, 64)
	return n
}

// observedOf returns the holder as the server sees it, or nil.
func observedOf(h http.Header) *Observed {
	text := func(name string) string {
		raw := h.Get(prefixHolder + name)
		if s, err := url.PathUnescape(raw); err == nil {
			return s
		}
		return raw
	}
	moment := func(name string) time.Time {
		t, _ := time.Parse(time.RFC3339Nano, h.Get(prefixHolder+name))
		return t
	}
	s := &Observed{Principal: text("-principal"), Address: text("-address"), Client: text("-client"), Since: moment("-since"), Renewed: moment("-renewed")}
	if s.Since.IsZero() {
		return nil
	}
	return s
}
