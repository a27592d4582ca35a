package service

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/query"
	"github.com/leasehold/leasehold/internal/wire"
)

// maxSourceURL is the longest URL of a source in bytes (docs/reference/operations.md 5).
const maxSourceURL = 2 << 10

// sourceURL is the URL of the source of a copy, which may hold credentials.
type sourceURL struct {
	*url.URL
	query    query.Query
	unusable error // why this server can't read the query; another server may
}

// UnmarshalText reads an absolute URL with a host. Any other URL is InvalidHeaderValue.
func (s *sourceURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || len(text) > maxSourceURL || !fetch.Readable(u) {
		shown, _, _ := strings.Cut(string(text), "?") // the rest may hold a signature
		return fault.InvalidHeader(copySource, shown)
	}
	s.URL = u
	s.query, s.unusable = query.Parse(u.RawQuery)
	return nil
}

// shown returns the URL without secrets: of the query it keeps only the parameter that names the
// state of the blob.
func (s *sourceURL) shown() string {
	shown := *s.URL
	shown.RawQuery = ""
	for _, name := range []string{"snapshot", "versionid"} {
		if v := s.query.Get(name); v != "" {
			shown.RawQuery = name + "=" + url.QueryEscape(v)
		}
	}
	return shown.String()
}

// copyFrom holds the headers with the source of a copy and the conditions on the source.
type copyFrom struct {
	Source                  sourceURL     `header:"x-ms-copy-source,required"`
	SourceIfMatch           string        `header:"x-ms-source-if-match"`
	SourceIfNoneMatch       string        `header:"x-ms-source-if-none-match"`
	SourceIfModifiedSince   conditionDate `header:"x-ms-source-if-modified-since"`
	SourceIfUnmodifiedSince conditionDate `header:"x-ms-source-if-unmodified-since"`
}

func (a *copyFrom) wantsAs(kind copyKind) *wanted {
	return &wanted{kind: kind, url: &a.Source, conditions: blob.Conditions{
		IfMatch:           a.SourceIfMatch,
		IfNoneMatch:       a.SourceIfNoneMatch,
		IfModifiedSince:   blob.Time(a.SourceIfModifiedSince),
		IfUnmodifiedSince: blob.Time(a.SourceIfUnmodifiedSince),
	}}
}

// bearer is a token for reading a source, with its scheme.
type bearer string

// UnmarshalText refuses every scheme but Bearer.
func (b *bearer) UnmarshalText(text []byte) error {
	scheme, _, ok := strings.Cut(string(text), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return fault.InvalidHeader("x-ms-copy-source-authorization", scheme)
	}
	*b = bearer(text)
	return nil
}

// copyKind is a kind of operation that reads a source. It decides what is read, whose credentials
// count, and how a failure of the source is answered.
type copyKind uint8

const (
	kindRange       copyKind = iota // Put Block From URL and the like: a range becomes one block
	kindPutBlob                     // Put Blob From URL: the content becomes the body of a new blob
	kindCopyFromURL                 // Copy Blob From URL
	kindCopy                        // Copy Blob
	kindIncremental                 // Incremental Copy Blob: a snapshot of a page blob
)

// whole reports whether the source is copied as a blob, not only as bytes.
func (k copyKind) whole() bool { return k >= kindCopyFromURL }

// sharesGrant reports whether the grant of a request counts for a source in the same account too,
// given the kind of its credential (docs/reference/authorization.md 4.7).
func (k copyKind) sharesGrant(by auth.Kind) bool {
	switch k {
	case kindCopy, kindIncremental:
		return by == auth.KindKey || by == auth.KindBearer
	case kindRange, kindPutBlob:
		return by == auth.KindBearer
	}
	return false
}

// conditionUnmet reports whether an unmet condition on the source is answered with
// SourceConditionNotMet, given the status of the read. Otherwise it is answered with the failure
// of the read (docs/reference/conditions-and-errors.md 2.3).
func (k copyKind) conditionUnmet(status int) bool {
	return k == kindCopy || k == kindPutBlob && status == http.StatusPreconditionFailed
}

