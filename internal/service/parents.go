package service

import (
	"context"
	"sync"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// parents holds the records above a blob, of its container and its service. Every operation on the
// blob needs them and hardly any changes them. They are never modified.
type parents struct {
	container  *blob.Container
	properties *blob.ServiceProperties
}

// maxParents bounds the cache; over it, it starts anew. An entry takes some
// hundreds of bytes.
const maxParents = 10_000

// parentCache caches parents until this process changes them. A blob's key holds the generation of
// its container, so an operation that began before a deletion does no harm after it.
type parentCache struct {
	mu      sync.RWMutex
	changes uint64 // how often something was dropped
	byName  map[containerName]parents
}

// containerName names a container.
type containerName struct{ account, container string }

// loadParents returns the parents of the request's blob. The error is
// ContainerNotFound if there is no such container.
func (c *call) loadParents(ctx context.Context) (parents, error) {
	name := containerName{c.req.Account, c.req.Container}
	found, ok, changes := c.parents.find(name)
	if ok {
		return found, nil
	}
	return c.readParents(ctx, name, changes)
}

// readParents reads the parents from the store, and keeps them unless something has changed since
// changes was the count.
func (c *call) readParents(ctx context.Context, name containerName, changes uint64) (found parents, err error) {
	err = c.DB.View(ctx, func(r kv.Reader) (err error) {
		if found.container, err = meta.Container(r, c.req.Account, c.req.Container); err != nil {
			return err
		}
		found.properties, err = meta.ServiceProperties(r, c.req.Account)
		return err
	})
	if err == nil && found.container == nil {
		err = fault.ContainerNotFound
	}
	if err == nil {
		c.parents.keep(name, found, changes)
	}
	return found, err
}

func (p *parentCache) find(name containerName) (found parents, ok bool, changes uint64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	found, ok = p.byName[name]
	return found, ok, p.changes
}

// keep adds parents that were read when the count of changes was changes, unless something has
// changed since.
func (p *parentCache) keep(name containerName, found parents, changes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changes != changes {
		return
	}
	if p.byName == nil || len(p.byName) >= maxParents {
		p.byName = make(map[containerName]parents)
	}
	p.byName[name] = found
}

// drop forgets a container, or everything if the service of an account has changed.
func (p *parentCache) drop(account, container string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	if container == "" {
		clear(p.byName)
		return
	}
	delete(p.byName, containerName{account, container})
}
