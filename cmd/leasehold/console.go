package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/net/netutil"

	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/console"
	"github.com/leasehold/leasehold/internal/datadir"
)

// devConsoleListen is where the console of a server of development listens, unless something else
// does already.
const devConsoleListen = "127.0.0.1:10447"

// consoleConnections bounds the connections to the console: its streams, and as many again for
// each.
const consoleConnections = 512

// consoleOptions are the flags of serve for the console.
type consoleOptions struct {
	listen, url        string
	insecure, readOnly bool
}

func (o *consoleOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "console-listen", "", "`address` of the web console, or off; on another than loopback it speaks HTTPS with the certificate of --tls-cert")
	f.StringVar(&o.url, "console-url", "", "`URL` under which browsers reach the console, if a proxy is in between")
	f.BoolVar(&o.insecure, "console-insecure", false, "let the console speak plain HTTP to other machines, for a proxy that does TLS")
	f.BoolVar(&o.readOnly, "console-read-only", false, "let the console change nothing")
}

// consoleLink makes links that sign in to the console; nil without a console.
type consoleLink func() string

// serve hands out a fresh link on the control socket.
func (l consoleLink) serve(w http.ResponseWriter, _ *http.Request) {
	if l == nil {
		http.Error(w, "the server runs without a console; start it with --console-listen", http.StatusNotFound)
		return
	}
	io.WriteString(w, l())
}

// announce says where the console is.
func (l consoleLink) announce(out io.Writer) {
	if l != nil {
		fmt.Fprintf(out, "console: %s\n", l())
	}
}

// serveConsole runs the console on its listener.
func (o *serveOptions) serveConsole(self *selfReport) (consoleLink, error) {
	e := self.ends
	if e.console == nil {
		return nil, nil
	}
	base, secure, err := o.secureConsole(e, self.conf)
	if err != nil {
		return nil, err
	}
	options := console.Options{
		Service: self.svc, Account: self.conf.Account, Secure: secure, ReadOnly: o.console.readOnly, Log: self.svc.Log, Facts: self.facts,
	}
	if e.plain != nil {
		options.Endpoint = "http://" + reach(e.plain)
	} else {
		options.Endpoint = "https://" + reach(e.secure)
	}
	if host := base.Hostname(); host != "leasehold.localhost" {
		options.Hosts = append(options.Hosts, strings.ToLower(host))
	}
	if o.dev {
		options.Dev, options.DevKey = config.DevAccount, config.DevKey
	}
	page := console.New(options)
	e.start(netutil.LimitListener(e.console, consoleConnections), page, 0, self.svc.Log)
	return func() string { return strings.TrimSuffix(base.String(), "/") + page.Link() }, nil
}

// secureConsole puts TLS on the listener of the console where there is a certificate, and returns
// under which URL it is reached and whether over TLS.
func (o *serveOptions) secureConsole(e *endpoints, c *config.Live) (base *url.URL, secure bool, err error) {
	at := e.console.Addr().(*net.TCPAddr)
	onLoopback := at.IP.IsLoopback()
	switch {
	case c.Certificate != nil && !onLoopback:
		e.console = tls.NewListener(e.console, &tls.Config{GetCertificate: c.Certificate.Get, MinVersion: tls.VersionTLS12})
		secure = true
	case !onLoopback && !o.console.insecure:
		return nil, false, fmt.Errorf("--console-listen %v: other machines could reach it, and it speaks plain HTTP; "+
			"use a loopback address, a certificate, or --console-insecure behind a proxy that does TLS", at)
	}
	if o.console.url != "" {
		base, err = url.Parse(o.console.url)
		if err == nil && (base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || strings.Trim(base.Path, "/") != "") {
			err = errors.New("name a scheme and a host, and no path")
		}
		if err != nil {
			return nil, false, fmt.Errorf("--console-url %q: %w", o.console.url, err)
		}
		return base, base.Scheme == "https", nil
	}
	base = &url.URL{Scheme: "http", Host: reach(e.console)}
	if secure {
		base.Scheme = "https"
	}
	if onLoopback && at.IP.To4() != nil {
		base.Host = fmt.Sprintf("leasehold.localhost:%d", at.Port)
	}
	return base, secure, nil
}

// facts are shown on the console's page about the server's health.
func (s *selfReport) facts() []console.Fact {
	all := []console.Fact{{Name: "Version", Value: thisBuild().String()}, {Name: "Data folder", Value: s.o.data}}
	if free, err := s.segments.Free(); err == nil && !s.o.memory {
		all = append(all, console.Fact{Name: "Free disk space", Value: fmt.Sprintf("%.1f GiB", float64(free)/(1<<30))})
	}
	addresses := s.ends.named()
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		all = append(all, console.Fact{Name: "Listens for " + name, Value: addresses[name]})
	}
	return all
}

func newConsole() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Print a link to the web console of the running server",
		Long: `Print a link to the web console of the server that runs on a data folder.

With serve --dev the link signs in, once, within ten minutes. Otherwise the console asks
for an account key or a SAS URL.`,
		Example: `  leasehold console
  leasehold console --data /srv/leasehold`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := (&serveOptions{data: data, dev: true}).dataFolder()
			if err != nil {
				return err
			}
			s, err := readState(folder)
			if err != nil {
				return err
			}
			link, err := datadir.Ask(cmd.Context(), s.Control, http.MethodPost, "/console-link", nil)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), string(link))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data `folder` of the server; default: that of serve --dev")
	return cmd
}