// wanted is what a request asks of the source of a copy.
type wanted struct {
	kind       copyKind
	url        *sourceURL
	bearer     bearer
	key        *encryption.Key // of the content; nil if it is not encrypted
	conditions blob.Conditions
	within     wire.Range
	limit      int64             // bytes of the range
	guard      bodyHashes        // hashes of the range
	tags       bool              // the tags are copied
	archived   bool              // the source may be in the archive
	into       uint64            // generation of the container that a whole copy goes to
	last       *blob.Incremental // the snapshot that was copied last, for the difference; nil for none
}

// source is the source of a copy, as it was found.
type source struct {
	*wanted
	record  blob.Blob        // as far as it is known; Size is the size of the whole blob, or -1
	content io.ReadCloser    // the wanted range, or each stored run once; nil if it need not be read
	checked io.ReadCloser    // the bytes to verify, if they are not those of content; else nil
	shared  bool             // the copy can share the stored bytes
	length  int64            // of content; -1 if unknown
	at      *catalog.State   // nil if the source is not in this store
	body    *body            // the content after it was read; nil if it is shared
	pages   []blob.PageRange // to which content belongs; only of a page blob of this store that is copied as a whole
	cleared []blob.PageRange // zero now, but not in the snapshot that was copied last
	blocks  []blob.Block     // of a source in this store that is copied as a whole
	offsets []int64          // of the blocks in content
}

// openSource finds the source that a request names, and checks that the request may read it and
// that its conditions are met. The caller closes the content.
func (c *call) openSource(w *wanted) (*source, error) {
	if !c.isOurs(w.url.URL) {
		if w.kind == kindIncremental {
			return nil, fault.InvalidSourceBlobURL
		}
		return c.openOutside(w)
	}
	t, err := wire.ParseTarget(w.url.Host, w.url.EscapedPath(), c.Addressing)
	if t.Website {
		return nil, fault.CannotVerifyCopySource // the website endpoint has no blobs and reads no credentials
	}
	if err == nil && t.Level == wire.LevelContainer {
		t, err = t.InRoot()
	}
	if err != nil || t.Level != wire.LevelBlob || w.url.unusable != nil {
		return nil, fault.InvalidHeader(copySource, w.url.shown())
	}
	return c.openLocal(t, w)
}

// isOurs reports whether a URL leads to this server: to the host of the request, to a host name
// with an account of this server, or to an address at which the server listens.
func (c *call) isOurs(u *url.URL) bool {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	own, ownPort := splitHost(c.req.Host)
	if samePort(port, ownPort) && (host == own || loopback(host) && loopback(own)) {
		return true
	}
	if t, err := wire.ParseTarget(u.Host, "/", c.Addressing); err == nil && !t.PathStyle && c.Accounts(t.Account) != nil {
		return true
	}
	local, _ := c.ctx().Value(http.LocalAddrContextKey).(net.Addr)
	here := netip.AddrPort{}
	if local != nil {
		here, _ = netip.ParseAddrPort(local.String())
	}
	if here.IsValid() && (loopback(host) || sameIP(host, here.Addr())) && atPort(port, here) {
		return true
	}
	for _, l := range c.Listening() {
		at := l.Addr().Unmap()
		everywhere := at.IsUnspecified() && here.IsValid() && sameIP(host, here.Addr())
		inside := loopback(host) && (at.IsLoopback() || at.IsUnspecified())
		if atPort(port, l) && (host == own || inside || everywhere || sameIP(host, at)) {
			return true
		}
	}
	return false
}

// sameIP reports whether a host is the literal of an address.
func sameIP(host string, at netip.Addr) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap() == at.Unmap()
}

// atPort reports whether a URL has the port of an address.
func atPort(port string, at netip.AddrPort) bool { return samePort(port, strconv.Itoa(int(at.Port()))) }

// splitHost returns name and port of a host, in lower case.
func splitHost(host string) (name, port string) {
	u := url.URL{Host: strings.ToLower(host)}
	return u.Hostname(), u.Port()
}

