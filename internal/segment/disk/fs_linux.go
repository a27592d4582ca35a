package disk

import (
	"errors"
	"os"
	"syscall"
)

// syncData implements file: without the times of the file, which fsync would wait for.
func (f osFile) syncData() error {
	return f.control(func(fd int) error {
		for {
			if err := syscall.Fdatasync(fd); !errors.Is(err, syscall.EINTR) {
				return os.NewSyscallError("fdatasync", err)
			}
		}
	})
}

// startSync implements file: the disk works while the rest of the body arrives.
func (f osFile) startSync(off, n int64) {
	const start = 2 // SYNC_FILE_RANGE_WRITE: begin, wait for nothing, and report nothing
	_ = f.control(func(fd int) error { return syscall.SyncFileRange(fd, off, n, start) })
}

// control calls fn with the descriptor of f.
func (f osFile) control(fn func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}
