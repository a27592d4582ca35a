// Package datadir manages the data folder, in which a server keeps everything: the lock and the
// mark of the folder, its stores, the sweeper, and backups.
//
// A data folder holds:
//
//	LEASEHOLD   the mark, one line, so that no other folder is ever mistaken for a data folder
//	lock        locked by the process that uses the folder; holds its process ID
//	kv/         the key-value store
//	segments/   the segment files, and the packs of short segments
//	tls/        the local certificate authority, once needed
//	identity/   the key of the local token issuer, and the secret of user delegation keys
//	run.json    how to reach the running server, see WriteState
//	control.sock  the socket for other commands, see Store.ServeControl
package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/durable"
)

const (
	markName    = "LEASEHOLD"
	markText    = "Leasehold data folder, layout 2\n"
	oldMarkText = "Leasehold data folder, layout 1\n" // the same, but without packs
	newMarkName = markName + ".new"                   // a mark being written
	lockName    = "lock"
	kvName      = "kv"
	segmentName = "segments"
)

// The folders for secrets. They are made when first needed.
const (
	TLS      = "tls"
	Identity = "identity"
)

// Folder is a data folder locked by this process.
type Folder struct {
	path string
	lock *os.File
	mark folderMark
}

// folderMark is the kind of mark found in a folder.
type folderMark int

const (
	markMissing folderMark = iota // the folder is not a data folder yet
	markOld                       // an earlier version of leasehold made it
	markCurrent
)

// KV returns the folder of the key-value store.
func (f *Folder) KV() string { return filepath.Join(f.path, kvName) }

// Segments returns the folder of the segments.
func (f *Folder) Segments() string { return filepath.Join(f.path, segmentName) }

// Close unlocks the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// openFolder locks a data folder. An empty or missing folder becomes one. A folder that is in use
// or holds anything else is refused and left unchanged.
func openFolder(path string) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	mark, err := inspectFolder(path)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(path)
	if err != nil {
		return nil, err
	}
	return &Folder{path: path, lock: lock, mark: mark}, nil
}

// Take locks an existing data folder.
func Take(path string) (*Folder, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if mark, err := inspectFolder(path); err != nil {
		return nil, err
	} else if mark == markMissing {
		return nil, fmt.Errorf("%s is not a data folder of leasehold: it is empty", path)
	}
	return openFolder(path)
}

// keep writes the mark of this version once the stores exist, so that a folder with a mark but
// without stores is known to have lost them. Earlier versions then refuse the folder, since they
// can't read packs.
func (f *Folder) keep() error {
	if f.mark == markCurrent {
		return nil
	}
	written := filepath.Join(f.path, newMarkName)
	err := durable.Write(written, markText)
	if err == nil {
		err = os.Rename(written, filepath.Join(f.path, markName))
	}
	if err == nil {
		err = durable.SyncFolder(f.path)
	}
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	f.mark = markCurrent
	return nil
}

// checkWhole returns an error if a data folder has lost its records.
func (f *Folder) checkWhole() error {
	if f.mark == markMissing {
		return nil
	}
	if _, err := os.Stat(f.KV()); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data folder %s is damaged: its %s folder is gone; restore it from a backup", f.path, kvName)
	}
	return nil
}

// inspectFolder reads the mark of a folder. It returns an error if the folder holds anything but a
// data folder.
func inspectFolder(path string) (folderMark, error) {
	mark, err := os.ReadFile(filepath.Join(path, markName))
	switch {
	case err == nil && string(mark) == markText:
		return markCurrent, nil
	case err == nil && string(mark) == oldMarkText:
		return markOld, nil
	case err == nil && len(mark) == 0:
		return markMissing, nil // the process ended before writing it
	case err == nil && strings.HasPrefix(string(mark), "Leasehold data folder"):
		return markMissing, fmt.Errorf("data folder %s has the mark %q, which this version of leasehold does not know; use a newer version",
			path, strings.TrimSpace(string(mark)))
	case err == nil:
		return markMissing, fmt.Errorf("data folder %s is damaged: its file %s is not what leasehold wrote; restore the folder from a backup",
			path, markName)
	case !errors.Is(err, os.ErrNotExist):
		return markMissing, fmt.Errorf("data folder: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return markMissing, fmt.Errorf("data folder: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{lockName, kvName, segmentName, newMarkName, "lost+found"}, e.Name()) {
			return markMissing, fmt.Errorf("%s is not a data folder of leasehold: it holds %q and no file %s; name an empty folder with --data",
				path, e.Name(), markName)
		}
	}
	return markMissing, nil
}

// How often, and after which pause, locking is retried.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// errLocked means that another process holds a lock.
var errLocked = errors.New("the file is locked by another process")

// lockFolder locks a folder for this process. The system releases the lock when the process ends,
// however it ends.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	// readState holds the lock for a moment to see whether there is a server.
	err = lockFile(f, true)
	for range lockTries {
		if !errors.Is(err, errLocked) {
			break
		}
		<-time.After(lockPause)
		err = lockFile(f, true)
	}
	if err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("data folder %s can't be locked: %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		return nil, fmt.Errorf("data folder %s is in use by process %s; stop it, or name another folder with --data",
			path, strings.TrimSpace(string(holder)))
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return f, nil
}
