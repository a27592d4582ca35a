package hold

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

func lockClient(t *testing.T, s *holdtest.Store, o *Options) *Client {
	return newClient(t, Blob(s.Blob("box", "lock")), o)
}

func TestLockIsKeptAndReleased(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		_, err := c.TryLock(t.Context(), nil)
		wantError(t, err, ErrNotFound)

		o := &LockOptions{Duration: 15 * time.Second, CreateIfMissing: true, Describe: Self("backup")}
		l := ok(c.Lock(t.Context(), o))(t)
		before := s.Requests()
		wait(10 * time.Minute)
		if err := l.Context().Err(); err != nil {
			t.Fatalf("lost: %v", context.Cause(l.Context()))
		}
		if n := s.Requests() - before; n < 120 || n > 140 {
			t.Errorf("%d renewals in ten minutes, want one every five seconds", n)
		}
		if d, ok := l.Deadline(); !ok || time.Until(d) < 8*time.Second || time.Until(d) > 14*time.Second {
			t.Errorf("deadline in %v", time.Until(d))
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("check: %v", err)
		}

		_, err = c.TryLock(t.Context(), o)
		var held *HeldError
		if !errors.As(err, &held) || held.State != StateLeased || held.Holder == nil || held.Holder.Note != "backup" {
			t.Fatalf("second lock: %v (%+v)", err, held)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = c.Lock(ctx, o)
		wantError(t, err, ErrHeld)
		wantError(t, err, context.DeadlineExceeded)

		for range 2 {
			if err := l.Release(t.Context()); err != nil {
				t.Fatalf("release: %v", err)
			}
		}
		wantError(t, context.Cause(l.Context()), ErrReleased)
		wantError(t, l.Check(t.Context()), ErrReleased)
		if s.Holder("box/lock") != "" {
			t.Error("still leased after release")
		}
	})
}

func TestWaiterGetsTheLock(t *testing.T) {
	for _, extensions := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *holdtest.Store) {
			s.Extensions = extensions
			c := lockClient(t, s, &Options{Extensions: extensions})
			o := &LockOptions{CreateIfMissing: true}
			l := ok(c.Lock(t.Context(), o))(t)
			time.AfterFunc(3*time.Minute, func() { l.Release(t.Context()) })
			start, before := time.Now(), s.Requests()
			second := ok(c.Lock(t.Context(), o))(t)
			if took := time.Since(start) - 3*time.Minute; took > 3*time.Second || extensions && took > 0 {
				t.Errorf("waited %v longer than needed", took)
			}
			if n := s.Requests() - before; extensions && n > 26 {
				t.Errorf("%d requests while waiting at the server", n)
			}
			if _, ok := second.Deadline(); second.Context().Err() != nil || !ok {
				t.Error("the lock is not good")
			}
			second.Release(t.Context())
		})
	}
}

func TestLossIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(t *testing.T, c *Client, l *Lock)
		reason Reason
	}{
		{"broken", func(t *testing.T, c *Client, l *Lock) { ok(c.Break(t.Context(), nil))(t) }, ReasonBroken},
		{"taken", func(t *testing.T, c *Client, l *Lock) { ok(c.Change(t.Context(), l.ID(), NewID(), nil))(t) }, ReasonTaken},
		{"gone", func(t *testing.T, c *Client, l *Lock) { c.t.r.remove(t.Context(), l.ID()) }, ReasonGone},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *holdtest.Store) {
				var events []EventKind
				c := lockClient(t, s, &Options{OnEvent: func(e Event) { events = append(events, e.Kind) }})
				l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true}))(t)
				wait(time.Second)
				test.spoil(t, c, l)
				start := time.Now()
				<-l.Context().Done()
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("noticed after %v", took)
				}
				var lost *LostError
				if cause := context.Cause(l.Context()); !errors.As(cause, &lost) || lost.Reason != test.reason {
					t.Errorf("cause %v, want %q", cause, test.reason)
				}
				wantError(t, l.Release(t.Context()), ErrLost)
				if got := events[len(events)-1]; got != EventLost {
					t.Errorf("events %v", events)
				}
			})
		})
	}
}

func TestDo(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		o := &LockOptions{CreateIfMissing: true}
		failure := errors.New("failure")
		err := c.Do(t.Context(), o, func(ctx context.Context, l *Lock) error { return failure })
		if err != failure {
			t.Errorf("got %v, want the error of the function", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = c.Do(ctx, o, func(ctx context.Context, l *Lock) error {
			cancel()
			<-ctx.Done()
			if s.Holder("box/lock") == "" {
				t.Error("released before the function returned")
			}
			return ctx.Err()
		})
		wantError(t, err, context.Canceled)
		if s.Holder("box/lock") != "" {
			t.Error("not released")
		}
		err = c.Do(t.Context(), o, func(ctx context.Context, l *Lock) error {
			ok(c.Break(t.Context(), nil))(t)
			<-ctx.Done()
			return nil
		})
		wantError(t, err, ErrLost)
		func() {
			defer func() {
				if recover() != "panic" {
					t.Error("the panic did not pass")
				}
			}()
			wait(time.Minute)
			c.Do(t.Context(), o, func(context.Context, *Lock) error { panic("panic") })
		}()
		if s.Holder("box/lock") != "" {
			t.Error("not released after a panic")
		}
	})
}

