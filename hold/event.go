package hold

import (
	"context"
	"log/slog"
)

// EventKind is what happened to a lock: one word, which stays the same from version to version, so
// that it can label a metric.
type EventKind string

// The kinds of events. Being refused is no event: it is an answer to the caller.
const (
	EventWaiting     EventKind = "waiting"      // someone else holds the lease; sent once per wait
	EventAcquired    EventKind = "acquired"     // the lock is held
	EventRenewed     EventKind = "renewed"      // and will be for another duration
	EventRenewFailed EventKind = "renew-failed" // it will be tried again soon
	EventAtRisk      EventKind = "at-risk"      // two thirds of the duration are over without a renewal
	EventLost        EventKind = "lost"         // the context has ended
	EventReleased    EventKind = "released"
	EventHandedOff   EventKind = "handed-off"
	// EventReleaseFailed: the lease could not be given up, and will end by itself if it is finite.
	EventReleaseFailed EventKind = "release-failed"
)

// Event is something that happened to a lock.
type Event struct {
	Kind EventKind
	URL  string // of the target, without its query
	ID   ID     // of the lease
	Err  error  // of a failure or a loss
}

func (c *Client) emit(kind EventKind, id ID, err error) {
	if c.log != nil {
		level := slog.LevelDebug
		switch kind {
		case EventRenewFailed, EventAtRisk, EventLost, EventReleaseFailed:
			level = slog.LevelWarn
		}
		attrs := []slog.Attr{slog.String("target", c.t.String())}
		if err != nil {
			attrs = append(attrs, slog.String("error", firstLine(err)))
		}
		c.log.LogAttrs(context.Background(), level, "lease "+string(kind), attrs...)
	}
	if c.onEvent != nil {
		c.onEvent(Event{kind, c.t.String(), id, err})
	}
}
