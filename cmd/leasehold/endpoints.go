package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/config"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/identity"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/tunnel"
	"github.com/leasehold/leasehold/internal/wire"
)

// off is the address that disables a listener.
const off = "off"

// The default addresses of a development server. Any free port replaces one that is taken.
const (
	devTLSListen       = "127.0.0.1:10443"
	devIdentityListen  = "127.0.0.1:10444"
	devAuthorityListen = "127.0.0.1:10445"
	devProxyListen     = "127.0.0.1:10446"
)

// endpoints holds the listeners of a server, and the auxiliary servers on some of them.
type endpoints struct {
	plain, secure, website, managed, authority, proxy, ops, console net.Listener
	exit                                                            *tunnel.Exit // where the proxy delivers HTTPS connections
	tunneled                                                        net.Listener // exit with TLS; nil without a proxy
	plainExit                                                       *tunnel.Exit // where the proxy delivers plain HTTP connections

	servers []*http.Server
	trust   certificate.TrustFiles // empty without a local authority
	header  string                 // of the managed-identity endpoint
}

// all returns the listeners that serve blobs and websites.
func (e *endpoints) all() []net.Listener {
	all := e.blob()
	if e.website != nil {
		all = append(all, server.Website(e.website))
	}
	return all
}

// blob returns the listeners that serve blobs.
func (e *endpoints) blob() (all []net.Listener) {
	for _, l := range []net.Listener{e.plain, e.secure, e.tunneled} {
		if l != nil {
			all = append(all, l)
		}
	}
	if e.plainExit != nil {
		all = append(all, e.plainExit)
	}
	return all
}

// addresses returns the addresses of the listeners that serve blobs. The proxy's has none of its
// own.
func (e *endpoints) addresses() (all []netip.AddrPort) {
	for _, l := range e.blob() {
		if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			all = append(all, at)
		}
	}
	return all
}

// Close stops the auxiliary servers and closes every listener.
func (e *endpoints) Close() {
	for _, s := range e.servers {
		s.Close()
	}
	for _, l := range []net.Listener{e.plain, e.secure, e.website, e.managed, e.authority, e.proxy, e.ops, e.console, e.tunneled} {
		if l != nil {
			l.Close() // usually closed already; not after a failed start
		}
	}
}

// listen opens a listener, or returns nil for the address off. If no address was given it uses the
// fallback, or any free port if the fallback is taken.
func listen(flag, address, fallback string) (net.Listener, error) {
	if address == off || address == "" && fallback == "" {
		return nil, nil
	}
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, listenError(flag, address, err)
		}
		return l, nil
	}
	if l, err := net.Listen("tcp", fallback); err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// listenError says why an address can't be listened on, and what to do about it.
func listenError(flag, address string, err error) error {
	host, port, e := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint := ""
		if port == "10000" {
			hint = "if that is Azurite, stop it; or "
		}
		return &exitError{exitUnreachable, fmt.Errorf("another process listens on %s; %schoose another address, such as --%s %s",
			address, hint, flag, net.JoinHostPort(host, "0"))}
	case errors.Is(err, fs.ErrPermission):
		return &exitError{exitNotPermitted, fmt.Errorf("%w; choose a port from 1024 on with --%s", err, flag)}
	case e != nil:
		return &exitError{exitUsage, fmt.Errorf("--%s: %q is not of the form HOST:PORT; choose another address with --%[1]s", flag, address)}
	}
	return &exitError{exitUsage, fmt.Errorf("%w; choose another address with --%s", err, flag)}
}

// usageError is a mistake in the command line.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// onLoopback refuses a listener that other machines can reach.
func onLoopback(flag string, l net.Listener) error {
	if l == nil {
		return nil
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return usageError("--%s %v: other machines could reach this plain HTTP listener; use a loopback address", flag, l.Addr())
	}
	return nil
}

// fallback returns the address of a --dev listener that has no flag.
func (o *serveOptions) fallback(address string) string {
	switch {
	case !o.dev:
		return ""
	case o.listen != defaultListen:
		return "127.0.0.1:0"
	}
	return address
}

// issues reports whether this server issues tokens.
func (o *serveOptions) issues() bool {
	on := func(address string) bool { return address != off && (address != "" || o.dev) }
	return on(o.identityListen) || on(o.authorityListen)
}

// open opens all listeners and starts the auxiliary servers.
func open(o *serveOptions, c *config.Live, log *slog.Logger) (_ *endpoints, err error) {
	e := &endpoints{}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	for _, l := range []struct {
		at             *net.Listener
		flag, asked    string
		fallback       string
		onLoopbackOnly bool
	}{
		{&e.plain, "listen", o.listen, "", false},
		{&e.secure, "tls-listen", o.tlsListen, o.fallback(devTLSListen), false},
		{&e.website, "web-listen", o.webListen, "", false},
		{&e.managed, "identity-listen", o.identityListen, o.fallback(devIdentityListen), true},
		{&e.authority, "authority-listen", o.authorityListen, o.fallback(devAuthorityListen), false},
		{&e.proxy, "proxy-listen", o.proxyListen, o.fallback(devProxyListen), true},
		{&e.ops, "ops-listen", o.opsListen, "", false},
		{&e.console, "console-listen", o.console.listen, o.fallback(devConsoleListen), false},
	} {
		if *l.at, err = listen(l.flag, l.asked, l.fallback); err != nil {
			return nil, err
		}
		if l.onLoopbackOnly {
			if err = onLoopback(l.flag, *l.at); err != nil {
				return nil, err
			}
		}
	}
	if len(e.blob()) == 0 {
		return nil, usageError("nothing to listen on: --listen is off, and there is no --tls-listen")
	}
	if err = e.secureAll(o, c); err != nil {
		return nil, err
	}
	e.startIdentity(c, log)
	e.startProxy(log)
	return e, nil
}

