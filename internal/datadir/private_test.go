package datadir

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestStoredFoldersArePrivate: in a folder that others may read, and where an earlier version has
// left loose ones.
func TestStoredFoldersArePrivate(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{"", kvName, segmentName, TLS, Identity} {
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
		s, err := Open(t.Context(), path, testEngines, KVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if path == data {
			if err := s.Backup(t.Context(), backup); err != nil {
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
