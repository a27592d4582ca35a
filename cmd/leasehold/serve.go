package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// defaultListen is where clients expect an emulator.
const defaultListen = "127.0.0.1:10000"

type serveOptions struct {
	dev       bool
	data      string
	listen    string
	config    string
	logLevel  string
	logFormat string
	sources   service.SourceOptions
}

func newServe() *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server on one data folder.

With --dev it listens on 127.0.0.1:10000 for the account devstoreaccount1 with the
well-known key of development, and keeps its data between runs. Without --dev
there is no well-known key: name the accounts in LEASEHOLD_ACCOUNTS or in a file.`,
		Example: `  leasehold serve --dev
  leasehold serve --dev --data ./store --listen 127.0.0.1:0
  LEASEHOLD_ACCOUNTS="acct:$(head -c 64 /dev/urandom | base64 -w0)" leasehold serve --data /srv/leasehold --listen 0.0.0.0:10000

A configuration file for --config:

  [[account]]
  name = "acct"
  key-files = ["/run/secrets/acct-key"]`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.dev, "dev", false, "serve the account of development, devstoreaccount1, with its well-known key")
	f.StringVar(&o.data, "data", "", "data `folder`; with --dev a folder of the user's, else required")
	f.StringVar(&o.listen, "listen", defaultListen, "`address` to listen on; port 0 takes any free one")
	f.StringVar(&o.config, "config", "", "configuration `file` with accounts")
	f.StringVar(&o.logLevel, "log-level", "info", "least severe records to log: debug, info, warn, error")
	f.StringVar(&o.logFormat, "log-format", "text", "form of the log: text, json")
	f.BoolVar(&o.sources.AllowPrivate, "allow-private-copy-sources", false,
		"let copies read sources at addresses that are not of the public internet")
	return cmd
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, o *serveOptions, out io.Writer) error {
	log, err := newLog(o)
	if err != nil {
		return err
	}
	accounts, err := loadAccounts(o.config, o.dev)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return errNoAccounts
	}
	if o.data, err = o.dataFolder(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := openStore(ctx, o.data, log, func(err error) { cancel(fatalError{err}) })
	if err != nil {
		return &exitError{exitInternal, err}
	}
	defer s.Close()
	if err := s.serve(ctx, o, accounts, log, out); err != nil {
		return &exitError{exitInternal, err}
	}
	var fatal fatalError
	if errors.As(context.Cause(ctx), &fatal) {
		return &exitError{exitInternal, fmt.Errorf("the store failed and can't go on; mend the cause and start again: %w", fatal.error)}
	}
	return nil
}

// fatalError ends the server.
type fatalError struct{ error }

func (s *store) serve(ctx context.Context, o *serveOptions, accounts map[string]*auth.Account, log *slog.Logger, out io.Writer) error {
	addressing := &wire.Addressing{IsAccount: func(name string) bool { return accounts[name] != nil }}
	svc := service.New(service.Options{
		DB:       s.db,
		Segments: s.segments,
		Accounts: func(name string) *auth.Account { return accounts[name] },
		Random:   random,
		Log:      log,

		Addressing: addressing,
		Sources:    &o.sources,
	})
	srv := server.New(svc.Serve, &server.Options{Addressing: addressing, Log: log})
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	go s.sweep(ctx, log)
	announce(out, o, listener.Addr().String())
	return srv.Serve(ctx, listener)
}

// announce tells that the server takes requests, and how to reach it.
func announce(out io.Writer, o *serveOptions, address string) {
	fmt.Fprintf(out, "leasehold ready on http://%s, data in %s\n", address, o.data)
	if o.dev {
		fmt.Fprintf(out, "connection string: DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;\n",
			devAccount, devKey, address, devAccount)
	}
}

// dataFolder returns the data folder to use.
func (o *serveOptions) dataFolder() (string, error) {
	switch {
	case o.data != "":
		return o.data, nil
	case !o.dev:
		return "", errors.New("no data folder: name one with --data DIR")
	}
	if base := os.Getenv("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "leasehold", "dev"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the data: %w; name a folder with --data DIR", err)
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
