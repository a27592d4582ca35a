package service

import (
	"context"
	"sync"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// surroundings are the records that every operation on a blob needs and hardly any
// changes: the container's and the service's. They are never modified.
type surroundings struct {
	container  *blob.Container
	properties *blob.ServiceProperties
}

// maxSurroundings bounds the cache; over it, it starts anew. An entry takes some
// hundreds of bytes.
const maxSurroundings = 10_000

// surroundingsCache keeps surroundings as long as this process has not changed them. A
// blob's key holds the generation of its container, so an operation that began before
// a deletion does no harm after it.
type surroundingsCache struct {
	mu      sync.RWMutex
	changes uint64 // how often something was dropped
	byName  map[containerName]surroundings
}

// containerName names a container.
type containerName struct{ account, container string }

// around returns the surroundings of the request's blob. The error is
// ContainerNotFound if there is no such container.
func (c *call) around(ctx context.Context) (surroundings, error) {
	name := containerName{c.req.Account, c.req.Container}
	found, ok, changes := c.near.find(name)
	if ok {
		return found, nil
	}
	err := c.DB.View(ctx, func(r kv.Reader) (err error) {
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
		c.near.keep(name, found, changes)
	}
	return found, err
}

func (n *surroundingsCache) find(name containerName) (found surroundings, ok bool, changes uint64) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	found, ok = n.byName[name]
	return found, ok, n.changes
}

// keep adds what was read when changes was the count, unless something has changed
// since.
func (n *surroundingsCache) keep(name containerName, found surroundings, changes uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changes != changes {
		return
	}
	if n.byName == nil || len(n.byName) >= maxSurroundings {
		n.byName = make(map[containerName]surroundings)
	}
	n.byName[name] = found
}

// drop forgets one container, or everything if the service of an account changed.
func (n *surroundingsCache) drop(account, container string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes++
	if container == "" {
		clear(n.byName)
		return
	}
	delete(n.byName, containerName{account, container})
}
