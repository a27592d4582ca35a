//go:build unix

package durable

import (
	"errors"
	"os"
)

// SyncFolder syncs the names in a folder to the disk.
func SyncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
