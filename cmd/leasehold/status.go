package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment/reserve"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
)

// askTimeout bounds how long a command waits for the server to say how it is.
const askTimeout = 5 * time.Second

// maxAnswer is the longest answer that is read from a server, in bytes: a list of accounts is the
// largest part.
const maxAnswer = 1 << 20

// serverStatus is what a running server says about itself.
type serverStatus struct {
	build
	Started   time.Time         `json:"started"`
	Uptime    int64             `json:"uptime"` // seconds
	Data      string            `json:"data"`
	Dev       bool              `json:"dev"`
	Memory    bool              `json:"memory"` // nothing is kept on disk
	Addresses map[string]string `json:"addresses"`
	Accounts  []string          `json:"accounts"`
	Leases    int               `json:"leases"`
	Waiters   int               `json:"waiters"`
	DiskFree  uint64            `json:"diskFree"` // bytes
	Problem   string            `json:"problem,omitempty"`
}

// selfReport answers the commands status, health and clock of the same user on the control socket.
type selfReport struct {
	o        *serveOptions
	conf     *config.Live
	db       kv.DB
	segments *reserve.Store
	svc      *service.Service
	srv      *server.Server
	ends     *endpoints
	started  time.Time
	control  *datadir.Control
}

// handlers returns the handlers of the control socket.
func (s *selfReport) handlers() map[string]http.HandlerFunc {
	all := map[string]http.HandlerFunc{
		"GET /status": s.status,
		"GET /readyz": s.srv.OpsHandler().ServeHTTP,
	}
	if s.o.clock != nil {
		all["POST /clock"] = s.o.clock.handle
	}
	return all
}

func (s *selfReport) status(w http.ResponseWriter, r *http.Request) {
	out := serverStatus{
		build: thisBuild(), Started: s.started, Uptime: int64(time.Since(s.started) / time.Second), Data: s.o.data,
		Dev: s.o.dev, Memory: s.o.memory, Addresses: s.ends.named(), Accounts: s.conf.Accounts(), Waiters: s.svc.Waiting(),
	}
	slices.Sort(out.Accounts)
	out.DiskFree, _ = s.segments.Free()
	for _, c := range checksOf(s.db, s.segments) {
		if err := c.Run(r.Context()); err != nil {
			out.Problem = c.Name + ": " + err.Error()
		}
	}
	if err := s.countLeases(r.Context(), &out); err != nil {
		out.Problem = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a client that is gone needs no answer
}

// countLeases counts the leases in the index: those that are live, and those that ended and were
// not looked at since.
func (s *selfReport) countLeases(ctx context.Context, out *serverStatus) error {
	return s.db.View(ctx, func(r kv.Reader) error {
		for _, account := range out.Accounts {
			err := meta.WalkLeases(r, account, "", func(meta.LeaseEntry) (meta.Step, error) {
				out.Leases++
				return meta.Next, ctx.Err()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// named returns the addresses of the listeners by what they speak.
func (e *endpoints) named() map[string]string {
	all := map[string]string{}
	for name, l := range map[string]net.Listener{
		"http": e.plain, "https": e.secure, "website": e.website, "identity": e.managed, "authority": e.authority, "proxy": e.proxy, "ops": e.ops,
		"console": e.console,
	} {
		if l != nil {
			all[name] = l.Addr().String()
		}
	}
	return all
}

func newStatus() *cobra.Command {
	var data, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the running server: version, addresses, leases, waiting requests, free space",
		Example: `  leasehold status
  leasehold status --data /srv/leasehold -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s serverStatus
			if err := askServer(cmd.Context(), data, "GET", "/status", &s); err != nil {
				return err
			}
			return printStatus(cmd.OutOrStdout(), output, &s)
		},
	}
	dataFlag(cmd, &data)
	outputFlag(cmd, &output, "text", "json", "env")
	return cmd
}

// dataFlag adds the flag --data of commands that talk to a running server.
func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "data `folder` of the server; default: the folder of serve --dev")
}

// askServer sends a request to the server that runs on a data folder, and decodes its answer into v
// unless v is nil.
func askServer(ctx context.Context, data, method, path string, v any) error {
	folder, err := (&serveOptions{data: data, dev: true}).dataFolder()
	if err != nil {
		return err
	}
	state, err := readState(folder)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := datadir.Ask(ctx, state.Control, method, path, nil)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(body, v)
}

func printStatus(w io.Writer, form string, s *serverStatus) error {
	switch form {
	case "json":
		return printJSON(w, s)
	case "env":
		_, err := fmt.Fprintf(w, "LEASEHOLD_VERSION=%s\nLEASEHOLD_DATA=%s\nLEASEHOLD_LEASES=%d\nLEASEHOLD_WAITERS=%d\n",
			quote(s.Version), quote(s.Data), s.Leases, s.Waiters)
		return err
	}
	fmt.Fprintf(w, "%s\n", s.build)
	fmt.Fprintf(w, "running   %v, since %s\n", time.Duration(s.Uptime)*time.Second, s.Started.Local().Format("2006-01-02 15:04:05"))
	for _, name := range slices.Sorted(maps.Keys(s.Addresses)) {
		fmt.Fprintf(w, "%-9s %s\n", name, s.Addresses[name])
	}
	kept := s.Data
	if s.Memory {
		kept = "in memory only"
	}
	fmt.Fprintf(w, "data      %s, %d MiB free\n", kept, s.DiskFree>>20)
	fmt.Fprintf(w, "accounts  %s\n", strings.Join(s.Accounts, ", "))
	fmt.Fprintf(w, "leases    %d, %d requests waiting\n", s.Leases, s.Waiters)
	if s.Problem != "" {
		fmt.Fprintf(w, "problem   %s\n", s.Problem)
	}
	return nil
}

func newHealth() *cobra.Command {
	var data, ops string
	cmd := &cobra.Command{
		Use:   "health [URL]",
		Short: "Ask the running server whether it takes requests",
		Long: `Ask the running server whether it takes requests. Prints ok and exits with 0, or prints the
reason and exits with 1. It needs no shell, no other program and no key, so it can be the
health check of a container.

The server is found by its data folder, or by the address of --ops-listen.`,
		Example: `  leasehold health
  leasehold health --ops 127.0.0.1:9100
  leasehold health http://10.0.0.7:9100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := ops
			if len(args) == 1 {
				at = args[0]
			}
			var err error
			if at == "" {
				err = askServer(cmd.Context(), data, "GET", "/readyz", nil)
			} else {
				err = askReady(cmd.Context(), at)
			}
			if err != nil {
				return &exitError{exitUnhealthy, err}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().StringVar(&ops, "ops", "", "`address` of the server's --ops-listen")
	return cmd
}

// exitUnhealthy is the exit status of health if the server does not take requests.
const exitUnhealthy = 1

// askReady asks the ops listener at an address or URL.
func askReady(ctx context.Context, at string) error {
	if !strings.Contains(at, "://") {
		at = "http://" + at
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return usageError("%q is neither an address nor a URL", at)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return err
}
