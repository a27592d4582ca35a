// Package server runs the protocol on the network: listeners, limits, logging, metrics, health and
// the graceful stop. The handler decides what a request means.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// Options configures a Server. Every field is optional.
type Options struct {
	// Addressing says which hosts carry the account in their name.
	Addressing *wire.Addressing
	// Websites is the Addressing of requests to listeners of Website; nil stands for Addressing.
	Websites *wire.Addressing
	// Log gets one record for each request: at error level if the server failed, else at debug
	// level. nil discards the records.
	Log *slog.Logger
	// MaxRequests is how many requests are served at once; 0 stands for DefaultMaxRequests.
	MaxRequests int
	// MaxConnections is how many connections may be open; 0 stands for DefaultMaxConnections. When
	// another arrives, the longest-idle connection is closed.
	MaxConnections int
	// Drain is how long active requests may go on after the context of Serve has ended; 0 stands
	// for DefaultDrain.
	Drain time.Duration
	// Stopping, if not nil, is called when the context of Serve has ended. It must end the requests
	// that wait in the handler.
	Stopping func()
	// Checks are further conditions of the server's health.
	Checks []Check
	// AccessLog, if not nil, gets a record for each request, whatever the level of Log.
	AccessLog *slog.Logger
	// Ended, if not nil, is called with each request that has ended, and with each part of a batch.
	Ended func(*wire.Request)
	// Now is the clock that requests are stamped with; nil stands for time.Now.
	Now func() time.Time
}

// Server gives every request an ID and a time, and hands it to its handler. It is an http.Handler
// as well, for use without a socket.
type Server struct {
	handler  func(*wire.Request)
	o        Options
	active   atomic.Int64
	early    atomic.Int64  // active requests that began before the server was told to stop
	drained  chan struct{} // gets a value when the last early request has ended
	serving  atomic.Bool   // the listeners are up
	stopping atomic.Bool
	refused  refusals
	limiter  connLimiter

	dismissed refusals // connections
	metrics   *metrics
	http      *http.Server
}

// New returns a server. The handler answers every request it is given; it may be called from many
// goroutines.
func New(handler func(*wire.Request), o *Options) *Server {
	s := &Server{handler: handler, drained: make(chan struct{}, 1)}
	if o != nil {
		s.o = *o
	}
	if s.o.Log == nil {
		s.o.Log = slog.New(slog.DiscardHandler)
	}
	if s.o.MaxRequests == 0 {
		s.o.MaxRequests = DefaultMaxRequests
	}
	if s.o.MaxConnections == 0 {
		s.o.MaxConnections = DefaultMaxConnections
	}
	s.limiter.limit = s.o.MaxConnections
	if s.o.Drain == 0 {
		s.o.Drain = DefaultDrain
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	s.metrics = newMetrics(func() float64 { return float64(s.active.Load()) })
	s.http = &http.Server{
		Handler:                      s,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		HTTP2:                        http2Limits(),
		ConnState:                    s.follow,
		ConnContext:                  withConn,
		ErrorLog:                     slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on the listeners until ctx ends. Then active requests may go on for Options.Drain;
// while one does, Serve answers new requests as before, so that leases can be renewed. At last it
// closes the listeners, cuts off the requests that are left a moment later, and returns nil. An
// error means that a listener failed. Serve may be called once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	told := ctx
	base := context.WithoutCancel(ctx)
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{}, len(listeners))
	for _, l := range listeners {
		s.negotiate(l)
		go func() {
			if err := s.http.Serve(listener{l}); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("listening on %v: %w", l.Addr(), err))
			}
			done <- struct{}{}
		}()
	}
	s.serving.Store(true)
	<-ctx.Done()
	failure := context.Cause(ctx)
	if told.Err() != nil {
		failure = nil // the cause is then the caller's own, such as a signal
	}
	s.stopping.Store(true)
	s.stop(base)
	for range listeners {
		<-done
	}
	return failure
}

