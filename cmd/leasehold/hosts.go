package main

import (
	"net/netip"
	"os"
	"slices"
	"strings"
)

// publicSuffixes are the domains of the real service. Nobody else can point a name below them at
// this machine.
var publicSuffixes = []string{".blob.core.windows.net", ".web.core.windows.net", ".dfs.core.windows.net"}

// servedHost returns a function that reports whether a development server answers under a host
// name. Everybody knows the key of such a server, so a web page whose site name is made to resolve
// to this machine could read and write everything. Therefore only names that no other site can have
// are served.
func (o *serveOptions) servedHost() func(host string) bool {
	allowed := make([]string, len(o.hosts))
	for i, host := range o.hosts {
		allowed[i] = strings.ToLower(strings.TrimSuffix(host, "."))
	}
	if own, err := os.Hostname(); err == nil {
		allowed = append(allowed, strings.ToLower(own))
	}
	all := slices.Contains(allowed, "*")
	return func(host string) bool {
		if _, err := netip.ParseAddr(host); err == nil {
			return true // an address, which no DNS record can redirect
		}
		below := func(suffix string) bool { return strings.HasSuffix(host, suffix) }
		return all || host == "localhost" || below(".localhost") || slices.Contains(allowed, host) || slices.ContainsFunc(publicSuffixes, below)
	}
}
