package hold

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

func election(t *testing.T, s *holdtest.Store, name string) *Election {
	t.Helper()
	return ok(NewElection(Blob(s.Blob("box", "leader")), &ElectionOptions{
		Lock: LockOptions{CreateIfMissing: true, Describe: &Holder{Name: name}}, Observe: time.Second,
	}))(t)
}

func TestElectionHasOneLeader(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		leaders, terms, last := 0, 0, uint64(0)
		var all sync.WaitGroup
		for _, name := range []string{"a", "b", "c"} {
			e := election(t, s, name)
			all.Go(func() {
				for ctx.Err() == nil {
					e.Run(ctx, func(ctx context.Context, term Term) error {
						mu.Lock()
						leaders++
						terms++
						if leaders != 1 || term.Number <= last {
							t.Errorf("%d leaders, term %d after %d", leaders, term.Number, last)
						}
						last = term.Number
						mu.Unlock()
						if l, err := e.Leader(t.Context()); err != nil || !l.Elected || l.Holder.Name != name || l.Term != term.Number {
							t.Errorf("leader %+v, %v", l, err)
						}
						select {
						case <-time.After(20 * time.Second):
						case <-ctx.Done():
						}
						mu.Lock()
						leaders--
						mu.Unlock()
						return nil
					})
				}
			})
		}
		wait(10 * time.Minute)
		cancel()
		all.Wait()
		if terms < 20 {
			t.Errorf("%d terms in ten minutes", terms)
		}
		if l, err := election(t, s, "d").Leader(t.Context()); err != nil || l.Elected {
			t.Errorf("after all have resigned: %+v, %v", l, err)
		}
	})
}

func TestElectionGoesOnAfterALoss(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		e := election(t, s, "a")
		terms := 0
		failure := errors.New("failure")
		err := e.Run(t.Context(), func(ctx context.Context, term Term) error {
			if terms++; terms == 3 {
				return failure
			}
			ok(e.c.Break(t.Context(), nil))(t)
			<-ctx.Done()
			return []error{nil, ctx.Err(), context.Cause(ctx)}[terms]
		})
		if err != failure || terms != 3 {
			t.Errorf("%v after %d terms", err, terms)
		}
		err = e.Run(t.Context(), func(ctx context.Context, term Term) error {
			ok(e.c.Break(t.Context(), nil))(t)
			<-ctx.Done()
			return failure
		})
		if err != failure {
			t.Errorf("an error of its own after a loss: %v", err)
		}
	})
}

func TestElectionPassesPanicsOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		defer func() {
			if recover() != "panic" || s.Holder("box/leader") != "" {
				t.Error("the panic did not pass, or the leadership was not given up")
			}
		}()
		election(t, s, "a").Run(t.Context(), func(context.Context, Term) error { panic("panic") })
	})
}

func TestElectionEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := election(t, s, "a").Run(ctx, func(ctx context.Context, _ Term) error {
			err := election(t, s, "b").Run(ctx, func(context.Context, Term) error { return errors.New("a second leader") })
			wantError(t, err, ErrHeld)
			<-ctx.Done()
			return ctx.Err()
		})
		wantError(t, err, context.DeadlineExceeded)
	})
}

func TestObserve(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		var seen []string
		var all sync.WaitGroup
		all.Go(func() {
			for l, err := range election(t, s, "observer").Observe(ctx) {
				if err != nil {
					t.Error(err)
				}
				seen = append(seen, l.Holder.Name)
			}
		})
		for _, name := range []string{"a", "b"} {
			wait(10*time.Second + 300*time.Millisecond) // not when the observer looks: it might see b's term with the name of a
			err := election(t, s, name).Run(t.Context(), func(context.Context, Term) error { wait(10 * time.Second); return nil })
			if err != nil {
				t.Error(err)
			}
		}
		wait(10 * time.Second)
		cancel()
		all.Wait()
		want := []string{"", "a", "", "b", ""}
		if len(seen) != len(want) {
			t.Fatalf("saw %q, want %q", seen, want)
		}
		for i := range want {
			if seen[i] != want[i] {
				t.Fatalf("saw %q, want %q", seen, want)
			}
		}
	})
}

func TestElectionOptionsAreChecked(t *testing.T) {
	s := holdtest.NewStore()
	if _, err := NewElection(Blob(s.Blob("box", "leader")), &ElectionOptions{Lock: LockOptions{DeleteOnRelease: true}}); err == nil {
		t.Error("an election that forgets its terms was accepted")
	}
	if _, err := NewElection(Target{}, nil); err == nil {
		t.Error("an election about nothing was accepted")
	}
}
