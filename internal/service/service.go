// Package service holds the operations of the Blob service: an argument struct, a result struct and
// a function for each, and the table of them all.
//
// An operation runs in one of three ways: view, update or ingest. They do, once, what all
// operations have in common: authorization, preconditions, the answer. The rules themselves are in
// packages lease and blob.
package service

import (
	"cmp"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/waiting"
	"github.com/leasehold/leasehold/internal/wire"
)

// Options configures a Service. DB, Segments, Accounts and Random are required.
type Options struct {
	DB       kv.DB
	Segments segment.Store
	// Accounts returns an account by name; nil if there is none.
	Accounts func(name string) *auth.Account
	// Trust, if not nil, returns the credentials that are accepted besides the keys of accounts. It
	// is called for each request.
	Trust func() *Trust
	// Features, if not nil, returns the features of an account.
	Features func(account string) Features
	// Random yields the bytes of IDs.
	Random io.Reader
	// Now dates requests and judges signatures. Leases are judged by the store's clock.
	Now func() time.Time
	Log *slog.Logger
	// Addressing says which hosts belong to this server, to recognize sources of copies.
	Addressing *wire.Addressing
	// Journal is told what happens to leases; nil for one of its own.
	Journal *journal.Journal
	// Listening, if not nil, returns the addresses at which the server listens for requests; an
	// unspecified address stands for all of the machine. Without it, only the local address of each
	// request is known.
	Listening func() []netip.AddrPort
	// Sources configures how sources of copies outside of this server are read.
	Sources fetch.Options
	// MaxSource bounds the size of such a source that is copied as a blob, in bytes; 0 stands for
	// 5000 MiB.
	MaxSource int64
	// WaitEnded, if not nil, is called with the outcome of each request that waited for a lease,
	// and how long it waited.
	WaitEnded func(waiting.Outcome, time.Duration)
}

// Features holds the settings of an account that the real service takes from its management
// endpoint, not from its endpoint for blobs.
type Features struct {
	// Versioning keeps a blob that is overwritten or deleted as a previous version.
	Versioning bool
	// ContainerRetention is the number of days for which a deleted container can be restored; 0 for
	// none.
	ContainerRetention int
	// Immutability lets the blobs of new containers have immutability policies and legal holds.
	Immutability bool
	// PageTiers puts page blobs into the smallest tier that holds them unless a tier was set, as in
	// premium accounts. Without it page blobs have no tier.
	PageTiers bool
	// Expiry lets blobs expire, as in accounts with a hierarchical namespace.
	Expiry bool
}

// Service answers the requests of the Blob service. It is safe for concurrent use.
type Service struct {
	Options
	table   *wire.Table[Operation]
	rules   ruleCache
	outside *fetch.Client // reads sources of copies
	queues  waiting.Queues
	busy    busy
	parents parentCache
}

