// Package fetch reads sources of copies outside this server over HTTP. It limits the time, the
// redirects, and, unless private addresses are allowed, the addresses, so that no client can use
// the server to reach an address that only the server can reach.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// Options configures a Client. Every field is optional.
type Options struct {
	// AllowPrivate permits sources at addresses outside the public internet. Without it, no client
	// can use the server to reach an address that only the server can reach.
	AllowPrivate bool
	// Timeout bounds the reading of one source as a whole; 0 stands for DefaultTimeout.
	Timeout time.Duration

	// Replaced by tests, in place of the network.
	resolver *net.Resolver             // of names; nil for the system's resolver
	permit   func(netip.AddrPort) bool // reports whether the guard lets an address pass; nil for none
}

// DefaultTimeout is the timeout if Options sets none.
const DefaultTimeout = 10 * time.Minute

const (
	maxRedirects = 5
	maxHead      = 64 << 10 // bytes of the header of an answer
	maxCode      = 64       // bytes of an error code that is passed on
	dialTimeout  = 10 * time.Second
	headTimeout  = 30 * time.Second // for the header of the answer to come
)

// errInternalAddress reports a source outside the public internet.
var errInternalAddress = errors.New("fetch: not an address of the public internet")

// Client reads sources. It is safe for concurrent use.
type Client struct {
	timeout time.Duration
	http    *http.Client
}

// New returns a Client. It knows no proxies, because the guard judges the address that
// is dialled.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: o.resolver}
	if !o.AllowPrivate {
		dialer.Control = o.guard
	}
	return &Client{o.Timeout, &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  headTimeout,
			MaxResponseHeaderBytes: maxHead,
			DisableCompression:     true,
			DisableKeepAlives:      true,
		},
		CheckRedirect: checkRedirect,
	}}
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errors.New("fetch: too many redirects")
	case !Readable(r.URL) || via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("fetch: redirect to a URL that can't be a source")
	case r.URL.Scheme != via[0].URL.Scheme || r.URL.Host != via[0].URL.Host:
		encryption.OfBlob.Remove(r.Header)
	}
	return nil
}

// Readable reports whether a URL can name a source: HTTP or HTTPS, with a host, and with neither
// user information nor a fragment.
func Readable(u *url.URL) bool {
	web := u.Scheme == "http" || u.Scheme == "https"
	return web && u.Hostname() != "" && u.User == nil && u.Opaque == "" && u.Fragment == ""
}

// guard refuses connections to addresses that are not of the public internet. It sees
// the address that a name was resolved to, for every connection.
func (o *Options) guard(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if public(at.Addr()) || o.permit != nil && o.permit(at) {
		return nil
	}
	return errInternalAddress
}

// internalNets lists the networks outside the public internet that netip does not know: this
// network, carrier-grade NAT (a cloud's metadata among it), protocol assignments, benchmarks,
// documentation, reserved, the address by which a cloud talks to its machines, and of IPv6 the
// forms that carry an IPv4 address to a gateway.
var internalNets = prefixes("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 " +
	"192.88.99.0/24 240.0.0.0/4 168.63.129.16/32 2001::/23 2001:db8::/32 2002::/16 3ffe::/16 3fff::/20")

// globalUnicast is where all public addresses of IPv6 are. What lies beside it is reserved, or a
// form that a gateway translates (64:ff9b::/96, ::ffff:0:0:0/96 and others).
var globalUnicast = netip.MustParsePrefix("2000::/3")

