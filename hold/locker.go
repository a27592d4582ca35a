package hold

import (
	"context"
	"sync"
)

// Locker is a lock in the form of sync.Locker, for code that knows nothing of contexts. It excludes
// the goroutines of this process as well as all other processes. Prefer Client.Do where you can:
// work under a Locker that does not look at Context does not notice when the lease is lost.
type Locker struct {
	c     *Client
	o     *LockOptions
	local chan struct{} // holds a token while locked

	mu   sync.Mutex
	held *Lock
}

var _ sync.Locker = (*Locker)(nil)

// NewLocker returns a Locker for the target of c.
func NewLocker(c *Client, o *LockOptions) *Locker {
	return &Locker{c: c, o: o, local: make(chan struct{}, 1)}
}

// Lock waits for the lock, as long as it takes. It panics with the error if waiting makes no sense,
// because the target does not exist or may not be leased: a sync.Locker can't say so.
func (k *Locker) Lock() {
	if err := k.LockContext(context.Background()); err != nil {
		panic(err)
	}
}

// LockContext waits for the lock until ctx ends.
func (k *Locker) LockContext(ctx context.Context) error {
	select {
	case k.local <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	return k.take(k.c.Lock(ctx, k.o))
}

// TryLock takes the lock if it is free, and reports whether it did. Failures count as not free.
func (k *Locker) TryLock() bool {
	select {
	case k.local <- struct{}{}:
		return k.take(k.c.TryLock(context.Background(), k.o)) == nil
	default:
		return false
	}
}

func (k *Locker) take(l *Lock, err error) error {
	if err != nil {
		<-k.local
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = l
	return nil
}

// Unlock releases the lock. It panics if it is not locked. A lease that was lost, or that can't be
// released, is ignored here: it ends by itself.
func (k *Locker) Unlock() {
	k.mu.Lock()
	l := k.held
	k.held = nil
	k.mu.Unlock()
	if l == nil {
		panic("hold: unlock of an unlocked Locker")
	}
	l.Release(context.Background())
	<-k.local
}

// Context returns the context of the lock: see Lock.Context. The context has ended if the lock is
// not held.
func (k *Locker) Context() context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(ErrReleased)
		return ctx
	}
	return k.held.Context()
}
