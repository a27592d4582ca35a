package service

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/wire"
)

// callTo is a call that a request for a host has made, of a server that listens elsewhere too.
func callTo(host, listening string, others ...netip.AddrPort) *call {
	r := httptest.NewRequest(http.MethodPut, "http://"+host+"/acct/box/dest", nil)
	if listening != "" {
		at := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(listening))
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))
	}
	account := &auth.Account{Name: "acct"}
	s := &Service{Options: Options{Accounts: func(name string) *auth.Account {
		if name == "acct" {
			return account
		}
		return nil
	}}}
	s.Listening = func() []netip.AddrPort { return others }
	s.Addressing = &wire.Addressing{IsAccount: func(name string) bool { return name == "acct" }}
	return &call{Service: s, req: &wire.Request{Request: r}}
}

func TestOwnAddresses(t *testing.T) {
	for _, c := range []struct {
		host, listening, source string
		want                    bool
	}{
		{"127.0.0.1:10000", "", "http://127.0.0.1:10000/acct/box/b", true},
		{"127.0.0.1:10000", "", "https://127.0.0.1:10000/acct/box/b", true},
		{"127.0.0.1:10000", "", "http://localhost:10000/acct/box/b", true},
		{"127.0.0.1:10000", "", "http://[::1]:10000/acct/box/b", true},
		{"127.0.0.1:10000", "", "http://127.0.0.1:10001/acct/box/b", false},
		{"127.0.0.1:10000", "", "http://127.0.0.1/acct/box/b", false},
		{"Store.Example", "", "http://store.example:80/acct/box/b", true},
		{"store.example:443", "", "https://store.example/acct/box/b", true},
		{"store.example", "", "https://store.example:8443/acct/box/b", false},
		{"store.example", "", "https://other.example/acct/box/b", false},
		{"store.example", "", "http://localhost/acct/box/b", false},
		{"store.example", "10.0.0.7:10000", "http://10.0.0.7:10000/acct/box/b", true},
		{"store.example", "10.0.0.7:10000", "http://10.0.0.7/acct/box/b", false},
		{"store.example", "10.0.0.7:10000", "http://10.0.0.8:10000/acct/box/b", false},
		{"store.example", "127.0.0.1:10000", "http://localhost:10000/acct/box/b", true},
		{"store.example", "127.0.0.1:10000", "http://localhost:10001/acct/box/b", false},
		{"store.example", "", "https://acct.blob.core.windows.net/box/b", true},
		{"store.example", "", "https://acct.anything.example/box/b", true},
		{"store.example", "", "https://stranger.blob.core.windows.net/box/b", false},
	} {
		u, err := url.Parse(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := callTo(c.host, c.listening).isOurs(u); got != c.want {
			t.Errorf("%s, asked for as %s at %q: %v", c.source, c.host, c.listening, got)
		}
	}
}

// TestOtherListeners finds sources at the server's listeners that the request did not come by.
func TestOtherListeners(t *testing.T) {
	plain, secure, all := "127.0.0.1:10000", netip.MustParseAddrPort("127.0.0.1:10001"), netip.MustParseAddrPort("[::]:10001")
	outside := netip.MustParseAddrPort("10.0.0.7:10001")
	for _, c := range []struct {
		host, listening string
		other           netip.AddrPort
		source          string
		want            bool
	}{
		{plain, plain, secure, "https://127.0.0.1:10001/acct/box/b", true},
		{plain, plain, secure, "https://localhost:10001/acct/box/b", true},
		{plain, plain, secure, "https://127.0.0.1:10002/acct/box/b", false},
		{"store.example:10000", plain, secure, "https://store.example:10001/acct/box/b", true},
		{"store.example:10000", plain, secure, "https://other.example:10001/acct/box/b", false},
		{"store.example:10000", "10.0.0.7:10000", outside, "https://10.0.0.7:10001/acct/box/b", true},
		{"store.example:10000", "10.0.0.7:10000", outside, "https://localhost:10001/acct/box/b", false},
		{"store.example:10000", "10.0.0.7:10000", all, "https://10.0.0.7:10001/acct/box/b", true},
		{"store.example:10000", "10.0.0.7:10000", all, "https://localhost:10001/acct/box/b", true},
		{"store.example:10000", "10.0.0.7:10000", all, "https://10.0.0.8:10001/acct/box/b", false},
	} {
		u, err := url.Parse(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := callTo(c.host, c.listening, c.other).isOurs(u); got != c.want {
			t.Errorf("%s, asked for as %s at %s beside %s: %v", c.source, c.host, c.listening, c.other, got)
		}
	}
}

func FuzzSourceURL(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:10000/acct/box/b", "https://acct.blob.core.windows.net/box/a%20b?snapshot=2026-03-03T08:00:00.0000000Z&sig=s%3D",
		"http://[::1]:10000/acct/$root/x?versionid=1&sv=2020&se=x", "http://[fe80::1%25lo]/a/b", "HTTP://u:p@h/a", "//h/a", "http:opaque",
		"http://h/a#f", "http://h\\@evil/a", "http:///a", "http://h/%zz", "http://h:99999/a", "file:///etc/passwd", "http://h./acct//b/../c",
	} {
		f.Add(seed)
	}
	c := callTo("127.0.0.1:10000", "127.0.0.1:10000")
	f.Fuzz(func(t *testing.T, text string) {
		var s sourceURL
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if len(text) > maxSourceURL || s.Hostname() == "" || s.User != nil || s.Scheme != "http" && s.Scheme != "https" {
			t.Fatalf("%q was taken for a source", text)
		}
		shown, err := url.Parse(s.shown())
		if err != nil || shown.Host != s.Host || shown.EscapedPath() != s.EscapedPath() {
			t.Fatalf("%q is shown as %q", text, s.shown())
		}
		for name := range shown.Query() {
			if name != "snapshot" && name != "versionid" {
				t.Fatalf("%q shows %s", text, name)
			}
		}
		if !c.isOurs(s.URL) {
			return
		}
		if target, err := wire.ParseTarget(s.Host, s.EscapedPath(), c.Addressing); err == nil && strings.Contains(target.Account, "/") {
			t.Fatalf("%q is for the account %q", text, target.Account)
		}
	})
}
