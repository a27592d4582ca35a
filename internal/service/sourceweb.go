package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// SourceOptions say how sources of copies outside of this server are read. The zero
// value is good.
type SourceOptions struct {
	// AllowPrivate lets sources lie at addresses that are not of the public internet. Without
	// it nobody can use the server to reach what only the server can reach.
	AllowPrivate bool
	// Timeout bounds the reading of one source as a whole; 0 stands for DefaultSourceTimeout.
	Timeout time.Duration
	// MaxBytes bounds a source that is copied as a blob; 0 stands for DefaultMaxSource.
	MaxBytes int64
	// Resolver looks up names; nil stands for that of the system.
	Resolver *net.Resolver

	permit func(netip.AddrPort) bool // what the guard lets pass in a test; nil for nothing
}

// What applies where SourceOptions say nothing.
const (
	DefaultSourceTimeout = 10 * time.Minute
	DefaultMaxSource     = maxPutBlob
)

const (
	maxSourceRedirects = 5
	maxSourceHead      = 64 << 10 // bytes of the header of an answer
	maxSourceCode      = 64       // bytes of an error code that is passed on
	sourceDialTimeout  = 10 * time.Second
	sourceHeadTimeout  = 30 * time.Second // for the header of the answer to come
)

// errInternalAddress says that a source lies where no source may be read from.
var errInternalAddress = errors.New("service: not an address of the public internet")

// client returns the HTTP client that sources are read with. It knows no proxies, because
// the guard judges the address that is dialled.
func (o *SourceOptions) client() *http.Client {
	dialer := &net.Dialer{Timeout: sourceDialTimeout, Resolver: o.Resolver}
	if !o.AllowPrivate {
		dialer.Control = o.guard
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    sourceDialTimeout,
			ResponseHeaderTimeout:  sourceHeadTimeout,
			MaxResponseHeaderBytes: maxSourceHead,
			DisableCompression:     true,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxSourceRedirects:
				return errors.New("service: too many redirects")
			case !fetchable(r.URL) || via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
				return errors.New("service: redirect to where no source is read from")
			}
			return nil
		},
	}
}

// guard refuses connections to addresses that are not of the public internet. It sees
// the address that a name was resolved to, for every connection.
func (o *SourceOptions) guard(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if public(at.Addr()) || o.permit != nil && o.permit(at) {
		return nil
	}
	return errInternalAddress
}

// internalNets are the networks beside those that netip knows in which nothing of the
// public internet is: this network, carrier-grade NAT (a cloud's metadata among it),
// protocol assignments, benchmarks, documentation, reserved, and the IPv6 forms that
// carry an IPv4 address to a gateway.
var internalNets = prefixes("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 " +
	"192.88.99.0/24 240.0.0.0/4 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10 ::/96")

