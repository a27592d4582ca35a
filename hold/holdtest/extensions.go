package holdtest

import (
	"net/http"
	"strconv"
	"time"
)

// describe adds the extension headers of r to an answer, if the store offers them and the request
// asks.
func (s *Store) describe(c *call, r *resource, a *reply) {
	if !s.Extensions || c.header.Get("leasehold") == "" && c.header.Get("leasehold-wait") == "" {
		return
	}
	a.header.Set("x-ms-leasehold", "wait, epoch")
	if a.status < 300 && r.lease.id != "" {
		a.header.Set("x-ms-leasehold-epoch", strconv.FormatUint(r.epoch, 10))
	}
}

// waitFor answers an acquire of a lease that someone else holds: at once, or, if the caller is
// ready to wait, later. Unlike Leasehold the store does not serve those who wait in their order.
func (s *Store) waitFor(c *call, r *resource) reply {
	seconds, err := strconv.Atoi(c.header.Get("leasehold-wait"))
	if !s.Extensions || err != nil || seconds <= 0 {
		return failed(http.StatusConflict, "LeaseAlreadyPresent")
	}
	if c.waitEnd.IsZero() {
		c.waitEnd = c.now.Add(time.Duration(seconds) * time.Second)
	}
	if !c.now.Before(c.waitEnd) {
		return failed(http.StatusConflict, "LeaseAlreadyPresent")
	}
	until := c.waitEnd
	if !r.lease.infinite() && r.lease.end.Before(until) {
		until = r.lease.end
	}
	w := make(chan struct{})
	s.waiters[c.path] = append(s.waiters[c.path], w)
	return reply{wait: w, until: until, header: http.Header{}}
}

// pause waits until the resource may have changed: something was done to it, or a time has come.
func (c *call) pause(wait <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-wait:
	case <-timer.C:
	case <-c.req.Context().Done():
		return c.req.Context().Err()
	}
	return nil
}
