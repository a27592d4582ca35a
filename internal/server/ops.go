package server

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of the server's health.
type Check struct {
	Name string
	Run  func(context.Context) error
	// Vital checks fail /livez and /readyz too: without them nothing can be served. A check that
	// is not vital, such as of free disk space, fails /healthz only.
	Vital bool
}

// result is the outcome of a check, as /healthz?verbose shows it.
type result struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Vital bool   `json:"vital"`
	Error string `json:"error,omitempty"`
}

// OpsHandler answers the people and programs that run the server. It needs a listener of its own,
// because any path of the protocol may be a blob. GET /metrics has the metrics in the form of
// Prometheus, and /debug/pprof/ the profiles of package runtime/pprof, which show nothing of what
// is stored. Health has three paths, each 200 or 503:
//
//   - /livez: the process answers and the vital checks pass. If not, a restart may help.
//   - /readyz: also, the listeners are up and the server is not stopping: send traffic.
//   - /healthz: all of these and every other check; 503 has the reason. With ?verbose it lists
//     the checks as JSON.
func (s *Server) OpsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { answerHealth(w, s.health(r.Context(), vital)) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answerHealth(w, s.health(r.Context(), vital, serving)) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		all := s.health(r.Context(), vital, serving, others)
		if r.URL.Query().Has("verbose") {
			listHealth(w, all)
			return
		}
		answerHealth(w, all)
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// checks is a group of checks.
type checks int

const (
	vital   checks = iota // Options.Checks that are vital
	serving               // that the server takes requests
	others                // Options.Checks that are not vital
)

// The health of a server that does not take requests.
var (
	errStarting = errors.New("starting")
	errStopping = errors.New("stopping")
)

// health runs groups of checks.
func (s *Server) health(ctx context.Context, groups ...checks) (all []result) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	add := func(c Check, err error) {
		r := result{Name: c.Name, OK: err == nil, Vital: c.Vital}
		if err != nil {
			r.Error = err.Error()
		}
		all = append(all, r)
	}
	for _, g := range groups {
		if g == serving {
			add(Check{Name: "serving"}, s.takesRequests())
			continue
		}
		for _, c := range s.o.Checks {
			if c.Vital == (g == vital) {
				add(c, c.Run(ctx))
			}
		}
	}
	return all
}

// takesRequests returns the reason why the server does not take requests; nil if it does.
func (s *Server) takesRequests() error {
	switch {
	case s.stopping.Load():
		return errStopping
	case !s.serving.Load():
		return errStarting
	}
	return nil
}

// answerHealth answers with the first check that failed, else with "ok".
func answerHealth(w http.ResponseWriter, all []result) {
	for _, r := range all {
		if !r.OK {
			http.Error(w, r.Name+": "+r.Error, http.StatusServiceUnavailable)
			return
		}
	}
	w.Write([]byte("ok\n"))
}

// listHealth answers with all checks as JSON.
func listHealth(w http.ResponseWriter, all []result) {
	status := http.StatusOK
	for _, r := range all {
		if !r.OK {
			status = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		OK     bool     `json:"ok"`
		Checks []result `json:"checks"`
	}{status == http.StatusOK, all})
}

// ServeOps serves OpsHandler on a listener until ctx ends. The context may end later than the one
// of Serve, so that the stop can be watched. It closes the listener.
func (s *Server) ServeOps(ctx context.Context, l net.Listener) error {
	ops := &http.Server{Handler: s.OpsHandler(), ReadHeaderTimeout: headTimeout, ReadTimeout: opsTimeout, WriteTimeout: opsTimeout}
	stop := context.AfterFunc(ctx, func() { ops.Close() })
	defer stop()
	if err := ops.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
