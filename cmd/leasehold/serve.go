package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/observe"
	"github.com/leasehold/leasehold/internal/segment/reserve"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// defaultListen is the address where clients expect an emulator.
const defaultListen = "127.0.0.1:10000"

type serveOptions struct {
	dev       bool
	devOwner  bool
	devSecret string // of the development principal; made at each start
	data      string
	listen    string
	config    string
	logLevel  string
	logFormat string
	drain     time.Duration
	sources   fetch.Options

	hosts                                        []string // additional host names that --dev answers under
	tlsListen, tlsCert, tlsKey                   string
	selfSigned, http2                            bool
	identityListen, authorityListen, proxyListen string
	webListen, opsListen                         string
	console                                      consoleOptions

	observe observeOptions

	memory      bool
	memoryLimit size
	clock       *stepClock // nil unless the clock of the data can be advanced
	containers  []string   // to create at the start
	seed        string     // folder of containers and blobs to create at the start
}

func newServe() *cobra.Command {
	o := &serveOptions{memoryLimit: 512 << 20}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server on one data folder.

With --dev the server listens on 127.0.0.1:10000, serves the account devstoreaccount1 with
its well-known key, and keeps its data between runs. It also speaks HTTPS, issues tokens
to local programs that know its secrets, and runs a proxy, so that after
eval "$(leasehold env)"  programs that use the default Azure credential reach it as
https://devstoreaccount1.blob.core.windows.net.

Without --dev no key is well known: configure accounts in LEASEHOLD_ACCOUNTS or in a file.

The configuration file, the key files and the certificate are reloaded when they change,
and on SIGHUP. If the new configuration is wrong, it is logged and the old one stays.`,
		Example: `  leasehold serve --dev
  leasehold serve --dev --data ./store --listen 127.0.0.1:0
  LEASEHOLD_ACCOUNTS="acct:$(head -c 64 /dev/urandom | base64 -w0)" leasehold serve --data /srv/leasehold --listen 0.0.0.0:10000

A configuration file for --config is printed by  leasehold config example`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// addFlags adds the flags of serve.
func (o *serveOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.dev, "dev", false, "serve the development account, devstoreaccount1, with its well-known key")
	f.StringVar(&o.data, "data", "", "data `folder`; required, except with --dev")
	f.StringVar(&o.listen, "listen", defaultListen, "`address` for plain HTTP, or off; port 0 picks a free port")
	f.StringSliceVar(&o.hosts, "allow-host", nil, "with --dev, also answer under this host `name`; * for any name")
	f.StringVar(&o.config, "config", "", "configuration `file` with accounts")
	f.BoolVar(&o.devOwner, "dev-owner", false, "with --dev, give the development principal the role Storage Blob Data Owner")
	f.StringVar(&o.tlsListen, "tls-listen", "", "`address` for HTTPS, or off")
	f.StringVar(&o.tlsCert, "tls-cert", "", "`file` with the certificate chain (PEM)")
	f.StringVar(&o.tlsKey, "tls-key", "", "`file` with the key of the certificate (PEM)")
	f.BoolVar(&o.selfSigned, "tls-self-signed", false, "issue a certificate from a local authority in the data folder")
	f.BoolVar(&o.http2, "http2", false, "also offer HTTP/2 over TLS, which the real service does not; metadata names become lower case")
	f.StringVar(&o.webListen, "web-listen", "", "`address` for the static website of devstoreaccount1 (--dev) or the only account, over plain HTTP, or off")
	f.StringVar(&o.identityListen, "identity-listen", "", "loopback `address` of the managed-identity endpoint, or off")
	f.StringVar(&o.authorityListen, "authority-listen", "", "`address` of the OAuth authority, which speaks HTTPS, or off")
	f.StringVar(&o.proxyListen, "proxy-listen", "", "loopback `address` of the proxy for public names, or off")
	f.StringVar(&o.opsListen, "ops-listen", "", "`address` for /metrics, /livez, /readyz, /healthz and /debug/pprof/; nobody is asked for a key there")
	f.BoolVar(&o.memory, "memory", false, "with --dev, keep everything in memory; it is gone when the server stops")
	f.Var(&o.memoryLimit, "memory-limit", "with --memory, the bytes that blobs over 8 KiB may take together")
	f.StringSliceVar(&o.containers, "create-container", nil, "with --dev, create a container of this `name` at the start, unless it exists; also "+createVariable+"=a,b")
	f.StringVar(&o.seed, "seed", "", "with --dev, a `folder` whose folders and files become containers and blobs at the start, unless they exist")
	f.DurationVar(&o.drain, "drain", server.DefaultDrain, "how long uploads and downloads may continue after SIGTERM; leases can be renewed meanwhile")
	o.observe.flags(f)
	o.console.flags(f)
	f.StringVar(&o.logLevel, "log-level", "info", "least severe records to log: debug, info, warn, error")
	f.StringVar(&o.logFormat, "log-format", "text", "log format: text, json")
	f.BoolVar(&o.sources.AllowPrivate, "allow-private-copy-sources", false,
		"let copies read from private and loopback addresses")
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, o *serveOptions, out io.Writer) error {
	log, err := newLog(o)
	if err != nil {
		return err
	}
	if err := o.checkDevelopment(); err != nil {
		return err
	}
	if err := o.checkAccounts(); err != nil {
		return err
	}
	if o.data, err = o.dataFolder(); err != nil {
		return err
	}
	tuneRuntime()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := engines
	if o.memory {
		o.clock = &stepClock{}
		e = memoryEngines(o.clock, int64(o.memoryLimit))
	}
	s, err := datadir.Open(ctx, o.data, e, datadir.KVOptions{Log: log, OnFatal: func(err error) { cancel(fatalError{err}) }})
	if err != nil {
		return folderStatus(err)
	}
	defer s.Close()
	if err := o.run(ctx, s, log, out); err != nil {
		var e *exitError
		if errors.As(err, &e) {
			return err
		}
		return &exitError{exitInternal, err}
	}
	var fatal fatalError
	if errors.As(context.Cause(ctx), &fatal) {
		return &exitError{exitInternal, fmt.Errorf("the store failed; fix the cause and restart: %w", fatal.error)}
	}
	return nil
}

// folderStatus adds the exit status to a failure to open a data folder.
func folderStatus(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &exitError{exitNotPermitted, err}
	}
	return &exitError{exitNoFolder, err}
}

// fatalError is the cause for which the server stops itself.
type fatalError struct{ error }

// checkDevelopment refuses flags that are for development only.
func (o *serveOptions) checkDevelopment() error {
	switch {
	case o.dev && (o.seed == "" && len(o.containersWanted()) == 0 || o.listen != off):
		return nil
	case o.dev:
		return usageError("--create-container and --seed need plain HTTP: name an address with --listen")
	case o.memory:
		return usageError("--memory is for development: use it with --dev")
	case o.seed != "" || len(o.containers) > 0:
		return usageError("--create-container and --seed are for development: use them with --dev")
	}
	return nil
}

// checkAccounts fails if no account is configured. It runs before anything is opened.
func (o *serveOptions) checkAccounts() error {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("--tls-cert and --tls-key must be given together")
	}
	file, err := config.Read(o.config)
	if err != nil {
		return err
	}
	accounts, err := file.All(o.dev)
	if err == nil && len(accounts) == 0 {
		err = config.ErrNoAccounts
	}
	return err
}

func (o *serveOptions) run(ctx context.Context, s *datadir.Store, log *slog.Logger, out io.Writer) error {
	o.devSecret = config.NewSecret()
	conf, err := config.New(o.configuration(), log)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	segments := reserve.New(s.Segments, o.freeSpace(s.Path()))
	addressing := &wire.Addressing{IsAccount: func(name string) bool { return conf.Account(name) != nil }}
	var listening []netip.AddrPort // known before the first request
	watch, err := o.observe.watch(log)
	if err != nil {
		return err
	}
	defer watch.Close()
	svc := service.New(service.Options{
		DB:       watch.Timed(s.DB),
		Segments: segments,
		Accounts: conf.Account,
		Trust:    conf.Trust,
		Features: conf.Features,
		Random:   rand.Reader,
		Log:      log,

		Addressing: addressing,
		Listening:  func() []netip.AddrPort { return listening },
		Sources:    o.sources,
		WaitEnded:  watch.WaitEnded,
		Journal:    watch.Journal,
	})
	addressing.DefaultVersion = svc.DefaultVersion
	if o.dev {
		addressing.Serves = o.servedHost()
	}
	websites := &wire.Addressing{IsAccount: addressing.IsAccount, Site: conf.Site, Serves: addressing.Serves}
	srv := server.New(svc.Serve, &server.Options{
		Addressing: addressing, Websites: websites, Log: log, Checks: checksOf(s.DB, segments), MaxConnections: maxConnections(),
		Drain: max(o.drain, time.Nanosecond), AccessLog: watch.AccessLog(), Ended: watch.Ended(),
		Stopping: stopping(log, svc),
	})
	watchStore(srv.Registerer(), s.DB, segments)
	watch.Register(srv.Registerer(), observe.Watched{Service: svc, Store: s, Segments: segments, Config: conf})
	ends, err := open(o, conf, log)
	if err != nil {
		return err
	}
	defer ends.Close()
	listening = ends.addresses()
	self := &selfReport{o: o, conf: conf, db: s.DB, segments: segments, svc: svc, srv: srv, ends: ends, started: time.Now()}
	go s.Sweep(ctx, log)
	go conf.Watch(ctx)
	go watch.Run(ctx)
	go svc.KeepJournal(ctx, conf.Accounts())
	opsCtx, stopOps := context.WithCancel(context.WithoutCancel(ctx))
	var ops sync.WaitGroup
	ops.Go(func() { serveOps(opsCtx, srv, ends.ops, log) })
	defer ops.Wait() // before its listener is closed
	defer stopOps()
	log.Info("starting", "version", thisBuild().Version, "commit", thisBuild().Commit, "data", o.data, "memory", o.memory,
		"accounts", len(conf.Accounts()), "listeners", self.ends.named())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ends.all()...) }()
	err = o.ready(ctx, s, self, out)
	if err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	defer datadir.RemoveState(o.data)
	defer self.control.Close()
	tellManager(log, "READY=1")
	return <-served
}

// freeSpace returns a function that measures the space for bodies. A store in memory has a limit of
// its own.
func (o *serveOptions) freeSpace(path string) func() (uint64, error) {
	if o.memory {
		return func() (uint64, error) { return math.MaxInt64, nil }
	}
	return reserve.OnDisk(path)
}

// ready prepares a server that already takes requests, and tells the user and other commands about
// it.
func (o *serveOptions) ready(ctx context.Context, s *datadir.Store, self *selfReport, out io.Writer) (err error) {
	if self.ends.plain != nil && o.dev {
		if err := o.prepare(ctx, reach(self.ends.plain)); err != nil {
			return err
		}
	}
	link, err := o.serveConsole(self)
	if err != nil {
		return err
	}
	handlers := self.handlers()
	handlers["POST /console-link"] = link.serve
	if self.control, err = s.ServeControl(handlers); err != nil {
		return err
	}
	state := stateOf(o, self.ends)
	state.Control = self.control.Path
	if err := datadir.WriteState(o.data, state); err != nil {
		self.control.Close()
		return err
	}
	announce(out, o, self.ends)
	link.announce(out)
	return nil
}

// configuration returns the options of the configuration.
func (o *serveOptions) configuration() *config.Options {
	return &config.Options{
		File: o.config, Data: o.data, TLSCert: o.tlsCert, TLSKey: o.tlsKey,
		Dev: o.dev, DevOwner: o.devOwner, DevSecret: o.devSecret, Issues: o.issues(),
	}
}

// announce prints that the server is ready and how to reach it.
func announce(out io.Writer, o *serveOptions, e *endpoints) {
	var urls []string
	if e.plain != nil {
		urls = append(urls, "http://"+e.plain.Addr().String())
	}
	if e.secure != nil {
		urls = append(urls, "https://"+e.secure.Addr().String())
	}
	where := "data in " + o.data
	if o.memory {
		where = "data in memory only, gone when the server stops"
	}
	fmt.Fprintf(out, "leasehold ready on %s, %s\n", strings.Join(urls, " and "), where)
	if e.ops != nil {
		fmt.Fprintf(out, "metrics on http://%s/metrics, health on http://%[1]s/healthz\n", e.ops.Addr())
	}
	if o.dev && e.plain != nil {
		fmt.Fprintf(out, "connection string: %s\n", devConnection(e.plain.Addr().String()))
	}
	if e.secure != nil && e.trust.CA != "" {
		fmt.Fprintf(out, "certificate of the local authority: %s; use it with curl --cacert, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS\n", quote(e.trust.CA))
	}
	if e.website != nil {
		fmt.Fprintf(out, "static website on http://%s/\n", e.website.Addr())
	}
	if o.dev && e.proxy != nil && e.secure != nil {
		fmt.Fprintf(out, "for programs with the default Azure credential: eval \"$(leasehold env --data %s)\"\n", quote(o.data))
	}
}

// devConnection returns the connection string of the development account.
func devConnection(address string) string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;",
		config.DevAccount, config.DevKey, address, config.DevAccount)
}

// dataFolder returns the data folder to use.
func (o *serveOptions) dataFolder() (string, error) {
	switch {
	case o.data != "":
		return filepath.Abs(o.data)
	case !o.dev:
		return "", errors.New("no data folder: name one with --data DIR")
	}
	if base := os.Getenv("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "leasehold", "dev"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no default data folder: %w; name one with --data DIR", err)
	}
	return filepath.Join(home, ".local", "share", "leasehold", "dev"), nil
}

func newLog(o *serveOptions) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %q is none of debug, info, warn, error", o.logLevel)
	}
	handler := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(o.logFormat) {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, handler)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, handler)), nil
	}
	return nil, fmt.Errorf("--log-format: %q is neither text nor json", o.logFormat)
}
