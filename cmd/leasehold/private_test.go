package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStoredFoldersArePrivate: in a folder that others may read, and where an earlier version has left loose ones.
func TestStoredFoldersArePrivate(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{"", kvName, segmentName, tlsName, identityName} {
		path := filepath.Join(data, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, markName), []byte(markText), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := t.TempDir()
	backup := filepath.Join(t.TempDir(), "copy")
	if err := os.Mkdir(backup, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{data, fresh} {
		s, err := openStore(t.Context(), path, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		if path == data {
			if err := s.backup(t.Context(), backup); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() || at == path {
				return err
			}
			info, err := d.Info()
			if err == nil && filepath.Dir(at) == path && info.Mode().Perm() != 0o700 {
				t.Errorf("%s has mode %o", at, info.Mode().Perm())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the backup: %v, %v", info.Mode(), err)
	}
}

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
