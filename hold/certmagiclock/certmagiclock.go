// Package certmagiclock lets the servers of a cluster that use certmagic coordinate through leases
// on blobs: one of them obtains or renews a certificate, and the others wait for it.
//
// It is the locking half of a certmagic storage; Wrap puts it in the place of the locks of another
// one:
//
//	certmagic.Default.Storage = certmagiclock.New(containerClient, nil).Wrap(certmagic.Default.Storage)
//
// It is a module of its own, so that users of package hold don't depend on certmagic.
package certmagiclock

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/caddyserver/certmagic"
	"github.com/leasehold/leasehold/hold"
)

// Locker makes one blob per lock name while the name is locked. It is safe for concurrent use.
type Locker struct {
	c      *container.Client
	prefix string
	client hold.Options
	lock   hold.LockOptions

	mu   sync.Mutex
	held map[string]*hold.Lock
}

var (
	_ certmagic.Locker           = (*Locker)(nil)
	_ certmagic.TryLocker        = (*Locker)(nil)
	_ certmagic.LockLeaseRenewer = (*Locker)(nil)
)

// Options are the settings of a Locker; nil means the defaults.
type Options struct {
	Prefix string       // of the blobs' names; default "locks/"
	Client hold.Options // see there
	// Lock is how locks are taken. Blobs are always created when missing, and deleted on release
	// unless KeepBlobs is set.
	Lock      hold.LockOptions
	KeepBlobs bool
}

// New returns a Locker that keeps its blobs in a container, which has to exist.
func New(c *container.Client, o *Options) *Locker {
	l := &Locker{c: c, prefix: "locks/", held: map[string]*hold.Lock{}}
	keep := false
	if o != nil {
		l.client, l.lock, keep = o.Client, o.Lock, o.KeepBlobs
		if o.Prefix != "" {
			l.prefix = o.Prefix
		}
	}
	l.lock.CreateIfMissing, l.lock.DeleteOnRelease = true, !keep
	return l
}

// Lock waits for the lock until ctx ends. The lock is renewed until Unlock, or until this process
// dies.
func (l *Locker) Lock(ctx context.Context, name string) error {
	c, err := l.of(name)
	if err != nil {
		return err
	}
	lock, err := c.Lock(ctx, &l.lock)
	if err != nil {
		return err
	}
	l.put(name, lock)
	return nil
}

// TryLock takes the lock if it is free, and reports whether it did.
func (l *Locker) TryLock(ctx context.Context, name string) (bool, error) {
	c, err := l.of(name)
	if err != nil {
		return false, err
	}
	lock, err := c.TryLock(ctx, &l.lock)
	if errors.Is(err, hold.ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.put(name, lock)
	return true, nil
}

// Unlock releases the lock. It fails if the name is not locked here, or if its lease was lost, so
// that others may have entered the critical section.
func (l *Locker) Unlock(ctx context.Context, name string) error {
	l.mu.Lock()
	lock := l.held[name]
	delete(l.held, name)
	l.mu.Unlock()
	if lock == nil {
		return fmt.Errorf("certmagiclock: %q is not locked", name)
	}
	return lock.Release(ctx)
}

// RenewLockLease makes sure that the lock is still held. How long it is held then is up to
// Options.Lock: it renews itself.
func (l *Locker) RenewLockLease(ctx context.Context, name string, _ time.Duration) error {
	l.mu.Lock()
	lock := l.held[name]
	l.mu.Unlock()
	if lock == nil {
		return fmt.Errorf("certmagiclock: %q is not locked", name)
	}
	return lock.Check(ctx)
}

// of returns the lease client of a name. Names may hold any characters, so they are escaped.
func (l *Locker) of(name string) (*hold.Client, error) {
	return hold.New(hold.Blob(l.c.NewBlockBlobClient(l.prefix+url.PathEscape(name)+".lock")), &l.client)
}

func (l *Locker) put(name string, lock *hold.Lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[name] = lock
}

// Wrap returns a storage that keeps its data in s and its locks in l.
func (l *Locker) Wrap(s certmagic.Storage) certmagic.Storage { return storage{s, l} }

type storage struct {
	certmagic.Storage
	l *Locker
}

func (s storage) Lock(ctx context.Context, name string) error   { return s.l.Lock(ctx, name) }
func (s storage) Unlock(ctx context.Context, name string) error { return s.l.Unlock(ctx, name) }
func (s storage) TryLock(ctx context.Context, name string) (bool, error) {
	return s.l.TryLock(ctx, name)
}
func (s storage) RenewLockLease(ctx context.Context, name string, d time.Duration) error {
	return s.l.RenewLockLease(ctx, name, d)
}