func prefixes(text string) (out []netip.Prefix) {
	for p := range strings.FieldsSeq(text) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// public reports whether an address belongs to the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !globalUnicast.Contains(a) || isatap(a) {
		return false
	}
	for _, p := range internalNets {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// isatap reports whether the lower half of an address carries an IPv4 address to a gateway, under
// whatever prefix (RFC 5214, section 6.1).
func isatap(a netip.Addr) bool {
	b := a.As16()
	return a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5E && b[11] == 0xFE
}

// Request describes what to read from a source.
type Request struct {
	URL        *url.URL        // for which Readable reports true
	Version    string          // of the protocol
	Bearer     string          // the value of Authorization, which is sent over HTTPS only; "" for none
	Key        *encryption.Key // of the content, which redirects to other hosts do not get; nil for none
	Range      wire.Range
	Conditions blob.Conditions // conditions on tags are not sent
}

// Answer is a source that can be read.
type Answer struct {
	Header  http.Header
	Length  int64         // bytes of Content; -1 if it is not known
	Content io.ReadCloser // the wanted range; it fails as Get does
}

// Get opens a source. Whoever gets the answer closes its content, which ends with ctx and with the
// timeout. Conditions that are not met are ConditionNotMet, with 304 or 412 as the read of a blob
// answers them, and a range behind the end is InvalidRange. Every other failure is
// CannotVerifyCopySource, which names no address of the server's network
// (docs/decisions/copy-sources.md).
func (c *Client) Get(ctx context.Context, r *Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	got, err := c.ask(ctx, r)
	if err != nil {
		cancel()
		return nil, unreachable(err)
	}
	a := &Answer{Header: got.Header, Length: got.ContentLength, Content: &content{got.Body, cancel}}
	if err := understand(got); err != nil {
		a.Content.Close()
		return nil, err
	}
	if r.Range.IsZero() || got.StatusCode == http.StatusPartialContent {
		return a, nil
	}
	if err := a.cut(r.Range); err != nil {
		a.Content.Close()
		return nil, err
	}
	return a, nil
}

// ask sends the request for a source.
func (c *Client) ask(ctx context.Context, in *Request) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, in.URL.String(), nil)
	if err != nil {
		return nil, err
	}
	h := r.Header
	h.Set("x-ms-version", in.Version)
	if in.Bearer != "" && r.URL.Scheme == "https" {
		h.Set("Authorization", in.Bearer)
	}
	if in.Key != nil {
		in.Key.Give(h)
	}
	if !in.Range.IsZero() {
		last := ""
		if !in.Range.Open() {
			last = strconv.FormatInt(in.Range.Last(), 10)
		}
		h.Set("Range", "bytes="+strconv.FormatInt(in.Range.Start, 10)+"-"+last)
	}
	for name, value := range map[string]string{"If-Match": in.Conditions.IfMatch, "If-None-Match": in.Conditions.IfNoneMatch} {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, t := range map[string]blob.Time{
		"If-Modified-Since": in.Conditions.IfModifiedSince, "If-Unmodified-Since": in.Conditions.IfUnmodifiedSince} {
		if !t.IsZero() {
			h.Set(name, t.Std().Format(http.TimeFormat))
		}
	}
	return c.http.Do(r)
}

// unreachable returns the failure for a source that did not answer. It does not tell one forbidden
// address from another.
func unreachable(err error) error {
	e := fault.CopySource(http.StatusBadRequest, fault.CannotVerifyCopySource, fault.CannotVerifyCopySource.Message())
	if errors.Is(err, errInternalAddress) {
		e = fault.CopySource(http.StatusForbidden, fault.CannotVerifyCopySource,
			"The source of the copy is at an address that this server does not read from.")
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // its own text holds the URL, and so a signature
	}
	// The text only: the error of the reading must not be taken for the end of the request's own
	// body.
	e.Cause = fmt.Errorf("reading the source of a copy: %v", err)
	return e
}

// understand reads the status of an answer.
func understand(r *http.Response) error {
	switch r.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return nil
	case http.StatusNotModified:
		return fault.NotModified()
	case http.StatusPreconditionFailed:
		return fault.ConditionNotMet
	case http.StatusRequestedRangeNotSatisfiable:
		return fault.InvalidRange
	}
	code := r.Header.Get("x-ms-error-code")
	if len(code) > maxCode {
		code = ""
	}
	return fault.CopySource(refusal(r.StatusCode), fault.Code(code), "The source of the copy answered "+strconv.Itoa(r.StatusCode)+".")
}

// refusal returns the status to pass on: a failure of the source is no failure of this server.
func refusal(status int) int {
	if status >= http.StatusInternalServerError {
		return http.StatusBadRequest
	}
	return status
}

// cut cuts the wanted range out of the answer of a server that ignores ranges.
func (a *Answer) cut(within wire.Range) error {
	n, err := io.CopyN(io.Discard, a.Content, within.Start)
	switch {
	case errors.Is(err, io.EOF):
		return fault.InvalidRange
	case err != nil:
		return err
	}
	left := within.Len()
	if a.Length >= 0 {
		if left = min(left, a.Length-n); left <= 0 {
			return fault.InvalidRange
		}
		a.Length = left
	}
	a.Content = &limited{io.LimitReader(a.Content, left), a.Content}
	return nil
}

// content is the body of an answer. Its failures are failures of the source.
type content struct {
	body   io.ReadCloser
	cancel context.CancelFunc
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if err != nil && err != io.EOF {
		err = unreachable(err)
	}
	return n, err
}

func (c *content) Close() error {
	c.cancel()
	return c.body.Close()
}

// limited reads a part of a body and closes all of it.
type limited struct {
	io.Reader
	io.Closer
}