func TestHandOffAndAdopt(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, Duration: 60 * time.Second}))(t)
		id := l.HandOff()
		wantError(t, context.Cause(l.Context()), ErrHandedOff)
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(30 * time.Second)
		if s.Holder("box/lock") == "" {
			t.Fatal("handing off released the lease")
		}
		second := ok(c.Adopt(t.Context(), id, &LockOptions{Duration: 15 * time.Second}))(t)
		wait(time.Minute)
		if err := second.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := second.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := c.Adopt(t.Context(), id, nil)
		wantError(t, err, ErrLost)
	})
}

func TestEpochRises(t *testing.T) {
	for name, extensions := range map[string]bool{"metadata": false, "server": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *holdtest.Store) {
				s.Extensions = extensions
				for kind, target := range targets(s) {
					c := newClient(t, target, &Options{Extensions: extensions})
					last := uint64(0)
					for range 5 {
						l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, Epoch: true}))(t)
						e, ok := l.Epoch()
						if !ok || e <= last {
							t.Errorf("%s: epoch %d after %d", kind, e, last)
						}
						last = e
						l.Release(t.Context())
					}
				}
			})
		})
	}
}

func TestDeleteOnRelease(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, DeleteOnRelease: true}))(t)
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := c.Inspect(t.Context())
		wantError(t, err, ErrNotFound)
	})
}

func TestInfiniteLockNoticesBreak(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, nil)
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, Duration: Infinite}))(t)
		if _, ok := l.Deadline(); ok {
			t.Error("an infinite lease has a deadline")
		}
		wait(time.Hour)
		ok(c.Break(t.Context(), nil))(t)
		<-l.Context().Done()
		wantError(t, context.Cause(l.Context()), ErrLost)
	})
}

func TestLockOptionsAreChecked(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		blob, box := newClient(t, targets(s)["blob"], nil), newClient(t, targets(s)["container"], nil)
		for _, test := range []struct {
			c *Client
			o LockOptions
		}{
			{blob, LockOptions{Duration: 14 * time.Second}},
			{blob, LockOptions{Duration: 61 * time.Second}},
			{blob, LockOptions{Duration: 15*time.Second + 1}},
			{blob, LockOptions{Margin: -1}},
			{blob, LockOptions{Duration: 15 * time.Second, Margin: 8 * time.Second}},
			{blob, LockOptions{DeleteOnRelease: true, Epoch: true}},
			{box, LockOptions{DeleteOnRelease: true}},
		} {
			if l, err := test.c.TryLock(t.Context(), &test.o); err == nil {
				l.Release(t.Context())
				t.Errorf("%+v: accepted", test.o)
			}
		}
		if s.Requests() != 0 {
			t.Error("bad options reached the wire")
		}
	})
}

// noticed returns after how long a lock learns that its lease was broken.
func noticed(t *testing.T, r *rules) (took time.Duration) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		c := lockClient(t, s, &Options{rules: r})
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true, Duration: 60 * time.Second}))(t)
		ok(c.Break(t.Context(), nil))(t)
		start := time.Now()
		<-l.Context().Done()
		took = time.Since(start)
		l.Release(t.Context())
	})
	return took
}

func TestDefiniteLossEndsTheContextAtOnce(t *testing.T) {
	if took := noticed(t, nil); took > 20*time.Second {
		t.Errorf("noticed after %v, want at the next renewal", took)
	}
	deaf := soundRules()
	deaf.loss = func(error) (Reason, bool) { return "", false }
	if took := noticed(t, deaf); took <= 20*time.Second {
		t.Errorf("with the rule broken it took %v: the check above would not see that", took)
	}
}

// TestThousandLocks holds a thousand locks in one process for ten minutes.
func TestThousandLocks(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		locks := make([]*Lock, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				c := newClient(t, Blob(s.Blob("box", fmt.Sprint(i))), nil)
				l, err := c.Lock(t.Context(), &LockOptions{Duration: time.Minute, CreateIfMissing: true})
				if err != nil {
					t.Error(err)
				}
				locks[i] = l
			})
		}
		all.Wait()
		before := s.Requests()
		wait(10 * time.Minute)
		if per := float64(s.Requests()-before) / float64(n); per < 29 || per > 34 {
			t.Errorf("%.1f renewals of each lock in ten minutes, want about 30", per)
		}
		for i, l := range locks {
			if l.Context().Err() != nil {
				t.Fatalf("lock %d: %v", i, context.Cause(l.Context()))
			}
			all.Go(func() {
				if err := l.Release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
