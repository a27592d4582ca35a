package service

import (
	"context"
	"errors"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// errContainerChanged reports that the container of a change has been deleted, and perhaps made
// again, since its generation was read.
var errContainerChanged = errors.New("service: the container changed")

// maxContainerTries is how often a change starts over because its container changed under it.
const maxContainerTries = 20

// change runs fn in one update of the resource, alone among its updates.
func (c *call) change(ctx context.Context, fn func(*txn) error) error {
	return c.changeWith(ctx, fn)
}

// changeWith is change for a function that depends on further keys.
func (c *call) changeWith(ctx context.Context, fn func(*txn) error, also ...kv.Key) (err error) {
	for range maxContainerTries {
		if err = c.changeOnce(ctx, fn, also); !errors.Is(err, errContainerChanged) {
			return err
		}
	}
	return &fault.Error{Code: fault.ServerBusy, Cause: err}
}

func (c *call) changeOnce(ctx context.Context, fn func(*txn) error, also []kv.Key) error {
	key, container, err := c.declare(ctx)
	if err != nil {
		return err
	}
	gated := c.req.Level == wire.LevelBlob && container.VersionedWORM && c.op.Use.creates
	keys := append([]kv.Key{key}, also...)
	if c.op.Also != nil {
		keys = append(keys, c.op.Also(c)...)
	}
	if gated {
		keys = append(keys, meta.GateKey(container.Generation, c.req.Blob))
	}
	var s *txn
	err = c.DB.Update(ctx, keys, func(tx kv.Tx) error {
		s = &txn{call: c, r: tx, tx: tx, container: container}
		if err := s.checkContainer(gated); err != nil {
			return err
		}
		if err := s.enter(); err != nil {
			return err
		}
		return fn(s)
	})
	if c.req.Level != wire.LevelBlob {
		c.parents.drop(c.req.Account, c.req.Container)
	}
	if err == nil || errors.Is(err, kv.ErrUnknown) {
		s.wake()
		s.observe()
	}
	return err
}

// wake wakes the requests that wait for a lease if the change ends the lease early.
func (s *txn) wake() {
	switch {
	case s.deleted:
		s.queues.ChangedUnder(s.resourceName())
	case s.freed || s.entry != nil && s.entry.Freed():
		s.queues.Changed(s.resourceName())
	}
}

// checkContainer fails with errContainerChanged if the container of the blob has been deleted and
// made again since the key was declared. It reads beside the transaction: a write that still races
// with the deletion ends in a generation that nobody reads. That is not enough where a container
// must be empty to be deleted. There the transaction is gated: it excludes the deletion and sees
// its outcome.
func (s *txn) checkContainer(gated bool) error {
	if s.req.Level != wire.LevelBlob {
		return nil
	}
	find := (*call).enclosing
	if gated {
		find = (*call).storedContainer
	}
	is, err := find(s.call, s.ctx())
	switch {
	case err != nil:
		return err
	case is == nil:
		return fault.ContainerNotFound
	case is.Generation != s.container.Generation:
		s.parents.drop(s.req.Account, s.req.Container)
		return errContainerChanged
	}
	return nil
}

// storedContainer returns the record of the request's container as it is stored now, nil for none.
func (c *call) storedContainer(ctx context.Context) (is *blob.Container, err error) {
	err = c.DB.View(ctx, func(r kv.Reader) (err error) {
		is, err = meta.Container(r, c.req.Account, c.req.Container)
		return err
	})
	return is, err
}
