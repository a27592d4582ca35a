package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// log writes the one record of a request. It holds no query and no header but the client's ID of
// the request, so that no signature and no key can get into it.
func (s *Server) log(r *wire.Request, took time.Duration) {
	level := levelOf(r)
	if !s.o.Log.Enabled(context.Background(), level) {
		return
	}
	attributes := make([]slog.Attr, 0, 12)
	attributes = append(attributes,
		slog.String("operation", r.Operation),
		slog.String("method", r.Method),
		slog.Int("status", r.Status),
		slog.Duration("duration", took.Round(time.Microsecond)),
		slog.String("account", r.Account),
		slog.String("container", r.Container),
		slog.String("request_id", r.ID),
	)
	if r.PartOf != nil {
		attributes = append(attributes, slog.String("batch", r.PartOf.ID))
	}
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" {
		attributes = append(attributes, slog.String("client_request_id", id[:min(len(id), 128)]))
	}
	attributes = append(attributes, slog.Int64("received", r.BodyRead()), slog.Int64("sent", r.Sent))
	if f := r.Failure; f != nil {
		attributes = append(attributes, slog.String("code", string(f.Code)))
		if cause(f) != nil {
			attributes = append(attributes, slog.String("cause", withoutQueries(f.Cause.Error())))
		}
	}
	s.o.Log.LogAttrs(context.Background(), level, "request", attributes...)
}

// withoutQueries cuts the queries out of the URLs in a text, because a query may hold a signature.
func withoutQueries(text string) string {
	return queries.ReplaceAllString(text, "?...")
}

// queries matches the query of a URL in a text.
var queries = regexp.MustCompile("\\?[^\\s\"'`<>]+")

// levelOf picks the log level of a request: error for a failure of the server, debug for everything
// else. Contention for a lease is normal and is never logged above debug.
func levelOf(r *wire.Request) slog.Level {
	f := r.Failure
	switch {
	case f == nil || f.Status < http.StatusInternalServerError:
		return slog.LevelDebug
	case cause(f) == nil && f.Code != fault.InternalError:
		return slog.LevelDebug // a deliberate refusal, such as ServerBusy
	case clientsDoing(r):
		return slog.LevelDebug
	}
	return slog.LevelError
}

// cause returns the error behind a failure if it says more than the code.
func cause(f *fault.Error) error {
	if f.Cause == error(f.Code) {
		return nil
	}
	return f.Cause
}

// clientsDoing reports whether a request failed because the client went away or stalled.
func clientsDoing(r *wire.Request) bool {
	if r.Context().Err() != nil || errors.Is(r.Failure.Cause, os.ErrDeadlineExceeded) {
		return true
	}
	var op *net.OpError
	answering := r.Status != 0 && r.Status < http.StatusInternalServerError
	return answering && errors.As(r.Failure.Cause, &op) && (op.Op == "write" || op.Op == "readfrom")
}