// stop waits for active requests, then cuts off the rest.
func (s *Server) stop(base context.Context) {
	if s.o.Stopping != nil {
		s.o.Stopping()
	}
	if s.early.Load() > 0 {
		drain := time.NewTimer(s.o.Drain)
		defer drain.Stop()
		select {
		case <-s.drained:
		case <-drain.C:
		}
	}
	last, cancel := context.WithTimeout(base, lastRequests)
	defer cancel()
	if err := s.http.Shutdown(last); err != nil {
		if n := s.active.Load(); n > 0 {
			s.o.Log.Warn("requests cut off", "active", n, "after", s.o.Drain)
		}
		s.http.Close()
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, raw *http.Request) {
	received := s.o.Now()
	c := connOf(raw)
	if c != nil {
		c.serving.Store(true)
		if c.peer != nil {
			defer c.peer.serving.Add(-1)
			c.peer.serving.Add(1)
		}
		if len(raw.TransferEncoding) > 0 && c.head.ambiguous() {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	if raw.ProtoMajor == 2 {
		w = guard(w, raw)
	}
	addressing := s.o.Addressing
	if c != nil && c.website {
		addressing = cmp.Or(s.o.Websites, addressing)
	}
	r, err := wire.NewRequest(w, raw, received, addressing)
	if c != nil && raw.ProtoMajor == 1 {
		r.MetaNames, r.Failing, r.BoundBody = c.metaNames, c.failed, c.boundBody
	}
	r.NotePart = s.record
	early := !s.stopping.Load()
	if early {
		s.early.Add(1)
	}
	defer s.finish(r, early)
	switch active := s.active.Add(1); {
	case active > int64(s.o.MaxRequests), s.crowdsOut(c):
		s.refuse(r)
	case err != nil:
		wire.WriteError(r, err)
	default:
		s.handler(r)
	}
}

// crowdsOut reports whether the address of a connection has more active requests than one address
// may have.
func (s *Server) crowdsOut(c *conn) bool {
	return c != nil && c.peer != nil && c.peer.serving.Load() > int64(s.limiter.limit-s.limiter.limit/peerReserve)
}

// finish ends a request, even if its handler panicked. early means that the request began before
// the server was told to stop.
func (s *Server) finish(r *wire.Request, early bool) {
	s.active.Add(-1)
	if early && s.early.Add(-1) == 0 && s.stopping.Load() {
		select {
		case s.drained <- struct{}{}:
		default:
		}
	}
	p := recover()
	if p == nil {
		s.note(r)
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	cause := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if r.Status != 0 {
		r.Failure, _ = fault.Of(cause)
		s.note(r)
		panic(http.ErrAbortHandler) // the answer has begun and will not be complete
	}
	wire.WriteError(r, cause)
	s.note(r)
}

// note counts and logs a request that has ended.
func (s *Server) note(r *wire.Request) {
	s.record(r, s.o.Now().Sub(r.Received))
}

// record counts and logs a request, which may have been a part of another one.
func (s *Server) record(r *wire.Request, took time.Duration) {
	s.metrics.count(r, took)
	s.log(r, took)
	if s.o.Ended != nil {
		s.o.Ended(r)
	}
}

// refuse answers a request with ServerBusy because too many are active.
func (s *Server) refuse(r *wire.Request) {
	wire.WriteError(r, &fault.Error{Code: fault.ServerBusy, Header: []fault.Detail{{Name: "Retry-After", Value: retryAfter}}})
	if n := s.refused.count(r.Received); n > 0 {
		s.o.Log.Warn("requests refused because too many were active", "refused", n, "limit", s.o.MaxRequests)
	}
}

// refusals counts refused requests or connections and reports them at most once a second.
type refusals struct {
	second atomic.Int64
	n      atomic.Int64
}

// count adds one; it returns how many there were since the last report if it is time for one, else
// 0.
func (r *refusals) count(now time.Time) int64 {
	r.n.Add(1)
	second, last := now.Unix(), r.second.Load()
	if second == last || !r.second.CompareAndSwap(last, second) {
		return 0
	}
	return r.n.Swap(0)
}
