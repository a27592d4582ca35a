// Package durable writes small files that survive a power loss intact. Only their owner can read
// them.
package durable

import (
	"errors"
	"os"
)

// Write writes a file and syncs its content to the disk. It does not sync the folder.
func Write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Replace replaces a file atomically: a reader gets either the old or the new content.
func Replace(path, text string) error {
	next := path + ".new"
	if err := Write(next, text); err != nil {
		return err
	}
	return os.Rename(next, path)
}