// samePort reports whether two ports may be the same; an absent port may be the default of either
// scheme.
func samePort(a, b string) bool {
	standard := func(p string) bool { return p == "" || p == "80" || p == "443" }
	return a == b || (a == "" || b == "") && standard(a) && standard(b)
}

// loopback reports whether a host name stands for the machine itself.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// openLocal opens a source in this store.
func (c *call) openLocal(t wire.Target, w *wanted) (*source, error) {
	grant, err := c.sourceGrant(t, w)
	if err != nil {
		return nil, refusedSource(err)
	}
	past, err := pastOf(w.url.query)
	if err != nil {
		return nil, err
	}
	where := auth.Resource{Container: t.Container, Blob: t.Blob}
	if err := grant.Allow(auth.PermGetBlob, where); err != nil {
		return nil, refusedSource(err)
	}
	if (w.tags || w.conditions.IfTags != nil) && !grant.MayReadTags(where) {
		return nil, refusedSource(fault.AuthorizationPermissionMismatch)
	}
	if blob.CheckBlobName(t.Container, t.Blob) != nil {
		return nil, fault.InvalidHeader(copySource, w.url.shown())
	}
	var out *source
	err = c.readSource(t, past, w, func(s *txn) error {
		found := &source{wanted: w, record: *s.blob, at: &catalog.State{Generation: s.container.Generation, Blob: t.Blob, Revision: s.revision}}
		if err := found.judge(s.now); err != nil {
			return err
		}
		if err := found.open(s); err != nil {
			return err
		}
		out = found
		return nil
	})
	return out, err
}

// pastOf returns the state of the blob that the query of a source names.
func pastOf(q query.Query) (past blob.Revision, err error) {
	var at stateParams
	for name, into := range map[string]*revisionID{"snapshot": &at.Snapshot, "versionid": &at.Version} {
		if v := q.Get(name); v != "" {
			if err := into.UnmarshalText([]byte(v)); err != nil {
				return past, fault.InvalidHeader(copySource, name+"="+v)
			}
		}
	}
	return at.ref().revision, nil
}

// sourceGrant returns the grant of the request for the source.
func (c *call) sourceGrant(t wire.Target, w *wanted) (auth.Grant, error) {
	if t.Account == c.req.Account && !w.url.query.Has("sig") && w.bearer == "" {
		if w.kind.sharesGrant(c.grant.Principal.Kind) {
			return c.grant, nil
		}
	}
	facts := &auth.Request{
		Method:    http.MethodGet,
		RawPath:   w.url.EscapedPath(),
		RawQuery:  w.url.RawQuery,
		Header:    http.Header{},
		TLS:       c.req.TLS != nil,
		Remote:    remoteAddr(c.req.Request),
		Version:   string(c.req.Version),
		Account:   t.Account,
		Container: t.Container,
		Blob:      t.Blob,
		SentBlob:  t.SentBlob,
		Secondary: t.Secondary,
		PathStyle: t.PathStyle,
	}
	if w.bearer != "" {
		facts.Header.Set("Authorization", string(w.bearer))
	} else if w.url.Scheme == "https" {
		// The server reads its own store, so nothing is sent in plain text.
		facts.TLS = true
	}
	read := &wire.Request{Request: c.req.Request, Received: c.req.Received, Target: t}
	return auth.Authenticate(facts, c.environment(read))
}

// readSource runs fn on a snapshot with the source loaded.
func (c *call) readSource(t wire.Target, past blob.Revision, w *wanted, fn func(*txn) error) error {
	return c.DB.View(c.ctx(), func(r kv.Reader) (err error) {
		s := &txn{call: c, r: r, now: blob.TimeOf(r.Now()), revision: past, key: w.key}
		if s.container, err = meta.Container(r, t.Account, t.Container); err != nil {
			return err
		}
		if s.container == nil {
			return c.missingSource(t, w, fault.ContainerNotFound)
		}
		at := catalog.State{Generation: s.container.Generation, Blob: t.Blob, Revision: past}
		if s.blob, err = at.Find(r); err != nil {
			return err
		}
		s.revision = at.Revision
		if s.blob == nil {
			return c.missingSource(t, w, fault.BlobNotFound)
		}
		return fn(s)
	})
}

