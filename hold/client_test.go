package hold

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/leasehold/leasehold/hold/holdtest"
)

// bubble runs f in virtual time with an empty store.
func bubble(t *testing.T, f func(t *testing.T, s *holdtest.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, holdtest.NewStore()) })
}

func newClient(t *testing.T, target Target, o *Options) *Client {
	t.Helper()
	return ok(New(target, o))(t)
}

// ok(f())(t) is the value of f, which must not fail.
func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wait lets virtual time pass.
func wait(d time.Duration) { <-time.After(d) }

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func targets(s *holdtest.Store) map[string]Target {
	return map[string]Target{"blob": Blob(s.Blob("box", "one")), "container": Container(s.Container("box"))}
}

func TestOperations(t *testing.T) {
	for _, kind := range []string{"blob", "container"} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *holdtest.Store) {
				c := newClient(t, targets(s)[kind], nil)
				if kind == "blob" {
					_, err := c.Acquire(t.Context(), 15*time.Second, nil)
					wantError(t, err, ErrNotFound)
					if err := c.t.r.create(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				testOperations(t, c)
			})
		})
	}
}

func testOperations(t *testing.T, c *Client) {
	ctx := t.Context()
	_, err := c.Break(ctx, nil)
	wantError(t, err, ErrNotLeased)

	g := ok(c.Acquire(ctx, 30*time.Second, nil))(t)
	_, err = c.Acquire(ctx, 30*time.Second, nil)
	wantError(t, err, ErrHeld)
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) || answer.ErrorCode != "LeaseAlreadyPresent" {
		t.Fatalf("%v does not unwrap to the answer of the service", err)
	}
	again := ok(c.Acquire(ctx, 15*time.Second, &AcquireOptions{ProposedID: g.ID}))(t)
	if again.ID != g.ID {
		t.Fatalf("acquired again: ID %s, want %s", again.ID, g.ID)
	}

	if i, err := c.Inspect(ctx); err != nil || i.State != StateLeased || i.Infinite {
		t.Fatalf("inspect: %+v, %v", i, err)
	}
	to := NewID()
	if g := ok(c.Change(ctx, g.ID, to, nil))(t); !g.ID.Equal(to) {
		t.Fatalf("changed to %s, want %s", g.ID, to)
	}
	_, err = c.Renew(ctx, g.ID, nil)
	wantError(t, err, ErrLost)
	wait(10 * time.Second)
	ok(c.Renew(ctx, to, nil))(t)
	left := ok(c.Break(ctx, nil))(t)
	if left != 15*time.Second {
		t.Fatalf("free after %v, want 15 s", left)
	}
	if i := ok(c.Inspect(ctx))(t); i.State != StateBreaking || !i.State.Locked() {
		t.Fatalf("state %q", i.State)
	}
	_, err = c.Renew(ctx, to, nil)
	var lost *LostError
	if !errors.As(err, &lost) || lost.Reason != ReasonBroken {
		t.Fatalf("renewal of a lease that is being broken: %v", err)
	}
	if err := c.Release(ctx, to, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.Release(ctx, to, nil), ErrLost)

	ok(c.Acquire(ctx, Infinite, nil))(t)
	if i := ok(c.Inspect(ctx))(t); !i.Infinite {
		t.Fatal("an infinite lease is not seen as one")
	}
	if left := ok(c.Break(ctx, &BreakOptions{Period: new(5 * time.Second)}))(t); left != 5*time.Second {
		t.Fatalf("free after %v, want 5 s", left)
	}
	wait(5 * time.Second)
	if i := ok(c.Inspect(ctx))(t); i.State != StateBroken || i.State.Locked() {
		t.Fatalf("state %q", i.State)
	}
}
