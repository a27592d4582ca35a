package service

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/waiting"
	"github.com/leasehold/leasehold/internal/wire"
)

// The extensions of docs/extensions.md: off the wire unless a request asks for them.

// offered lists the names of the extensions.
const offered = "wait, epoch, holder, list, if-epoch"

// extensionHeader is a header by which a request asks for an extension, under either of
// its names. Both are in canonical form, since every request is searched for them.
type extensionHeader struct{ name, prefixed string }

var (
	askHeader    = extensionHeader{"Leasehold", "X-Ms-Leasehold"}
	waitHeader   = extensionHeader{"Leasehold-Wait", "X-Ms-Leasehold-Wait"}
	holderHeader = extensionHeader{"Leasehold-Holder", "X-Ms-Leasehold-Holder"}
	epochHeader  = extensionHeader{"Leasehold-If-Epoch", "X-Ms-Leasehold-If-Epoch"}
)

// in returns the value of the header in a request; "" for none.
func (e *extensionHeader) in(h http.Header) string {
	if v := h[e.name]; len(v) > 0 && v[0] != "" {
		return v[0]
	}
	if v := h[e.prefixed]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// asks reports whether a request asks about the extensions.
func (c *call) asks() bool {
	h := c.req.Header
	return askHeader.in(h) == "1" || c.asksHolder() || waitHeader.in(h) != ""
}

func (c *call) asksHolder() bool { return holderHeader.in(c.req.Header) == "true" }

// wait returns how long the request is ready to wait for a lease.
func (c *call) wait() (time.Duration, error) {
	text := waitHeader.in(c.req.Header)
	if text == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fault.InvalidHeader(strings.ToLower(waitHeader.name), text)
	}
	wait := min(time.Duration(seconds)*time.Second, waiting.Longest)
	if timeout, err := strconv.ParseUint(c.req.Query.Get("timeout"), 10, 31); err == nil && timeout > 0 {
		wait = min(wait, time.Duration(timeout)*time.Second)
	}
	return wait, nil
}

// extended holds the headers of the extensions, which are empty unless asked for.
type extended struct {
	Offered string `header:"x-ms-leasehold"`
	Epoch   uint64 `header:"x-ms-leasehold-epoch"`
}

func (s *txn) extended(l lease.Lease) extended {
	if !s.asks() {
		return extended{}
	}
	return extended{offered, l.Epoch}
}

// checkEpoch judges the condition that the lease is still the one that was seen.
func (s *txn) checkEpoch() error {
	text := epochHeader.in(s.req.Header)
	if text == "" {
		return nil
	}
	epoch, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return fault.InvalidHeader(strings.ToLower(epochHeader.name), text)
	case epoch != s.held().Epoch:
		return fault.ConditionNotMet
	}
	return nil
}

// shown holds the headers about the holder of a lease, for requests that may break it.
type shown struct {
	Principal string `header:"x-ms-leasehold-holder-principal"`
	Address   string `header:"x-ms-leasehold-holder-address"`
	Client    string `header:"x-ms-leasehold-holder-client"`
	Since     string `header:"x-ms-leasehold-holder-since"`
	Renewed   string `header:"x-ms-leasehold-holder-renewed"`
}

func (s *txn) shown(l lease.Lease, may auth.Permission) shown {
	if !s.asksHolder() || !l.State(s.r.Now()).Locked() || s.grant.Allow(may, s.resource()) != nil {
		return shown{}
	}
	return shown{
		Principal: url.PathEscape(l.Holder.Principal),
		Address:   url.PathEscape(l.Holder.Address),
		Client:    url.PathEscape(l.Holder.Client),
		Since:     l.Since.Time().Format(time.RFC3339Nano),
		Renewed:   l.Renewed.Time().Format(time.RFC3339Nano),
	}
}

// offerExtensions adds the offer of the extensions to a failure, if the request asks for it.
func (c *call) offerExtensions(err error) error {
	full, ok := fault.Of(err)
	if !ok || !c.asks() {
		return err
	}
	told := *full
	told.Header = append([]fault.Detail{{Name: "x-ms-leasehold", Value: offered}}, full.Header...)
	return &told
}

// acquireInTurn runs an acquire after the requests that wait for the same lease. It may wait
// itself.
func (c *call) acquireInTurn(ctx context.Context, fn func(*txn) error) error {
	wait, err := c.wait()
	if err != nil {
		return err
	}
	by := waiting.Requester{Account: c.req.Account, Principal: c.holder().Principal}
	var spent time.Duration // by attempts, of which one runs at a time
	if wait > 0 {
		began := c.Now()
		defer func() { c.req.Waited = c.Now().Sub(began) - spent }()
	}
	return c.queues.Acquire(ctx, c.resourceName(), by, wait, func() (left time.Duration, err error) {
		if wait > 0 {
			began := c.Now()
			defer func() { spent += c.Now().Sub(began) }()
		}
		err = c.change(ctx, func(s *txn) error {
			err := fn(s)
			if err != nil {
				left = s.blocks()
			}
			return err
		})
		return left, err
	})
}

// blocks returns for how long the lease of the resource keeps others out unless it is changed.
func (s *txn) blocks() time.Duration {
	if s.entry != nil {
		return s.entry.Blocks()
	}
	return s.lease.Left(s.r.Now())
}

// resourceName returns the name of the resource of the request in the queues of waiting requests.
func (c *call) resourceName() string { return queueName(c.req.Account, c.req.Container, c.req.Blob) }

func queueName(account, container, blob string) string {
	return account + "\x00" + container + "\x00" + blob
}

// held returns the lease of the resource.
func (s *txn) held() lease.Lease {
	switch {
	case s.req.Level == wire.LevelContainer:
		return s.container.Lease
	case s.blob != nil:
		return s.blob.Lease
	}
	return lease.Lease{}
}

// holder describes the sender of the request, to be shown as the holder of a lease.
func (c *call) holder() lease.Holder {
	h := lease.Holder{Principal: c.principal(), Client: c.req.UserAgent()}
	if len(h.Client) > maxHolderClient {
		h.Client = h.Client[:maxHolderClient]
	}
	if a := remoteAddr(c.req.Request); a.IsValid() {
		h.Address = a.String()
	}
	return h
}

// principal returns how the sender of the request was authorized: "key", "sas", or the object ID of
// an identity.
func (c *call) principal() string {
	switch p := c.grant.Principal; p.Kind {
	case auth.KindKey:
		return "key"
	case auth.KindBearer:
		return p.ObjectID
	}
	return "sas"
}

// maxHolderClient bounds how much of the client's description of itself is kept, in bytes: it is
// rewritten with every renewal.
const maxHolderClient = 256