// missingSource returns the failure for a source that does not exist.
func (c *call) missingSource(t wire.Target, w *wanted, why fault.Code) error {
	if w.kind == kindCopy && t.Account == c.req.Account {
		return fault.BlobNotFound
	}
	return refusedSource(why)
}

// judge checks the key, the state and the conditions of a source.
func (f *source) judge(now blob.Time) error {
	if err := (encryption.Use{KeyHash: f.record.KeyHash}).Check(encryption.Use{KeyHash: f.key.Hash()}); err != nil {
		return refusedSource(err)
	}
	if f.record.Incremental != nil && f.at.Revision.IsZero() {
		return refusedSource(fault.OperationNotAllowedOnIncrementalCopyBlob)
	}
	f.record.Access = f.record.Access.At(now)
	if inArchive := f.record.Access.Tier == blob.TierArchive && f.record.Access.Target == 0; !inArchive || !f.archived {
		if err := checkArchived(&f.record, now); err != nil {
			return refusedSource(err)
		}
	}
	conditions := f.conditions
	conditions.IfTags = nil
	if err := f.unmet(conditions.Check(blob.Reads, f.record.Validators(), false)); err != nil {
		return err
	}
	if f.conditions.IfTags == nil || f.conditions.IfTags.Match(f.record.Tags) {
		return nil
	}
	if f.kind == kindCopy {
		return fault.ConditionNotMet
	}
	return f.unmet(fault.ConditionNotMet)
}

// unmet turns the failure of a condition on the source into the failure to answer.
func (f *source) unmet(err error) error {
	if err == nil {
		return nil
	}
	e, _ := fault.Of(err)
	if f.kind.conditionUnmet(e.Status) {
		return fault.SourceConditionNotMet
	}
	return refusedSource(err)
}

// open opens the wanted range, unless the copy can share the stored bytes.
func (f *source) open(s *txn) error {
	if f.kind == kindIncremental && f.record.Type != blob.PageBlob {
		return fault.InvalidSourceBlobType
	}
	off, n, err := f.within.Clamp(f.record.Size)
	if err != nil {
		return err
	}
	if err := f.admit(n); err != nil {
		return err
	}
	f.length = n
	if f.kind.whole() && s.blob.Content.Paged {
		return f.openPages(s)
	}
	if f.kind.whole() {
		if f.blocks, err = s.committedBlocks(s.blob); err != nil {
			return err
		}
		if f.shared = f.shareable(); f.shared && !f.guard.given() {
			return nil
		}
	}
	all, err := s.open(s.blob, off, n)
	if err != nil {
		return err
	}
	f.content = &piped{stream: all}
	if f.shared || !f.kind.whole() || f.record.Type != blob.BlockBlob {
		return nil
	}
	once, err := f.runsOnce(s)
	if err != nil || once.size == n {
		return err
	}
	if f.guard.given() {
		f.checked = f.content
	} else if err := all.Close(); err != nil {
		return err
	}
	f.content, f.length = &piped{stream: once}, once.size
	return once.openFirst()
}

// runsOnce returns a stream of the stored runs of the blocks, each run once, however many blocks
// share it.
func (f *source) runsOnce(s *txn) (*stream, error) {
	at := make(map[blob.Chunk]int64, len(f.blocks))
	once := s.newStream(0)
	for i := range f.blocks {
		chunk := f.blocks[i].Chunk
		off, known := at[chunk]
		if !known {
			off, at[chunk] = once.size, once.size
			if err := s.addPart(once, chunk); err != nil {
				return nil, err
			}
			once.size += chunk.Length
		}
		f.offsets = append(f.offsets, off)
	}
	return once, nil
}