// secureAll adds TLS to the listeners that need it.
func (e *endpoints) secureAll(o *serveOptions, c *config.Live) error {
	if e.secure == nil && (o.http2 || o.selfSigned || o.tlsCert != "") {
		return usageError("--http2, --tls-self-signed and --tls-cert are for HTTPS: name an address with --tls-listen")
	}
	if e.secure == nil && e.authority == nil {
		return nil
	}
	var local *certificate.Leaf
	if o.selfSigned || o.dev || e.authority != nil {
		dir := filepath.Join(o.data, datadir.TLS)
		var more []string
		if o.dev {
			more = config.PublicAuthorities
		}
		ca, err := certificate.OpenAuthority(dir, time.Now(), more...)
		if err != nil {
			return err
		}
		local = &certificate.Leaf{Authority: ca, Names: func() []string { return hostNames(c) }, Also: func(host string) bool { return hasSite(c, host) }, Now: time.Now}
		if e.trust, err = certificate.WriteTrustFiles(dir, ca.PEM()); err != nil {
			return err
		}
	}
	if e.authority != nil {
		e.authority = tls.NewListener(e.authority, &tls.Config{GetCertificate: local.Get, MinVersion: tls.VersionTLS12})
	}
	if e.secure == nil {
		return nil
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case o.tlsCert != "":
		tlsConfig.GetCertificate = c.Certificate.Get
	case local != nil:
		tlsConfig.GetCertificate = local.Get
	default:
		return usageError("--tls-listen needs a certificate: name one with --tls-cert and --tls-key, or make one with --tls-self-signed")
	}
	secure := server.TLS
	if o.http2 {
		secure = server.HTTP2
	}
	if e.proxy != nil {
		e.exit = tunnel.NewExit(e.proxy.Addr())
		e.tunneled = secure(e.exit, tlsConfig)
		if e.plain != nil {
			e.plainExit = tunnel.NewExit(e.proxy.Addr())
		}
	}
	e.secure = secure(e.secure, tlsConfig)
	return nil
}

// hostNames returns the names in certificates of the local authority.
func hostNames(c *config.Live) []string {
	var names []string
	for _, a := range c.Accounts() {
		names = append(names, a+".blob.core.windows.net", a+"-secondary.blob.core.windows.net", a+".dfs.core.windows.net")
	}
	slices.Sort(names)
	names = append(names, "*.blob.localhost", "*.web.localhost", "localhost", "127.0.0.1", "::1", config.AuthorityHost)
	return append(names, config.PublicAuthorities...)
}

// hasSite reports whether a host name belongs to the website of an account, with or without a zone.
// The zone can't be known beforehand, so such names can't be listed.
func hasSite(c *config.Live, host string) bool {
	t, err := wire.ParseTarget(host, "/", nil)
	return err == nil && t.Website && c.Account(t.Account) != nil
}

// Limits of the auxiliary servers.
const (
	smallTimeout = 30 * time.Second
	smallHeader  = 32 << 10 // bytes
	// smallConnections bounds the connections of a server that only hands out tokens or metrics.
	// Requests are short, so further clients wait.
	smallConnections = 256
)

// start runs an auxiliary server on a listener.
func (e *endpoints) start(l net.Listener, h http.Handler, timeout time.Duration, log *slog.Logger) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: smallTimeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: smallTimeout, MaxHeaderBytes: smallHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	e.servers = append(e.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a listener failed", "address", l.Addr().String(), "error", err)
		}
	}()
}

func (e *endpoints) startIdentity(c *config.Live, log *slog.Logger) {
	if e.authority != nil {
		e.start(netutil.LimitListener(e.authority, smallConnections), c.Issuer.Handler(), smallTimeout, log)
	}
	if e.managed != nil {
		e.header = config.NewSecret()
		e.start(netutil.LimitListener(e.managed, smallConnections), &identity.Managed{Issuer: c.Issuer, Header: e.header, Default: c.DefaultClient}, smallTimeout, log)
	}
}

func (e *endpoints) startProxy(log *slog.Logger) {
	if e.proxy == nil {
		return
	}
	t := &tunnel.Tunnel{}
	if e.exit != nil {
		t.Routes = publicRoutes(tunnel.Route{Exit: e.exit, PlainExit: e.plainExit})
	}
	if e.authority != nil {
		t.Routes = append(t.Routes, authorityRoutes(reach(e.authority))...)
	}
	e.start(t.Front(e.proxy), t, 0, log)
}

// publicRoutes returns a route like r for each public name of the service. Data Lake clients try
// the dfs name first; the server's refusal sends them to the blob name.
func publicRoutes(r tunnel.Route) (all []tunnel.Route) {
	for _, suffix := range publicSuffixes {
		r.Host = "*" + suffix
		all = append(all, r)
	}
	return all
}

// authorityRoutes returns the routes for the names of the local and the public authority.
func authorityRoutes(target string) []tunnel.Route {
	all := []tunnel.Route{{Host: config.AuthorityHost, Target: target}}
	for _, host := range config.PublicAuthorities {
		all = append(all, tunnel.Route{Host: host, Target: target})
	}
	return all
}

// reach returns the address at which this machine reaches a listener.
func reach(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
