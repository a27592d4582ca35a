package main

import (
	"net/netip"
	"os"
	"slices"
	"strings"
)

// publicSuffixes are the names of the real service, which nobody else can let point to this machine.
var publicSuffixes = []string{".blob.core.windows.net", ".web.core.windows.net", ".dfs.core.windows.net"}

// servedHost returns what tells the host names under which a server of development answers. Its key is known to everybody, so a page
// in a browser of this machine could have everything, if the name of its site may lead here: only names are served that
// no other site can have.
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
			return true // no name, so nothing leads it elsewhere
		}
		below := func(suffix string) bool { return strings.HasSuffix(host, suffix) }
		return all || host == "localhost" || below(".localhost") || slices.Contains(allowed, host) || slices.ContainsFunc(publicSuffixes, below)
	}
}
