package hold

import (
	"context"
	"errors"
	"time"
)

// keep renews the lease until ctx ends or the lease is lost, and reports the loss, whichever
// goroutine noticed it.
func (l *Lock) keep(ctx context.Context) {
	defer close(l.kept)
	defer func() {
		if cause := context.Cause(l.ctx); errors.Is(cause, ErrLost) {
			l.c.emit(EventLost, l.id, cause)
		}
	}()
	defer l.tries.Wait() // ctx has ended, and with it what is on its way
	last, next := l.renewal()
	for failures := 0; l.c.meter.sleepUntil(ctx, next); {
		err := l.renew(ctx)
		if ctx.Err() != nil {
			return
		}
		sent, due := l.renewal()
		if sent.after(last) {
			last, failures = sent, 0 // perhaps by a late answer to an earlier try
		}
		next = due
		if err != nil {
			failures++
			if soon := l.c.meter.now().add(l.c.rules.pause(l.length(), failures)); soon.after(next) {
				next = soon
			}
			l.c.emit(EventRenewFailed, l.id, err)
		}
	}
}

// renewal returns when the last successful request left, and when the next one is due.
func (l *Lock) renewal() (sent, due instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.sent.add(l.interval())
}

// length is the duration that paces renewal.
func (l *Lock) length() time.Duration {
	if l.o.Duration == Infinite {
		return 3 * infiniteRenewal
	}
	return l.o.Duration
}

func (l *Lock) interval() time.Duration { return renewAfter(l.length()) }

// renew sends a request to renew the lease. Without an answer in time it returns errNoAnswer, but
// the request goes on: a later answer counts as well, while the next try may find a better
// connection.
func (l *Lock) renew(ctx context.Context) error {
	answered := make(chan error, 1)
	l.tries.Go(func() { answered <- l.tryRenew(ctx, answerTimeout(l.length())) })
	patience, cancel := l.c.meter.within(ctx, tryTimeout(l.length()))
	defer cancel()
	select {
	case err := <-answered:
		return err
	case <-patience.Done():
		return context.Cause(patience)
	}
}

// tryRenew sends one request to renew the lease, waits for its answer as long as timeout, and takes
// it in.
func (l *Lock) tryRenew(ctx context.Context, timeout time.Duration) error {
	var r reply
	err := l.c.attempt(ctx, timeout, func(ctx context.Context) (err error) {
		r, err = l.c.grant(ctx, 0, func(ctx context.Context) (Grant, error) { return l.c.t.r.renew(ctx, l.id, nil) })
		return err
	})
	if l.take(r, err) {
		l.c.emit(EventRenewed, l.id, nil)
	}
	if reason, lost := l.c.rules.loss(err); lost && ctx.Err() == nil {
		l.lose(reason, err)
	}
	return err
}

// take takes in the answer to a renewal, and reports whether it prolonged the lock. Answers may
// overtake each other.
func (l *Lock) take(r reply, err error) bool {
	l.over() // an answer that comes after the deadline is no help
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.c.rules.anchor(r.sent, r.answered)
	if l.ended != nil || !from.after(l.sent) {
		return false
	}
	l.lastErr = err
	if err != nil {
		return false
	}
	l.sent, l.sentAt, l.atRisk = from, r.Sent, false
	l.deadline = from.add(l.o.Duration - l.o.Margin)
	return true
}

// watch runs at the thresholds of the lease, and at every tick between them.
func (l *Lock) watch() {
	if l.over() {
		return
	}
	now := l.c.meter.now()
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		return
	}
	risk := l.sent.add(riskAfter(l.o.Duration))
	alert := !l.atRisk && now.after(risk)
	l.atRisk = l.atRisk || alert
	err := l.lastErr
	l.alarm = l.c.meter.clock.afterFunc(max(0, min(l.deadline.sub(now), tick)), l.watch)
	l.mu.Unlock()
	if alert {
		l.c.emit(EventAtRisk, l.id, err)
	}
}

// over reports whether the lock has ended, and ends it if its deadline has come.
func (l *Lock) over() bool {
	now := l.c.meter.now()
	l.mu.Lock()
	ended, err := l.ended != nil, l.lastErr
	late := !ended && l.o.Duration != Infinite && !l.deadline.after(now)
	l.mu.Unlock()
	if late {
		l.lose(ReasonExpired, err)
	}
	return ended || late
}

// lose ends the lock because its lease is lost. The loop of keep reports the loss.
func (l *Lock) lose(reason Reason, err error) {
	l.mu.Lock()
	renewed := l.sentAt
	l.mu.Unlock()
	l.finish(&LostError{URL: l.c.t.String(), Reason: reason, Renewed: renewed, Err: err})
}
