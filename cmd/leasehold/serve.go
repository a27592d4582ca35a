package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/fetch"
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

	observe observeOptions
}

func newServe() *cobra.Command {
	o := &serveOptions{}
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

A configuration file for --config:

  [[account]]
  name = "acct"
  key-files = ["/run/secrets/acct-key"]
  versioning = true               # also: container-retention-days, immutability, expiry, page-blob-tiers

  [[principal]]
  name = "worker"
  id = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0001"
  client-id = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0002"
  secret-files = ["/run/secrets/worker"]

  [[principal]]                   # gets its tokens from another issuer
  name = "guest"
  id = "7c2c1a5e-6d52-4f6f-9d3c-0b6c5a1f0003"
  issuer = "https://sts.windows.net/<tenant>/"

  [[role-assignment]]
  principal = "worker"
  role = "Storage Blob Data Contributor"
  scope = "acct/locks"

  [[issuer]]
  name = "https://sts.windows.net/<tenant>/"
  authorization-uri = "https://login.microsoftonline.com/<tenant>/oauth2/authorize"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
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
	f.DurationVar(&o.drain, "drain", server.DefaultDrain, "how long uploads and downloads may continue after SIGTERM; leases can be renewed meanwhile")
	o.observe.flags(f)
	f.StringVar(&o.logLevel, "log-level", "info", "least severe records to log: debug, info, warn, error")
	f.StringVar(&o.logFormat, "log-format", "text", "log format: text, json")
	f.BoolVar(&o.sources.AllowPrivate, "allow-private-copy-sources", false,
		"let copies read from private and loopback addresses")
	return cmd
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, o *serveOptions, out io.Writer) error {
	log, err := newLog(o)
	if err != nil {
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
	s, err := datadir.Open(ctx, o.data, engines, datadir.KVOptions{Log: log, OnFatal: func(err error) { cancel(fatalError{err}) }})
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
	segments := reserve.New(s.Segments, reserve.OnDisk(s.Path()))
	addressing := &wire.Addressing{IsAccount: func(name string) bool { return conf.Account(name) != nil }}
	var listening []netip.AddrPort // known before the first request
	watch, err := newWatch(&o.observe)
	if err != nil {
		return err
	}
	defer watch.Close()
	svc := service.New(service.Options{
		DB:       watch.timed(s.DB),
		Segments: segments,
		Accounts: conf.Account,
		Trust:    conf.Trust,
		Features: conf.Features,
		Random:   rand.Reader,
		Log:      log,

		Addressing: addressing,
		Listening:  func() []netip.AddrPort { return listening },
		Sources:    o.sources,
		WaitEnded:  watch.waitEnded,
		Journal:    watch.journal,
	})
	addressing.DefaultVersion = svc.DefaultVersion
	if o.dev {
		addressing.Serves = o.servedHost()
	}
	websites := &wire.Addressing{IsAccount: addressing.IsAccount, Site: conf.Site, Serves: addressing.Serves}
	srv := server.New(svc.Serve, &server.Options{
		Addressing: addressing, Websites: websites, Log: log, Checks: checksOf(s.DB, segments), MaxConnections: maxConnections(),
		Drain: max(o.drain, time.Nanosecond), Stopping: svc.StopWaiting, AccessLog: watch.accessLog(),
	})
	watchStore(srv.Registerer(), s.DB, segments)
	watch.register(srv.Registerer(), watched{svc, s, segments, conf})
	ends, err := open(o, conf, log)
	if err != nil {
		return err
	}
	defer ends.Close()
	listening = ends.addresses()
	control, err := s.ServeControl()
	if err != nil {
		return err
	}
	defer control.Close()
	state := stateOf(o, ends)
	state.Control = control.Path
	if err := datadir.WriteState(o.data, state); err != nil {
		return err
	}
	defer datadir.RemoveState(o.data)
	go s.Sweep(ctx, log)
	go conf.Watch(ctx)
	go svc.KeepJournal(ctx, conf.Accounts())
	opsCtx, stopOps := context.WithCancel(context.WithoutCancel(ctx))
	var ops sync.WaitGroup
	ops.Go(func() { serveOps(opsCtx, srv, ends.ops, log) })
	defer ops.Wait() // before its listener is closed
	defer stopOps()
	announce(out, o, ends)
	return srv.Serve(ctx, ends.all()...)
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
	fmt.Fprintf(out, "leasehold ready on %s, data in %s\n", strings.Join(urls, " and "), o.data)
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
