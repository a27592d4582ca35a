// Package datadir is the folder in which a server keeps everything: its lock, its mark, the stores in it, the sweeper, and
// backups.
//
// A data folder holds:
//
//	LEASEHOLD   one line that says what the folder is, so that no other is ever taken for it
//	lock        locked by the process that uses the folder, with its process ID
//	kv/         the key-value store
//	segments/   the segment files, and the packs of short segments
//	tls/        the local certificate authority, if one was needed
//	identity/   the key of the local token issuer, and the secret of user delegation keys
//	run.json    where the running server listens, see WriteState
//	control.sock  where it answers other commands, see Store.ServeControl
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
	oldMarkText = "Leasehold data folder, layout 1\n" // before there were packs; all else is the same
	newMarkName = markName + ".new"                   // of a mark that is being written
	lockName    = "lock"
	kvName      = "kv"
	segmentName = "segments"
)

// The folders of secrets, which are made when they are needed.
const (
	TLS      = "tls"
	Identity = "identity"
)

// Folder is a data folder that this process has to itself.
type Folder struct {
	path string
	lock *os.File
	mark folderMark
}

// folderMark is what the mark of a data folder says.
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

// Close gives the folder up.
func (f *Folder) Close() error { return f.lock.Close() }

// openFolder takes a data folder, or makes one of an empty or missing folder. A folder
// that is in use, or is something else, is refused and left as it is.
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

// Take takes a data folder that is there; it makes none.
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

// keep makes the folder a data folder of this version for good, once its stores have been
// made: a folder with the mark and without them has lost them. Earlier versions refuse it
// from then on, as they would not find what is in packs.
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

// checkWhole refuses a data folder that has lost its records.
func (f *Folder) checkWhole() error {
	if f.mark == markMissing {
		return nil
	}
	if _, err := os.Stat(f.KV()); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data folder %s is damaged: its %s folder is gone; restore it from a backup", f.path, kvName)
	}
	return nil
}

// inspectFolder reads the mark of a data folder. One that is something else is an error.
func inspectFolder(path string) (folderMark, error) {
	mark, err := os.ReadFile(filepath.Join(path, markName))
	switch {
	case err == nil && string(mark) == markText:
		return markCurrent, nil
	case err == nil && string(mark) == oldMarkText:
		return markOld, nil
	case err == nil && len(mark) == 0:
		return markMissing, nil // its maker ended before it was written
	case err == nil && strings.HasPrefix(string(mark), "Leasehold data folder"):
		return markMissing, fmt.Errorf("data folder %s says %q, which this version of leasehold does not know; use a newer one",
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

// How often, and after which pause, a lock is tried again.
const (
	lockTries = 10
	lockPause = 20 * time.Millisecond
)

// errLocked says that another process has a lock.
var errLocked = errors.New("the file is locked by another process")

// lockFolder locks a folder for this process. The lock goes with the process, however
// it ends.
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