// New returns a Service. It panics if one row of the table of operations hides another, which is a
// mistake in the program.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Features == nil {
		o.Features = func(string) Features { return Features{} }
	}
	if o.Listening == nil {
		o.Listening = func() []netip.AddrPort { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxSource <= 0 {
		o.MaxSource = maxPutBlob
	}
	if o.Journal == nil {
		o.Journal = journal.New(o.Now())
	}
	rows := Operations()
	for i := range rows {
		rows[i].unread = rows[i].unreadConditions()
	}
	s := &Service{Options: o, outside: fetch.New(o.Sources), table: wire.NewTable(rows, func(op *Operation) wire.Selector { return op.On })}
	s.queues.Ended = o.WaitEnded
	return s
}

// Waiting returns how many requests wait for a lease.
func (s *Service) Waiting() int { return s.queues.Len() }

// StopWaiting answers the requests that wait for a lease, now and later, so that their clients try
// again and reach the next server.
func (s *Service) StopWaiting() { s.queues.Stop() }

// Serve answers one request.
func (s *Service) Serve(r *wire.Request) { s.serve(r, nil) }

// serve answers one request, whose sender has the grant unless it is nil.
func (s *Service) serve(r *wire.Request, grant *auth.Grant) {
	op, err := &readWebsite, error(nil)
	if !r.Website {
		s.shareCrossOrigin(r)
		op, err = s.table.Match(r)
	}
	if err == nil {
		r.Operation = op.Name
		err = (&call{Service: s, req: r, op: op}).serve(grant)
	} else if _, denied := s.authenticate(r); denied != nil && grant == nil {
		// A client that is not authenticated learns nothing, not even that its request is
		// malformed.
		err = denied
	}
	if err != nil && r.Status == 0 {
		wire.WriteError(r, s.busy.answer(err, r.Received))
	}
}

// serve runs the operation of a request, whose sender has the grant unless it is nil.
func (c *call) serve(grant *auth.Grant) (err error) {
	if c.op.Needs.Open {
		return c.op.serve(c)
	}
	if grant != nil {
		c.grant = *grant
	} else if c.grant, err = c.authenticate(c.req); err != nil {
		return err
	}
	c.Journal.See(c.principal(), remoteAddr(c.req.Request), c.req.Received)
	defer func() { c.noteRefusal(err) }()
	c.req.Known = c.grant.Principal.Kind != auth.KindAnonymous
	c.req.Principal = cmp.Or(c.grant.Principal.ObjectID, c.grant.Principal.Kind.String())
	if err := c.grant.Allow(c.op.Needs, c.resource()); err != nil {
		return err
	}
	if err := c.checkRequest(); err != nil {
		return err
	}
	return c.op.serve(c)
}

// checkRequest checks whatever can be checked before the operation reads the request.
func (c *call) checkRequest() error {
	if err := c.checkNames(); err != nil {
		return err
	}
	for _, name := range c.op.unread {
		if c.req.Header.Get(name) != "" {
			return fault.ConditionHeadersNotSupported
		}
	}
	return c.req.CheckLength()
}

// checkNames refuses names that no container or blob can have, unless the operation answers every
// name alike.
func (c *call) checkNames() error {
	if c.op.On.AnyLevel || c.req.Website || c.req.Level < wire.LevelContainer {
		return nil
	}
	if err := blob.CheckUsedContainerName(c.req.Container); err != nil {
		return err
	}
	if c.req.Level == wire.LevelBlob {
		return blob.CheckBlobName(c.req.Container, c.req.Blob)
	}
	return nil
}

// authenticate returns the grant of a request.
func (s *Service) authenticate(r *wire.Request) (auth.Grant, error) {
	facts := &auth.Request{
		Method:        r.Method,
		RawPath:       rawPath(r.Request),
		RawQuery:      r.URL.RawQuery,
		Header:        r.Header,
		ContentLength: r.ContentLength,
		TLS:           r.TLS != nil,
		Remote:        remoteAddr(r.Request),
		Version:       string(r.Version),
		Unversioned:   r.Unversioned,
		Account:       r.Account,
		Container:     r.Container,
		Blob:          r.Blob,
		SentBlob:      r.SentBlob,
		Secondary:     r.Secondary,
		PathStyle:     r.PathStyle,
	}
	return auth.Authenticate(facts, s.environment(r))
}

// rawPath returns the path exactly as it stands in the request line.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") {
		return r.URL.EscapedPath()
	}
	return path
}

func remoteAddr(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap()
}

// NewGUID returns 16 random bytes.
func (s *Service) NewGUID() (id [16]byte) {
	if _, err := io.ReadFull(s.Random, id[:]); err != nil {
		panic(fault.InternalError)
	}
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return id
}

// newGeneration returns the generation of a container that the request makes. It is random, so that
// no other process uses the same, and it is the same in all runs of the transaction.
func (c *call) newGeneration(container string) uint64 {
	if gen, ok := c.generations[container]; ok {
		return gen
	}
	var random [8]byte
	if _, err := io.ReadFull(c.Random, random[:]); err != nil {
		panic(fault.InternalError)
	}
	if c.generations == nil {
		c.generations = make(map[string]uint64)
	}
	c.generations[container] = binary.BigEndian.Uint64(random[:])
	return c.generations[container]
}
