package holdtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// lease is the record of one lease; the zero value was never leased. Its state follows from the
// record and the time.
type lease struct {
	id       string
	duration time.Duration // below zero: infinite
	end      time.Time     // of a finite or breaking lease
	broken   bool          // break was asked for: breaking until end, then broken
}

func (l lease) infinite() bool { return l.duration < 0 && !l.broken }

func (l lease) state(now time.Time) string {
	switch over := !now.Before(l.end); {
	case l.id == "":
		return "available"
	case l.infinite():
		return "leased"
	case l.broken && over:
		return "broken"
	case l.broken:
		return "breaking"
	case over:
		return "expired"
	}
	return "leased"
}

func (l lease) locked(now time.Time) bool {
	s := l.state(now)
	return s == "leased" || s == "breaking"
}

// leaseAction applies a lease action to r. The store is locked.
func (s *Store) leaseAction(c *call, r *resource) reply {
	if code := c.conditions(r); code != "" {
		return failed(statusOf(code), code)
	}
	before := r.lease
	var a reply
	switch strings.ToLower(c.header.Get("x-ms-lease-action")) {
	case "acquire":
		a = s.acquire(c, r)
	case "renew":
		a = renew(c, r)
	case "change":
		a = change(c, r)
	case "release":
		a = release(c, r)
	case "break":
		a = breakLease(c, r)
	default:
		return failed(http.StatusBadRequest, "InvalidHeaderValue")
	}
	if a.status < 300 && r.lease.id != "" && c.header.Get("x-ms-lease-action") != "change" && r.lease.id != before.id && s.OnGrant != nil {
		s.OnGrant(c.path, r.lease.id)
	}
	s.describe(c, r, &a)
	return a
}

func (s *Store) acquire(c *call, r *resource) reply {
	id := normal(c.header.Get("x-ms-proposed-lease-id"))
	if id == "" {
		id = freshID()
	}
	seconds, err := strconv.Atoi(c.header.Get("x-ms-lease-duration"))
	if err != nil || seconds != -1 && (seconds < 15 || seconds > 60) || len(id) != 36 {
		return failed(http.StatusBadRequest, "InvalidHeaderValue")
	}
	switch state := r.lease.state(c.now); {
	case r.lease.locked(c.now) && r.lease.id != id:
		return s.waitFor(c, r)
	case state == "breaking":
		return failed(http.StatusConflict, "LeaseIsBreakingAndCannotBeAcquired")
	}
	s.epochs[c.path]++
	r.epoch = s.epochs[c.path]
	r.lease = lease{id: id, duration: time.Duration(seconds) * time.Second}
	r.lease.end = c.now.Add(r.lease.duration)
	return done(http.StatusCreated, r).with("x-ms-lease-id", id)
}

// freshID returns an ID for an acquire that proposes none.
func freshID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func renew(c *call, r *resource) reply {
	switch {
	case r.lease.id == "" || r.lease.id != c.leaseID():
		return failed(http.StatusConflict, "LeaseIdMismatchWithLeaseOperation")
	case r.lease.broken:
		return failed(http.StatusConflict, "LeaseIsBrokenAndCannotBeRenewed")
	}
	r.lease.end = c.now.Add(r.lease.duration)
	return done(http.StatusOK, r).with("x-ms-lease-id", r.lease.id)
}

func change(c *call, r *resource) reply {
	to := normal(c.header.Get("x-ms-proposed-lease-id"))
	state := r.lease.state(c.now)
	switch {
	case len(to) != 36:
		return failed(http.StatusBadRequest, "InvalidHeaderValue")
	case state == "breaking" && r.lease.id == c.leaseID():
		return failed(http.StatusConflict, "LeaseIsBreakingAndCannotBeChanged")
	case state == "breaking":
		return failed(http.StatusConflict, "LeaseIdMismatchWithLeaseOperation")
	case state != "leased":
		return failed(http.StatusConflict, "LeaseNotPresentWithLeaseOperation")
	case r.lease.id != c.leaseID() && r.lease.id != to:
		return failed(http.StatusConflict, "LeaseIdMismatchWithLeaseOperation")
	}
	r.lease.id = to
	return done(http.StatusOK, r).with("x-ms-lease-id", to)
}

func release(c *call, r *resource) reply {
	if r.lease.id == "" || r.lease.id != c.leaseID() {
		return failed(http.StatusConflict, "LeaseIdMismatchWithLeaseOperation")
	}
	r.lease = lease{}
	return done(http.StatusOK, r)
}

func breakLease(c *call, r *resource) reply {
	state := r.lease.state(c.now)
	if state == "available" {
		return failed(http.StatusConflict, "LeaseNotPresentWithLeaseOperation")
	}
	end := r.lease.end
	if r.lease.infinite() {
		end = c.now
	}
	if p := c.header.Get("x-ms-lease-break-period"); p != "" {
		seconds, err := strconv.Atoi(p)
		if err != nil || seconds < 0 || seconds > 60 {
			return failed(http.StatusBadRequest, "InvalidHeaderValue")
		}
		if asked := c.now.Add(time.Duration(seconds) * time.Second); r.lease.infinite() || asked.Before(end) {
			end = asked
		}
	}
	r.lease.broken, r.lease.end = true, end
	left := max(0, end.Sub(c.now)/time.Second)
	return done(http.StatusAccepted, r).with("x-ms-lease-time", strconv.Itoa(int(left)))
}

// mayRead returns the code of the refusal of a read of r, or "".
func (c *call) mayRead(r *resource) string {
	id := c.leaseID()
	switch {
	case id == "":
		return c.conditions(r)
	case r.lease.id == "":
		return "LeaseNotPresentWith" + c.noun() + "Operation"
	case r.lease.id != id:
		return "LeaseIdMismatchWith" + c.noun() + "Operation"
	case !r.lease.locked(c.now):
		return "LeaseLost"
	}
	return c.conditions(r)
}

// mayWrite returns the code of the refusal of a write of r, or "". An accepted write without a
// lease ID forgets a lease that no longer locks.
func (c *call) mayWrite(r *resource) string {
	if c.leaseID() != "" {
		return c.mayRead(r)
	}
	if r.lease.locked(c.now) {
		return "LeaseIdMissing"
	}
	code := c.conditions(r)
	if code == "" && !c.isContainer() {
		r.lease = lease{}
	}
	return code
}
