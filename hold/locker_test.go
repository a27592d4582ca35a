package hold

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

func TestLocker(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		o := &LockOptions{CreateIfMissing: true}
		here, there := NewLocker(lockClient(t, s, nil), o), NewLocker(lockClient(t, s, nil), o)
		inside, count := 0, 0
		var all sync.WaitGroup
		for i := range 20 {
			k := []sync.Locker{here, there}[i%2]
			all.Go(func() {
				k.Lock()
				defer k.Unlock()
				if inside++; inside != 1 {
					t.Errorf("%d inside", inside)
				}
				wait(time.Second)
				inside--
				count++
			})
		}
		all.Wait()
		if count != 20 {
			t.Errorf("%d of 20 were inside", count)
		}
		if !here.TryLock() || here.TryLock() || there.TryLock() || here.Context().Err() != nil {
			t.Error("TryLock")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, here.LockContext(ctx), context.DeadlineExceeded)
		here.Unlock()
		wantError(t, context.Cause(here.Context()), ErrReleased)
		defer func() {
			if recover() == nil {
				t.Error("a second Unlock did not panic")
			}
		}()
		here.Unlock()
	})
}

func TestLockerPanicsWhenItCanNeverLock(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		k := NewLocker(lockClient(t, s, nil), nil)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("locked a blob that does not exist")
				}
			}()
			k.Lock()
		}()
		if k.TryLock() {
			t.Error("locked a blob that does not exist")
		}
	})
}
