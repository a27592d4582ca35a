package service

import (
	"context"
	"net/http"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// txn is one resource within one transaction, at one moment. The function of an operation works on
// it.
type txn struct {
	*call
	now       blob.Time
	r         kv.Reader
	tx        kv.Tx           // nil if the transaction only reads
	container *blob.Container // nil at the level of the service, or when missing
	blob      *blob.Blob      // nil above the level of blobs, or when missing
	revision  blob.Revision   // the state of the blob; zero for the current one
	entry     *catalog.Entry  // all that is stored under the name of the blob; nil above the level of blobs
	lease     lease.Lease     // of the stored record of the container
	found     lease.Lease     // of the container, when the transaction began
	freed     bool            // the lease of the container ends sooner than before
	deleted   bool            // the container is deleted
	key       *encryption.Key // of the blob's bytes, for reading; nil if they are not encrypted
}

// view runs fn on one snapshot, after loading the resource and checking the preconditions of the
// request.
func (c *call) view(ctx context.Context, fn func(*txn) error) error {
	container, err := c.enclosing(ctx)
	if err != nil {
		return err
	}
	return c.DB.View(ctx, func(r kv.Reader) error {
		s := &txn{call: c, r: r, container: container}
		if err := s.enter(); err != nil {
			return err
		}
		return fn(s)
	})
}

// rehearse runs fn as change would, and drops its writes. It shows early, by the same rules,
// whether the change would be refused.
func (c *call) rehearse(ctx context.Context, fn func(*txn) error) error {
	_, container, err := c.declare(ctx)
	if err != nil {
		return err
	}
	return c.DB.View(ctx, func(r kv.Reader) error {
		s := &txn{call: c, r: r, tx: rehearsal{r}, container: container}
		if err := s.enter(); err != nil {
			return err
		}
		return fn(s)
	})
}

// rehearsal is a Tx that keeps nothing.
type rehearsal struct{ kv.Reader }

func (rehearsal) Put([]byte, []byte) error { return nil }
func (rehearsal) Delete([]byte) error      { return nil }

// declare returns the key that a change of the request's resource depends on. For a blob it finds
// the container first: the key holds the generation of the container, so a change that races with
// the deletion of the container writes where nothing is read. The properties of the service are
// read beside it: they may change under the request.
func (c *call) declare(ctx context.Context) (kv.Key, *blob.Container, error) {
	switch c.req.Level {
	case wire.LevelService:
		return meta.ServiceKey(c.req.Account), nil, nil
	case wire.LevelContainer:
		return meta.ContainerKey(c.req.Account, c.req.Container), nil, nil
	}
	container, err := c.enclosing(ctx)
	if err != nil {
		return nil, nil, err
	}
	return meta.BlobKey(container.Generation, c.req.Blob), container, nil
}

// enclosing returns the container of the request's blob; nil above the level of blobs.
func (c *call) enclosing(ctx context.Context) (*blob.Container, error) {
	if c.req.Level != wire.LevelBlob {
		return nil, nil
	}
	above, err := c.loadParents(ctx)
	c.properties = above.properties
	return above.container, err
}

// enter loads the resource and checks the preconditions.
func (s *txn) enter() (err error) {
	s.now = blob.TimeOf(s.r.Now())
	if s.req.Level >= wire.LevelContainer && s.container == nil {
		s.container, err = meta.Container(s.r, s.req.Account, s.req.Container)
		if err != nil {
			return err
		}
	}
	switch s.req.Level {
	case wire.LevelContainer:
		return s.enterContainer()
	case wire.LevelBlob:
		if s.container == nil {
			return fault.ContainerNotFound
		}
		if err := s.load(); err != nil {
			return err
		}
		if at := s.form.state; !at.revision.IsZero() {
			return s.enterRevision(at)
		}
		return s.enterBlob()
	}
	return nil
}

// load loads the states of the blob.
func (s *txn) load() (err error) {
	name := catalog.Name{
		Account: s.req.Account, Container: s.req.Container, Generation: s.container.Generation, Blob: s.req.Blob,
	}
	var rules catalog.Rules
	if s.tx != nil {
		rules = catalog.Rules{
			Versioning: s.Features(s.req.Account).Versioning,
			Retained:   s.properties.Retained(s.now),
			NewID:      s.newObject,
		}
	}
	if s.entry, err = catalog.Open(s.r, s.tx, name, rules); err == nil {
		s.blob = s.entry.Current
	}
	return err
}

func (s *txn) enterContainer() error {
	if s.container == nil {
		if s.op.Use.creates {
			return nil
		}
		return fault.ContainerNotFound
	}
	s.lease, s.found = s.container.Lease, s.container.Lease
	if err := s.checkLease(&s.container.Lease); err != nil {
		return fault.ForContainer(err)
	}
	return s.checkConditions(s.container.Version(), false)
}

func (s *txn) enterBlob() error {
	u := s.op.Use
	if missing := s.blob == nil || s.blob.Uncommitted && !u.staged; missing && !u.creates {
		return fault.BlobNotFound
	}
	var none lease.Lease
	held := &none
	if s.blob != nil {
		held = &s.blob.Lease
	}
	if err := s.mayOverwrite(); err != nil {
		return err
	}
	if err := s.checkLease(held); err != nil {
		return err
	}
	satisfied := lease.OverridesIfNoneMatchAny(*held, s.form.leaseID, s.r.Now())
	if err := s.checkConditions(s.blob.Conditional(), satisfied); err != nil {
		return err
	}
	if err := s.checkWorks(); err != nil {
		return err
	}
	if u.lease >= leaseWrites {
		*held = lease.AfterWrite(*held, s.r.Now(), s.form.leaseID.Given)
	}
	return nil
}

func (s *txn) checkLease(held *lease.Lease) error {
	switch s.op.Use.lease {
	case leaseReads:
		return lease.Check(*held, lease.Read, s.form.leaseID, s.r.Now())
	case leaseWrites:
		return lease.Check(*held, lease.Write, s.form.leaseID, s.r.Now())
	case leaseCopies:
		return lease.CheckAsyncCopy(*held, s.form.leaseID, s.r.Now())
	}
	return nil
}

func (s *txn) checkConditions(v blob.Validators, ignoreNoneAny bool) error {
	err := s.form.conditions.Check(s.op.Use.effect, v, ignoreNoneAny)
	if err == fault.ConditionNotMet && !s.req.Version.AtLeast(s.op.Use.target) {
		return fault.TargetConditionNotMet
	}
	return tellValidators(err, v)
}

// tellValidators adds the validators to a 304, the answer that the client has the current state.
func tellValidators(err error, v blob.Validators) error {
	e, ok := fault.Of(err)
	if !ok || e.Status != http.StatusNotModified {
		return err
	}
	e.Header = append(e.Header, fault.Detail{Name: "ETag", Value: v.ETag.String()},
		fault.Detail{Name: "Last-Modified", Value: string(v.Modified.AppendHTTP(nil))})
	return e
}

// putBlob stores b in place of the state that was loaded.
func (s *txn) putBlob(b *blob.Blob) error {
	if s.revision.IsZero() {
		return s.entry.Put(b)
	}
	return s.entry.PutRevision(s.revision, b)
}

// putContainer stores the container's record and updates the index of leases.
func (s *txn) putContainer(c *blob.Container) error {
	if err := meta.PutContainer(s.tx, s.req.Account, s.req.Container, c); err != nil {
		return err
	}
	return s.indexLease(c.Lease)
}

// indexLease updates the index of leases for the new lease of the container.
func (s *txn) indexLease(l lease.Lease) error {
	now := s.r.Now()
	s.freed = s.freed || l.Left(now) < s.lease.Left(now)
	was, is := s.lease, l.State(now).Locked()
	s.lease = l
	if is == was.State(now).Locked() && (is || !present(was)) {
		return nil
	}
	gen := uint64(0)
	if s.container != nil {
		gen = s.container.Generation
	}
	return meta.IndexLease(s.tx, s.req.Account, s.req.Container, gen, "", is)
}