// openPages opens only the pages to copy, one after the other.
func (f *source) openPages(s *txn) error {
	was, err := f.copiedLast(s)
	if err != nil {
		return err
	}
	all := blob.PageRange{End: f.record.Size}
	is, err := meta.ExtentsIn(s.r, s.container.Generation, s.blob.Content, all)
	if err != nil {
		return err
	}
	content := s.newStream(0)
	for c, err := range blob.PageDiff(listed(is), listed(was), all) {
		switch {
		case err != nil:
			return err
		case c.Cleared:
			f.cleared = append(f.cleared, c.PageRange)
			continue
		}
		f.pages = append(f.pages, c.PageRange)
		content.size += c.Len()
		// Extents before this change are not needed any more.
		for len(is) > 0 && is[0].Range().End <= c.Start {
			is = is[1:]
		}
		for run, err := range blob.PageRuns(listed(is), c.PageRange) {
			if err == nil {
				err = s.addPart(content, run.Chunk)
			}
			if err != nil {
				return err
			}
		}
	}
	f.content, f.length = &piped{stream: content}, content.size
	return content.openFirst()
}

// copiedLast returns the pages of the snapshot that was copied last, for the difference; nil if all
// pages are to be copied. Snapshots must be copied in order, and from the same blob.
func (f *source) copiedLast(s *txn) ([]blob.PageExtent, error) {
	last := f.last
	switch {
	case last == nil:
		return nil, nil
	case last.Gen != f.at.Generation || last.Name != f.at.Blob || last.Origin != f.record.Origin:
		return nil, fault.IncrementalCopyBlobMismatch
	case f.at.Revision.ID > last.Copied:
	case s.req.Version.AtLeast("2026-04-06"):
		return nil, fault.IncrementalCopyOfEarlierSnapshotNotAllowed
	default:
		return nil, fault.IncrementalCopyOfEralierVersionSnapshotNotAllowed
	}
	was := catalog.State{Generation: last.Gen, Blob: last.Name, Revision: blob.Revision{Kind: blob.Snapshot, ID: last.Copied}}
	b, err := was.Readable(s.r)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fault.PreviousSnapshotNotFound
	}
	return meta.ExtentsIn(s.r, f.at.Generation, b.Content, blob.PageRange{End: b.Size})
}

// admit refuses a source that is too long.
func (f *source) admit(n int64) error {
	switch {
	case f.limit == 0 || n <= f.limit:
		return nil
	case f.kind.whole():
		return fault.CopySource(http.StatusConflict, fault.RequestBodyTooLarge,
			"The source of the copy is longer than "+strconv.FormatInt(f.limit, 10)+" bytes.")
	}
	return fault.BodyTooLarge(f.limit)
}

// shareable reports whether the copy can share the stored bytes: within a container always, into
// another one if all of them are in segments. An append blob goes on growing and needs a list of
// its own.
func (f *source) shareable() bool {
	if f.record.Type != blob.BlockBlob {
		return false
	}
	inline := func(b blob.Block) bool { return b.Chunk.Inline && b.Chunk.Length > 0 }
	return f.at.Generation == f.into || !slices.ContainsFunc(f.blocks, inline)
}

// refusedSource turns the failure to read a source into the failure to answer. An error of the
// server stays as it is.
func refusedSource(err error) error {
	e, ok := fault.Of(err)
	if !ok {
		return err
	}
	return fault.CopySource(e.Status, e.Code, e.Message)
}

// piped makes a reader of a stream, which only writes itself.
type piped struct {
	*stream
	from  *io.PipeReader
	ended chan struct{}
}

// Read starts writing the stream at its first call.
func (p *piped) Read(b []byte) (int, error) {
	if p.from == nil {
		from, to := io.Pipe()
		p.from, p.ended = from, make(chan struct{})
		go func() {
			defer close(p.ended)
			to.CloseWithError(p.writeTo(to))
		}()
	}
	return p.from.Read(b)
}

// writeTo writes the stream. A panic becomes the error of the reader, because no handler recovers
// it in this goroutine.
func (p *piped) writeTo(w io.Writer) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	_, err = p.stream.WriteTo(w)
	return err
}

// Close ends the writing and releases the stream.
func (p *piped) Close() error {
	if p.from != nil {
		p.from.Close()
		<-p.ended
	}
	return p.stream.Close()
}
