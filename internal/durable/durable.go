// Package durable writes small files that are there, and whole, after a power loss. Only their owner can read them.
package durable

import (
	"errors"
	"os"
)

// Write writes a file, and returns when its content is on the disk. The file's folder is not synced.
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

// Replace puts a file in the place of another, so that whoever reads it gets the one or the other.
func Replace(path, text string) error {
	next := path + ".new"
	if err := Write(next, text); err != nil {
		return err
	}
	return os.Rename(next, path)
}
