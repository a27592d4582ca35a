package hold

import (
	"context"
	"errors"
	"time"
)

// keep renews the lease until ctx ends or the lease is lost, and tells of a loss, whoever found it out.
func (l *Lock) keep(ctx context.Context) {
	defer close(l.kept)
	defer func() {
		if cause := context.Cause(l.ctx); errors.Is(cause, ErrLost) {
			l.c.emit(EventLost, l.id, cause)
		}
	}()
	l.mu.Lock()
	next := l.sent.add(l.interval())
	l.mu.Unlock()
	for failures := 0; l.c.meter.sleepUntil(ctx, next); {
		err := l.renew(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
			l.c.emit(EventRenewed, l.id, nil)
			l.mu.Lock()
			next = l.sent.add(l.interval())
			l.mu.Unlock()
			continue
		}
		if reason, lost := l.c.rules.loss(err); lost {
			l.lose(reason, err)
			return
		}
		failures++
		next = l.c.meter.now().add(l.c.rules.pause(l.length(), failures))
		l.c.emit(EventRenewFailed, l.id, err)
	}
}

// length is the duration that paces renewal.
func (l *Lock) length() time.Duration {
	if l.o.Duration == Infinite {
		return 3 * infiniteRenewal
	}
	return l.o.Duration
}

func (l *Lock) interval() time.Duration { return renewAfter(l.length()) }

// renew tries once to renew the lease.
func (l *Lock) renew(ctx context.Context) error {
	var r reply
	err := l.c.attempt(ctx, tryTimeout(l.length()), func(ctx context.Context) (err error) {
		r, err = l.c.grant(ctx, 0, func(ctx context.Context) (Grant, error) { return l.c.t.r.renew(ctx, l.id, nil) })
		return err
	})
	l.over() // an answer that comes after the deadline is no help
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastErr = err
	if from := l.c.rules.anchor(r.sent, r.answered); err == nil && from.after(l.sent) && l.ended == nil {
		l.sent, l.sentAt, l.atRisk = from, r.Sent, false
		l.deadline = from.add(l.o.Duration - l.o.Margin)
	}
	return err
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

// lose ends the lock because its lease is lost. The loop of keep tells of it.
func (l *Lock) lose(reason Reason, err error) {
	l.mu.Lock()
	renewed := l.sentAt
	l.mu.Unlock()
	l.finish(&LostError{URL: l.c.t.String(), Reason: reason, Renewed: renewed, Err: err})
}
