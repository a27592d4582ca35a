package certmagiclock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/hold/holdtest"
)

func TestOneServerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := holdtest.NewStore()
		inside, count := 0, 0
		var all sync.WaitGroup
		for range 5 {
			server := New(s.Container("certs"), nil).Wrap(&certmagic.FileStorage{Path: t.TempDir()})
			for range 2 {
				all.Go(func() {
					if err := server.Lock(t.Context(), "issue_cert_*.example.com/a b"); err != nil {
						t.Error(err)
						return
					}
					if inside++; inside != 1 {
						t.Errorf("%d inside", inside)
					}
					<-time.After(90 * time.Second) // longer than any lease: it has to be renewed
					inside--
					count++
					if err := server.Unlock(t.Context(), "issue_cert_*.example.com/a b"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		if count != 10 {
			t.Errorf("%d of 10 were inside", count)
		}
	})
}

// TestWrapKeepsWhatCertmagicLooksFor: certmagic asks a storage whether it has the optional
// interfaces.
func TestWrapKeepsWhatCertmagicLooksFor(t *testing.T) {
	files := &certmagic.FileStorage{Path: t.TempDir()}
	s := New(holdtest.NewStore().Container("certs"), nil).Wrap(files)
	try, ok := s.(certmagic.TryLocker)
	if !ok {
		t.Fatal("no TryLocker")
	}
	renew, ok := s.(certmagic.LockLeaseRenewer)
	if !ok {
		t.Fatal("no LockLeaseRenewer")
	}
	if got, err := try.TryLock(t.Context(), "x"); !got || err != nil {
		t.Error(got, err)
	}
	if err := renew.RenewLockLease(t.Context(), "x", time.Minute); err != nil {
		t.Error(err)
	}
	if err := s.Unlock(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := s.Store(t.Context(), "k", []byte("v")); err != nil {
		t.Error(err)
	}
	if v, err := files.Load(t.Context(), "k"); err != nil || string(v) != "v" {
		t.Errorf("the data is not in the storage below: %q, %v", v, err)
	}
}

func TestTryLockAndRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := holdtest.NewStore(), t.Context()
		a, b := New(s.Container("certs"), nil), New(s.Container("certs"), &Options{Prefix: "locks/", KeepBlobs: true})
		if got, err := a.TryLock(ctx, "x"); !got || err != nil {
			t.Fatal(got, err)
		}
		if got, err := b.TryLock(ctx, "x"); got || err != nil {
			t.Fatal(got, err)
		}
		if got, err := b.TryLock(ctx, "y"); !got || err != nil {
			t.Fatal("another name is another lock:", got, err)
		}
		if err := a.RenewLockLease(ctx, "x", time.Minute); err != nil {
			t.Error(err)
		}
		if a.RenewLockLease(ctx, "y", time.Minute) == nil || a.Unlock(ctx, "y") == nil {
			t.Error("a does not hold y")
		}
		if err := a.Unlock(ctx, "x"); err != nil {
			t.Error(err)
		}
		if err := b.Unlock(ctx, "y"); err != nil {
			t.Error(err)
		}
		c, err := b.of("y")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Inspect(ctx); err != nil {
			t.Errorf("the blob was not kept: %v", err)
		}
		if c, err = a.of("x"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Inspect(ctx); !errors.Is(err, hold.ErrNotFound) {
			t.Errorf("the blob was kept: %v", err)
		}
	})
}

func TestLockEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(holdtest.NewStore().Container("certs"), nil)
		if err := l.Lock(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Lock(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := l.Unlock(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	})
}

func TestBadOptionsAreReported(t *testing.T) {
	l := New(holdtest.NewStore().Container("certs"), &Options{Lock: hold.LockOptions{Duration: time.Second}})
	if err := l.Lock(t.Context(), "x"); err == nil {
		t.Error("locked for a second")
	}
	if _, err := l.TryLock(t.Context(), "x"); err == nil {
		t.Error("locked for a second")
	}
}
