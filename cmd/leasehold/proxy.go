package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/internal/tunnel"
)

func newProxy() *cobra.Command {
	var data, address string
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Route the public names of the Blob service to the running server",
		Long: `Run a proxy that routes *.blob.core.windows.net, *.web.core.windows.net,
*.dfs.core.windows.net and the names of the public and the local authority to the server
that runs on a data folder, and refuses everything else.
serve --dev includes such a proxy; this command is for servers that don't.`,
		Example: `  leasehold proxy --listen 127.0.0.1:8888`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runProxy(cmd.Context(), data, address, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder` of the server; default: the folder of serve --dev")
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:0", "loopback `address` to listen on")
	return cmd
}

// runProxy runs a proxy until ctx ends.
func runProxy(ctx context.Context, data, address string, out io.Writer) error {
	data, err := (&serveOptions{data: data, dev: true}).dataFolder()
	if err != nil {
		return err
	}
	state, err := readState(data)
	if err != nil {
		return err
	}
	if state.Secure == "" {
		return errors.New("the server does not speak HTTPS; start it with --tls-listen")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return listenError("listen", address, err)
	}
	defer l.Close()
	if err := onLoopback("listen", l); err != nil {
		return err
	}
	t := &tunnel.Tunnel{Routes: publicRoutes(tunnel.Route{Target: state.Secure, Plain: state.Plain})}
	if state.Authority != "" {
		t.Routes = append(t.Routes, authorityRoutes(state.Authority)...)
	}
	fmt.Fprintf(out, "proxy ready; export HTTPS_PROXY=http://%s HTTP_PROXY=http://%[1]s\n", l.Addr())
	s := &http.Server{Handler: t, ReadHeaderTimeout: smallTimeout, IdleTimeout: smallTimeout, MaxHeaderBytes: smallHeader}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(t.Front(l)); !errors.Is(err, http.ErrServerClosed) {
		return &exitError{exitInternal, err}
	}
	return nil
}
