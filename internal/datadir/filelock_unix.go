//go:build unix

package datadir

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file for this process, without waiting. It returns errLocked if another one has
// it.
func lockFile(f *os.File, exclusive bool) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
