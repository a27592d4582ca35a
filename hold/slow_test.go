package hold

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

// slow is a transport whose answers all come late.
type slow struct {
	store *holdtest.Store
	by    time.Duration
}

func (s slow) Do(r *http.Request) (*http.Response, error) {
	answer, err := s.store.Do(r)
	select {
	case <-time.After(s.by):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return answer, err
}

// TestAnswersLateByAThirdKeepTheLock: the shortest lock is taken and kept over a line that delays
// every answer by a third of it, and so is the guard's warning time, a sixth of the duration before
// the deadline.
func TestAnswersLateByAThirdKeepTheLock(t *testing.T) {
	const d = 15 * time.Second
	for _, describe := range []*Holder{nil, Self("slow")} {
		bubble(t, func(t *testing.T, s *holdtest.Store) {
			s.Container("box")
			c := newClient(t, recorded(t, slow{s, d / 3}), nil)
			l := ok(c.Lock(t.Context(), &LockOptions{Duration: d, CreateIfMissing: true, Describe: describe}))(t)
			before := s.Requests()
			for range 600 {
				wait(100 * time.Millisecond)
				if l.Context().Err() != nil {
					t.Fatalf("lost: %v", context.Cause(l.Context()))
				}
				if at, _ := l.Deadline(); time.Until(at) < d/6 {
					t.Fatalf("%v before the deadline there was no answer", time.Until(at))
				}
			}
			if n := s.Requests() - before; n > 40 {
				t.Errorf("%d renewals in a minute", n)
			}
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAnAnswerThatNeverComesDelaysNoOther: a try that hangs is followed by another one in time.
func TestAnAnswerThatNeverComesDelaysNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, s *holdtest.Store) {
		s.Container("box")
		line := &hanging{store: s}
		c := newClient(t, recorded(t, line), nil)
		l := ok(c.Lock(t.Context(), &LockOptions{Duration: 15 * time.Second, CreateIfMissing: true}))(t)
		line.every = 2 // of the requests from now on
		wait(2 * time.Minute)
		if l.Context().Err() != nil {
			t.Fatalf("lost: %v", context.Cause(l.Context()))
		}
		start := time.Now()
		line.every = 0
		if err := l.Release(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("release: %v after %v", err, time.Since(start))
		}
	})
}

// hanging is a transport that gives no answer to each request of a number, once it is told to.
type hanging struct {
	store    *holdtest.Store
	every, n int
}

func (h *hanging) Do(r *http.Request) (*http.Response, error) {
	if h.n++; h.every > 0 && h.n%h.every == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return h.store.Do(r)
}
