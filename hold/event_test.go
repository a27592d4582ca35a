package hold

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

// flaky is a transport that can be switched off.
type flaky struct {
	store *holdtest.Store
	down  atomic.Bool
}

func (f *flaky) Do(req *http.Request) (*http.Response, error) {
	if f.down.Load() {
		return nil, errors.New("the line is dead")
	}
	return f.store.Do(req)
}

func TestEventsTellTheStory(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		s.Container("box")
		line := &flaky{store: s}
		var mu sync.Mutex
		var story []EventKind
		var log bytes.Buffer
		c := newClient(t, recorded(t, line), &Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			OnEvent: func(e Event) {
				mu.Lock()
				defer mu.Unlock()
				if n := len(story); n == 0 || story[n-1] != e.Kind {
					story = append(story, e.Kind)
				}
				if (e.Kind == EventLost || e.Kind == EventRenewFailed) && e.Err == nil {
					t.Errorf("%s without an error", e.Kind)
				}
			},
		})
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true}))(t)
		wait(25 * time.Second)
		sent := time.Now().Add(-10 * time.Second)
		line.down.Store(true)
		<-l.Context().Done()
		var lost *LostError
		if !errors.As(context.Cause(l.Context()), &lost) || lost.Reason != ReasonExpired || lost.Renewed.Before(sent) || !strings.Contains(lost.Error(), "the line is dead") {
			t.Errorf("cause %v, renewed %v", lost, lost.Renewed)
		}
		if left := time.Until(lost.Renewed.Add(30 * time.Second)); left != 3*time.Second {
			t.Errorf("the context ended %v before the lease could, want the margin", left)
		}
		wantError(t, l.Release(t.Context()), ErrLost)
		line.down.Store(false)
		l = ok(c.Lock(t.Context(), nil))(t)
		l.Release(t.Context())

		mu.Lock()
		defer mu.Unlock()
		want := []EventKind{EventAcquired, EventRenewed, EventRenewFailed, EventAtRisk, EventRenewFailed, EventLost, EventWaiting, EventAcquired, EventReleased}
		if !slices.Equal(story, want) {
			t.Errorf("got %q\nwant %q", story, want)
		}
		if got := log.String(); strings.Count(got, "lease lost") != 1 || strings.Contains(got, string(l.ID())) || strings.Contains(got, "level=DEBUG") {
			t.Errorf("log:\n%s", got)
		}
	})
}

// TestFailuresThatPass waits out what may pass and reports what can't.
func TestFailuresThatPass(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		s.Container("box")
		line := &flaky{store: s}
		line.down.Store(true)
		c := newClient(t, recorded(t, line), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := c.Lock(ctx, nil)
		wantError(t, err, context.DeadlineExceeded)
		if _, err := c.TryLock(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "the line is dead") {
			t.Errorf("TryLock on a dead line: %v", err)
		}
		time.AfterFunc(time.Minute, func() { line.down.Store(false) })
		l := ok(c.Lock(t.Context(), &LockOptions{CreateIfMissing: true}))(t)
		line.down.Store(true)
		time.AfterFunc(3*time.Second, func() { line.down.Store(false) })
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("release over a line that comes back: %v", err)
		}
	})
}

func TestReleaseOverADeadLineEnds(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		s.Container("box")
		line := &flaky{store: s}
		l := ok(newClient(t, recorded(t, line), nil).Lock(t.Context(), &LockOptions{CreateIfMissing: true}))(t)
		line.down.Store(true)
		start := time.Now()
		if err := l.Release(t.Context()); err == nil || time.Since(start) > 11*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
