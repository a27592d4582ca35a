package service

import (
	"context"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/waiting"
	"github.com/leasehold/leasehold/internal/wire"
)

// What the journal is told: every committed change of a lease, and every request that a lease
// refused.

func (c *call) journalName() journal.Name {
	return journal.Name{Account: c.req.Account, Container: c.req.Container, Blob: c.req.Blob}
}

// observe tells the journal what the change did to the lease of its resource.
func (s *txn) observe() {
	if s.deleted {
		s.Journal.ContainerDeleted(s.req.Account, s.req.Container, s.r.Now(), s.holder(), s.req.ID)
		return
	}
	c := journal.Change{Name: s.journalName()}
	switch {
	case s.entry != nil && s.revision.IsZero():
		var expires blob.Time
		c.Was, c.Is, expires = s.entry.Leases()
		c.Expires, c.Gone = lease.Instant(expires), s.entry.Current == nil
		c.Generation = s.container.Generation
	case s.req.Level == wire.LevelContainer && s.container != nil:
		c.Was, c.Is, c.Generation = s.found, s.lease, s.container.Generation
	}
	if c.Was == c.Is {
		return
	}
	c.At, c.By, c.Request = s.r.Now(), s.holder(), s.req.ID
	s.Journal.Observe(&c)
}

// noteRefusal tells the journal that a request failed because of a lease.
func (c *call) noteRefusal(err error) {
	full, ok := fault.Of(err)
	if ok && strings.HasPrefix(string(full.Code), "Lease") && c.req.Level >= wire.LevelContainer {
		c.Journal.Refuse(c.journalName(), full.Code, c.holder(), c.req.Received, c.req.ID)
	}
}

// filled is how many entries of the index of leases one transaction reads.
const filled = 1000

// retired is how many ended leases one transaction takes out of the index.
const retired = 64

// FillJournal brings the live leases of the accounts into the journal, and takes those that ended
// out of the index of leases.
func (s *Service) FillJournal(ctx context.Context, accounts []string) error {
	s.Journal.Fill()
	defer s.Journal.Done()
	for _, account := range accounts {
		for position, more := "", true; more; {
			var ended []journal.Ended
			err := s.DB.View(ctx, func(r kv.Reader) (err error) {
				position, ended, err = s.fillPage(r, account, position)
				return err
			})
			if err != nil {
				return err
			}
			if err := s.RetireLeases(ctx, ended); err != nil {
				return err
			}
			more = position != ""
		}
	}
	return nil
}

// fillPage brings one page of live leases into the journal, and returns where the next one begins.
func (s *Service) fillPage(r kv.Reader, account, position string) (next string, ended []journal.Ended, err error) {
	l := &leaseLister{txn: &txn{call: &call{Service: s, req: &wire.Request{}}, r: r, now: blob.TimeOf(r.Now())}}
	l.req.Account = account
	n := 0
	err = meta.WalkLeases(r, account, position, func(e meta.LeaseEntry) (meta.Step, error) {
		if n++; n > filled {
			next = e.Position
			return meta.Stop, nil
		}
		name := journal.Name{Account: account, Container: e.Container, Blob: e.Blob}
		held, expires, err := l.lookUp(e)
		if err != nil {
			return meta.Stop, err
		}
		if held.State(r.Now()).Locked() {
			s.Journal.Put(name, e.Generation, held, lease.Instant(expires))
		} else {
			ended = append(ended, journal.Ended{Name: name, Generation: e.Generation})
		}
		return meta.Next, nil
	})
	return next, ended, err
}

// RetireLeases takes leases that ended by time out of the index of leases, which then lists those
// that are live. Leases that were taken again meanwhile stay.
func (s *Service) RetireLeases(ctx context.Context, ended []journal.Ended) error {
	for len(ended) > 0 {
		batch := ended[:min(retired, len(ended))]
		ended = ended[len(batch):]
		keys := make([]kv.Key, len(batch))
		for i, e := range batch {
			if keys[i] = meta.ContainerKey(e.Name.Account, e.Name.Container); e.Name.Blob != "" {
				keys[i] = meta.BlobKey(e.Generation, e.Name.Blob)
			}
		}
		err := s.DB.Update(ctx, keys, func(tx kv.Tx) error {
			for _, e := range batch {
				if err := retireLease(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func retireLease(tx kv.Tx, e journal.Ended) error {
	var held lease.Lease
	if e.Name.Blob == "" {
		c, err := meta.Container(tx, e.Name.Account, e.Name.Container)
		if err != nil {
			return err
		}
		if c != nil && c.Generation == e.Generation {
			held = c.Lease
		}
	} else {
		b, err := meta.Blob(tx, e.Generation, e.Name.Blob)
		if err != nil {
			return err
		}
		if b != nil {
			held = b.Lease
		}
	}
	if held.State(tx.Now()).Locked() {
		return nil
	}
	return meta.IndexLease(tx, e.Name.Account, e.Name.Container, e.Generation, e.Name.Blob, false)
}

// KeepJournal fills the journal and tells it of the time, until ctx ends. Failures are logged: the
// journal is for people to look at, and serving goes on.
func (s *Service) KeepJournal(ctx context.Context, accounts []string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	filling := make(chan error, 1)
	go func() { filling <- s.FillJournal(ctx, accounts) }()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-filling:
			s.logUnless(ctx, "the table of leases is not complete", err)
		case <-tick.C:
			err := s.advanceJournal(ctx)
			s.logUnless(ctx, "leases that ended stay in the index", err)
		}
	}
}

func (s *Service) logUnless(ctx context.Context, message string, err error) {
	if err != nil && ctx.Err() == nil {
		s.Log.Error(message, "error", err)
	}
}

func (s *Service) advanceJournal(ctx context.Context) error {
	now, err := s.StoreTime(ctx)
	if err != nil {
		return err
	}
	return s.RetireLeases(ctx, s.Journal.Advance(now))
}

// StoreTime returns the time by the clock that leases are judged by.
func (s *Service) StoreTime(ctx context.Context) (now time.Time, err error) {
	err = s.DB.View(ctx, func(r kv.Reader) error {
		now = r.Now()
		return nil
	})
	return now, err
}

// Waiters returns who waits for the lease of a resource, in the order of their turns.
func (s *Service) Waiters(name journal.Name) []waiting.Waiter {
	return s.queues.Waiters(queueName(name.Account, name.Container, name.Blob))
}

// WaitersByName returns how many requests wait for each lease of an account.
func (s *Service) WaitersByName(account string) map[journal.Name]int {
	counts := make(map[journal.Name]int)
	for name, n := range s.queues.Counts() {
		if parts := strings.SplitN(name, "\x00", 3); parts[0] == account {
			counts[journal.Name{Account: account, Container: parts[1], Blob: parts[2]}] = n
		}
	}
	return counts
}

// Authenticate returns what the credentials of a request allow.
func (s *Service) Authenticate(r *wire.Request) (auth.Grant, error) { return s.authenticate(r) }

// ServeAs answers a request of one who has been authenticated otherwise.
func (s *Service) ServeAs(r *wire.Request, grant auth.Grant) { s.serve(r, &grant) }