func prefixes(text string) (out []netip.Prefix) {
	for p := range strings.FieldsSeq(text) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// public tells whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range internalNets {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// fetch opens a source outside of this server.
func (c *call) fetch(w *wanted) (*source, error) {
	timeout := c.Sources.Timeout
	if timeout == 0 {
		timeout = DefaultSourceTimeout
	}
	if w.limit == 0 {
		w.limit = DefaultMaxSource
		if c.Sources.MaxBytes > 0 {
			w.limit = c.Sources.MaxBytes
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx(), timeout)
	answer, err := c.ask(ctx, w)
	if err != nil {
		cancel()
		return nil, unreachable(err)
	}
	f := &source{wanted: w, content: &fetched{body: answer.Body, cancel: cancel}}
	if err := f.understand(answer); err != nil {
		f.content.Close()
		return nil, err
	}
	return f, nil
}

// ask sends the request for a source.
func (c *call) ask(ctx context.Context, w *wanted) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url.String(), nil)
	if err != nil {
		return nil, err
	}
	h := r.Header
	h.Set("x-ms-version", string(c.req.Version))
	if w.bearer != "" && r.URL.Scheme == "https" {
		h.Set("Authorization", string(w.bearer))
	}
	if !w.within.IsZero() {
		last := ""
		if !w.within.Open() {
			last = strconv.FormatInt(w.within.Last(), 10)
		}
		h.Set("Range", "bytes="+strconv.FormatInt(w.within.Start, 10)+"-"+last)
	}
	for name, value := range map[string]string{"If-Match": w.conditions.IfMatch, "If-None-Match": w.conditions.IfNoneMatch} {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, t := range map[string]blob.Time{
		"If-Modified-Since": w.conditions.IfModifiedSince, "If-Unmodified-Since": w.conditions.IfUnmodifiedSince} {
		if !t.IsZero() {
			h.Set(name, t.Std().Format(http.TimeFormat))
		}
	}
	return c.outside.Do(r)
}

// unreachable is the answer when a source gave none. It does not tell one address that may
// not be reached from another.
func unreachable(err error) error {
	e := fault.CopySource(http.StatusBadRequest, fault.CannotVerifyCopySource, fault.CannotVerifyCopySource.Message())
	if errors.Is(err, errInternalAddress) {
		e = fault.CopySource(http.StatusForbidden, fault.CannotVerifyCopySource,
			"The source of the copy is at an address that this server does not read from.")
	}
	// The text only: what ended the reading must not be taken for the end of the request's own body.
	e.Cause = fmt.Errorf("reading the source of a copy: %v", err)
	return e
}

// understand reads the header of an answer.
func (f *source) understand(r *http.Response) error {
	switch r.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
	case http.StatusNotModified:
		return f.unmet(fault.NotModified())
	case http.StatusPreconditionFailed:
		return f.unmet(fault.ConditionNotMet)
	case http.StatusRequestedRangeNotSatisfiable:
		return fault.InvalidRange
	default:
		code := r.Header.Get("x-ms-error-code")
		if len(code) > maxSourceCode {
			code = ""
		}
		return fault.CopySource(refusal(r.StatusCode), fault.Code(code), "The source of the copy answered "+strconv.Itoa(r.StatusCode)+".")
	}
	f.length = r.ContentLength
	if err := f.cut(r); err != nil {
		return err
	}
	if err := f.admit(f.length); err != nil {
		return err
	}
	return f.describe(r.Header)
}

// refusal is the status to pass on: what is wrong with the source is no failure of
// this server.
func refusal(status int) int {
	if status >= http.StatusInternalServerError {
		return http.StatusBadRequest
	}
	return status
}

// cut takes the wanted range out of the answer of a server that does not know ranges.
func (f *source) cut(r *http.Response) error {
	if f.within.IsZero() || r.StatusCode == http.StatusPartialContent {
		return nil
	}
	n, err := io.CopyN(io.Discard, f.content, f.within.Start)
	switch {
	case errors.Is(err, io.EOF):
		return fault.InvalidRange
	case err != nil:
		return err
	}
	left := f.within.Len()
	if f.length >= 0 {
		if left = min(left, f.length-n); left <= 0 {
			return fault.InvalidRange
		}
		f.length = left
	}
	f.content = &limited{io.LimitReader(f.content, left), f.content}
	return nil
}

// describe takes over what the header tells of the blob.
func (f *source) describe(h http.Header) error {
	b := &f.record
	b.Type, b.Size = blob.BlockBlob, f.length
	switch h.Get("x-ms-blob-type") {
	case blob.AppendBlob.String():
		b.Type = blob.AppendBlob
		b.Content.Count, _ = strconv.Atoi(h.Get("x-ms-blob-committed-block-count"))
		b.Sealed = h.Get("x-ms-blob-sealed") == "true"
	case blob.PageBlob.String():
		if f.whole {
			return fault.InvalidSourceBlobType
		}
	}
	b.HTTP = blob.HTTPHeaders{
		ContentType:        h.Get("Content-Type"),
		ContentEncoding:    h.Get("Content-Encoding"),
		ContentLanguage:    h.Get("Content-Language"),
		ContentDisposition: h.Get("Content-Disposition"),
		CacheControl:       h.Get("Cache-Control"),
	}
	var sum md5Hash
	if f.within.IsZero() && sum.UnmarshalText([]byte(h.Get("Content-MD5"))) == nil {
		b.HTTP.ContentMD5 = sum
	}
	var m metadata
	if err := sourceMetadata.Decode(&wire.Request{Request: &http.Request{Header: h}}, &m); err != nil {
		return refusedSource(err)
	}
	b.Metadata = m.record()
	return nil
}

var sourceMetadata = wire.CompileArgs[metadata]()

// fetched is the body of an answer. Its failures are ones of the source.
type fetched struct {
	body   io.ReadCloser
	cancel context.CancelFunc
}

func (f *fetched) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if err != nil && err != io.EOF {
		err = unreachable(err)
	}
	return n, err
}

func (f *fetched) Close() error {
	f.cancel()
	return f.body.Close()
}

// limited closes more than it reads.
type limited struct {
	io.Reader
	io.Closer
}
