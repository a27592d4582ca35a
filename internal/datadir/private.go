package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makePrivate has the folders in a data folder, which hold what is stored and secrets, be readable for their owner only, whatever
// the umask is and was. It makes those of the stores. The data folder itself may be one that others have a use for.
func (f *Folder) makePrivate() error {
	for _, name := range []string{kvName, segmentName} {
		if err := os.Mkdir(filepath.Join(f.path, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	for _, name := range []string{kvName, segmentName, TLS, Identity} {
		if err := ownerOnly(filepath.Join(f.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data folder: others can read what is stored: %w", err)
		}
	}
	return nil
}

// ownerOnly takes the rights of others to a folder away.
func ownerOnly(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() == 0o700 {
		return err
	}
	return os.Chmod(path, 0o700)
}
