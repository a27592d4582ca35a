//go:build unix

package pebble

import (
	"errors"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readOnly reports whether dir lies on a file system that has been made read-only,
// as kernels do after an error of the disk.
func readOnly(fs vfs.FS, dir string) bool {
	const write = 2
	return fs == vfs.Default && errors.Is(syscall.Access(dir, write), syscall.EROFS)
}
