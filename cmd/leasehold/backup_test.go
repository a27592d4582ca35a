package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/datadir"
)

// TestBackup copies a folder that nobody uses and one that is served, twice, and opens and
// checks the copies. What was stored after a copy is not in it.
func TestBackup(t *testing.T) {
	for _, served := range []bool{false, true} {
		path := fillFolder(t)
		var s *datadir.Store
		if served {
			var err error
			if s, err = datadir.Open(t.Context(), path, engines, datadir.KVOptions{}); err != nil {
				t.Fatal(err)
			}
			c, err := s.ServeControl(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if info, err := os.Stat(c.Path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the control socket: %v, %v", info, err)
			}
			if err := datadir.WriteState(path, &runState{Control: c.Path}); err != nil {
				t.Fatal(err)
			}
		}
		secret := filepath.Join(path, datadir.Identity, "secret")
		if err := errors.Join(os.MkdirAll(filepath.Dir(secret), 0o700), os.WriteFile(secret, []byte("key"), 0o600)); err != nil {
			t.Fatal(err)
		}
		first, second := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")
		if err := datadir.Backup(t.Context(), path, first, engines); err != nil {
			t.Fatal(err)
		}
		if served {
			storeBlobs(t, s, "b")
		}
		if err := datadir.Backup(t.Context(), path, second, engines); err != nil {
			t.Fatal(err)
		}
		if err := datadir.Backup(t.Context(), path, second, engines); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("a backup over another: %v", err)
		}
		if served {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		wantCheck(t, first, 0, "1 containers, 2 blobs, 1 segments; damage: 0, garbage: 0")
		if served {
			wantCheck(t, second, 0, "1 containers, 4 blobs, 2 segments; damage: 0, garbage: 0")
		}
		copied := filepath.Join(first, datadir.Identity, "secret")
		if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 3 {
			t.Errorf("the secret: %v, %v", info, err)
		}
		again, err := datadir.Open(t.Context(), first, engines, datadir.KVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	}
}

// TestBackupThatFails takes away a segment: the backup tells, and leaves no data folder.
func TestBackupThatFails(t *testing.T) {
	path := fillFolder(t)
	os.Remove(one(t, path, "segments/*/*"))
	to := filepath.Join(t.TempDir(), "to")
	if err := datadir.Backup(t.Context(), path, to, engines); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("backup: %v", err)
	}
	if left, err := os.ReadDir(to); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	wantCheck(t, to, exitInternal, "")
}

// TestBackupOfFoldersInUse refuses what it can't copy: a folder whose server does not
// answer, and one that is none.
func TestBackupOfFoldersInUse(t *testing.T) {
	path := fillFolder(t)
	f, err := datadir.Open(t.Context(), path, engines, datadir.KVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	to := filepath.Join(t.TempDir(), "to")
	if err := datadir.Backup(t.Context(), path, to, engines); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("of a folder in use: %v", err)
	}
	if err := datadir.WriteState(path, &runState{Control: filepath.Join(path, "nobody")}); err != nil {
		t.Fatal(err)
	}
	if err := datadir.Backup(t.Context(), path, to, engines); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("of a server that is gone: %v", err)
	}
	if err := datadir.Backup(t.Context(), t.TempDir(), to, engines); err == nil {
		t.Error("of an empty folder: no error")
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("something was made")
	}
}
