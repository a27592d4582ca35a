package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makePrivate creates the folders of the stores, and makes them and the folders of secrets
// accessible to their owner only, whatever the umask. The data folder itself keeps its mode,
// because others may need it.
func (f *Folder) makePrivate() error {
	for _, name := range []string{kvName, segmentName} {
		if err := os.Mkdir(filepath.Join(f.path, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	for _, name := range []string{kvName, segmentName, TLS, Identity} {
		if err := ownerOnly(filepath.Join(f.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data folder: could not make it private: %w", err)
		}
	}
	return nil
}

// ownerOnly removes all access to a folder by others.
func ownerOnly(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() == 0o700 {
		return err
	}
	return os.Chmod(path, 0o700)
}
