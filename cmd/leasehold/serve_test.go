package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/config"
)

// TestServedHosts: a server of development answers under names that no other site can have.
func TestServedHosts(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	serves := (&serveOptions{hosts: []string{"Store.Test."}}).servedHost()
	for host, want := range map[string]bool{
		"localhost": true, "devstoreaccount1.blob.localhost": true, "127.0.0.1": true, "::1": true, "192.168.1.5": true, strings.ToLower(own): true,
		"devstoreaccount1.blob.core.windows.net": true, "devstoreaccount1.z6.web.core.windows.net": true, "devstoreaccount1.dfs.core.windows.net": true,
		"store.test": true, "evil.test": false, "devstoreaccount1.evil.test": false, "localhost.evil.test": false, "evil.store.test": false,
		"127.0.0.1.evil.test": false, "blob.core.windows.net.evil.test": false, "evillocalhost": false, "": false,
	} {
		if serves(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
	if !(&serveOptions{hosts: []string{"*"}}).servedHost()("evil.test") {
		t.Error("not every name is served")
	}
}

// TestTheLineForTheShellIsQuoted: a folder may have a blank in its name.
func TestTheLineForTheShellIsQuoted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out bytes.Buffer
	announce(&out, &serveOptions{dev: true, data: "/srv/it's a store"}, &endpoints{secure: l, proxy: l})
	if want := `eval "$(leasehold env --data '/srv/it'\''s a store')"`; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in %s", want, &out)
	}
}

func TestServeRefusesToGuess(t *testing.T) {
	t.Setenv(config.AccountsVariable, "")
	if err := serve(t.Context(), &serveOptions{data: t.TempDir(), logLevel: "info", logFormat: "text"}, nil); !errors.Is(err, config.ErrNoAccounts) {
		t.Errorf("without accounts: %v", err)
	}
	t.Setenv(config.AccountsVariable, "acct:AAAAAAAAAAAAAAAAAAAAAA==")
	if err := serve(t.Context(), &serveOptions{logLevel: "info", logFormat: "text"}, nil); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without a folder: %v", err)
	}
}
