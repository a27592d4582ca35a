package main

import (
	"fmt"
	"time"
)

// leaseSeconds is the duration of the leases that are acquired: finite, so that renewing one has
// something to do.
const leaseSeconds = "60"

// leasePairs acquires and releases leases, one blob after the other. Both requests count.
func leasePairs(s *stage) ([]step, error) {
	blobs, err := s.own(leasesEach, newBodies(0))
	if err != nil {
		return nil, err
	}
	steps := make([]step, s.conns)
	for id := range steps {
		l, k := newLeaser(id), 0
		steps[id] = func(w *worker) error {
			k++
			path, lease := blobs.at(id, k), l.id()
			if _, err := l.take(w, path, lease, 201); err != nil {
				return err
			}
			return l.give(w, path, lease)
		}
	}
	return steps, nil
}

// leaseRenew renews held leases.
func leaseRenew(s *stage) ([]step, error) {
	blobs, err := s.own(leasesEach, newBodies(0))
	if err != nil {
		return nil, err
	}
	each := min(leasesEach, blobs.each)
	for i := range s.conns * each {
		s.held = append(s.held, hold{blobs.at(i/each, i%each), leaseID(i/each, i%each)})
	}
	err = forEach(s, len(s.held), newLeaser, func(w *worker, l *leaser, i int) error {
		_, err := l.take(w, s.held[i].path, s.held[i].id, 201)
		return err
	})
	if err != nil {
		return nil, err
	}
	steps := make([]step, s.conns)
	for id := range steps {
		l, k := newLeaser(id), 0
		steps[id] = func(w *worker) error {
			k = (k + 1) % each
			return l.keep(w, s.held[id*each+k])
		}
	}
	return steps, nil
}

// hold is a lease that is held.
type hold struct{ path, id string }

// releaseAll gives back what leaseRenew held.
func releaseAll(s *stage) error {
	return forEach(s, len(s.held), newLeaser, func(w *worker, l *leaser, i int) error {
		return l.give(w, s.held[i].path, s.held[i].id)
	})
}

// contended lets every connection try for the lease of the same blob, again at once when refused.
// Refusals count as requests. A store that grants the lease to two at a time fails the row.
func contended(s *stage) ([]step, error) {
	path := s.blob(s.prefix + "one")
	if err := s.fill(1, func(int) string { return path }, newBodies(0)); err != nil {
		return nil, err
	}
	steps := make([]step, s.conns)
	for id := range steps {
		l := newLeaser(id)
		steps[id] = func(w *worker) error {
			lease := l.id()
			granted, err := l.take(w, path, lease, 201, 409)
			if err != nil || !granted {
				return err
			}
			if holders := s.holders.Add(1); holders > 1 && s.store() {
				return fmt.Errorf("%d hold the lease of one blob at a time", holders)
			}
			s.granted.Add(1)
			s.holders.Add(-1)
			return l.give(w, path, lease)
		}
	}
	return steps, nil
}

// refused records what most requests for a contended lease get: a refusal.
func refused(s *stage, w *worker) error {
	path := s.blob(s.prefix + "one")
	holder, err := newWorker(s.target, rawKind, 0, time.Now().Add(stall))
	if err != nil {
		return err
	}
	defer holder.client.close()
	l, other := newLeaser(1), newLeaser(2)
	id := l.id()
	if _, err := l.take(holder, path, id, 201); err != nil {
		return err
	}
	if _, err := other.take(w, path, other.id(), 409); err != nil {
		return err
	}
	return l.give(w, path, id)
}

// wasGranted fails if nobody ever got the contended lease.
func wasGranted(s *stage) error {
	if s.granted.Load() == 0 {
		return fmt.Errorf("the contended lease was never granted")
	}
	return nil
}

// leaser holds the calls of one worker's leases.
type leaser struct {
	acquire, renew, release *call
	proposed, held, renewed int // indexes of the lease ID in their headers
	worker, count           int
}

func newLeaser(worker int) *leaser {
	l := &leaser{worker: worker,
		acquire: newCall("PUT", "", "comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", leaseSeconds,
			"x-ms-proposed-lease-id", "", "x-ms-version", version),
		renew:   newCall("PUT", "", "comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", "", "x-ms-version", version),
		release: newCall("PUT", "", "comp=lease", nil, "x-ms-lease-action", "release", "x-ms-lease-id", "", "x-ms-version", version),
	}
	l.proposed, l.held, l.renewed = l.acquire.index("x-ms-proposed-lease-id"), l.release.index("x-ms-lease-id"), l.renew.index("x-ms-lease-id")
	return l
}

// id returns a fresh lease ID.
func (l *leaser) id() string {
	l.count++
	return leaseID(l.worker, l.count)
}

func leaseID(worker, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", worker, n) }

// take acquires the lease of a blob. It reports whether the lease was granted; one of the wanted
// statuses is due.
func (l *leaser) take(w *worker, path, id string, want ...int) (bool, error) {
	l.acquire.path, l.acquire.fields[l.proposed].value = path, id
	if err := w.call(l.acquire, want...); err != nil {
		return false, err
	}
	if w.ans.status != 201 {
		return false, nil
	}
	return true, w.expectLease(id)
}

// give releases it.
func (l *leaser) give(w *worker, path, id string) error {
	l.release.path, l.release.fields[l.held].value = path, id
	return w.call(l.release, 200)
}

// keep renews it.
func (l *leaser) keep(w *worker, h hold) error {
	l.renew.path, l.renew.fields[l.renewed].value = h.path, h.id
	if err := w.call(l.renew, 200); err != nil {
		return err
	}
	return w.expectLease(h.id)
}

// expectLease fails unless the last answer named this lease.
func (w *worker) expectLease(id string) error {
	if string(w.ans.lease) != id {
		return fmt.Errorf("want lease %s, got %s", id, &w.ans)
	}
	return nil
}
