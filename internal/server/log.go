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

// log writes the one record of a request, to the log and to the access log.
func (s *Server) log(r *wire.Request, took time.Duration) {
	level, ctx := levelOf(r), context.Background()
	logged := s.o.Log.Enabled(ctx, level)
	if !logged && s.o.AccessLog == nil {
		return
	}
	attributes := attributesOf(r, took)
	if logged {
		s.o.Log.LogAttrs(ctx, level, "request", attributes...)
	}
	if s.o.AccessLog != nil {
		s.o.AccessLog.LogAttrs(ctx, max(level, slog.LevelInfo), "request", attributes...)
	}
}

// shownLease is how many characters of a lease ID the log shows: enough to recognize a lease, too
// few to use it.
const shownLease = 8

// attributesOf returns the attributes of the record of a request. They hold no query, and of the
// headers only the client's ID of the request and the beginning of a lease ID, so that no signature
// and no key can get into the log.
func attributesOf(r *wire.Request, took time.Duration) []slog.Attr {
	status, code := outcomeOf(r)
	attributes := make([]slog.Attr, 0, 20)
	attributes = append(attributes,
		slog.String("operation", r.Operation),
		slog.String("method", r.Method),
		slog.Int("status", status),
		slog.Duration("duration", took.Round(time.Microsecond)),
		slog.String("account", r.Account),
		slog.String("container", r.Container),
		slog.String("blob", r.Blob),
		slog.String("principal", r.Principal),
		slog.String("address", r.RemoteAddr),
		slog.String("request_id", r.ID),
	)
	if r.Waited > 0 {
		attributes = append(attributes, slog.Duration("waited", r.Waited.Round(time.Microsecond)))
	}
	if id := r.Header.Get("X-Ms-Lease-Id"); id != "" {
		attributes = append(attributes, slog.String("lease", id[:min(len(id), shownLease)]))
	}
	if r.PartOf != nil {
		attributes = append(attributes, slog.String("batch", r.PartOf.ID))
	}
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" {
		attributes = append(attributes, slog.String("client_request_id", id[:min(len(id), 128)]))
	}
	attributes = append(attributes, slog.Int64("received", r.BodyRead()), slog.Int64("sent", r.Sent))
	if f := r.Failure; f != nil {
		attributes = append(attributes, slog.String("code", string(code)))
		if cause(f) != nil {
			attributes = append(attributes, slog.String("cause", withoutQueries(f.Cause.Error())))
		}
	}
	return attributes
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
	case deliberate(f), clientGone(r), errors.Is(f.Cause, os.ErrDeadlineExceeded):
		return slog.LevelDebug // a stalled client is no failure of the server either
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

// deliberate reports whether a failure is a refusal that the server has decided on, such as
// ServerBusy, and not an error that it has met.
func deliberate(f *fault.Error) bool { return cause(f) == nil && f.Code != fault.InternalError }

// clientGone reports whether a request failed because its client hung up.
func clientGone(r *wire.Request) bool {
	if r.Failure.Status < http.StatusInternalServerError || deliberate(r.Failure) {
		return false
	}
	if r.Context().Err() != nil {
		return true
	}
	var op *net.OpError
	answering := r.Status != 0 && r.Status < http.StatusInternalServerError
	return answering && errors.As(r.Failure.Cause, &op) && (op.Op == "write" || op.Op == "readfrom")
}
