package disk

import (
	"errors"
	"io"
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

// Of fallocate(2) and lseek(2).
const (
	punchHole = 0x1 | 0x2 // FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE
	seekData  = 3
)

// punch implements file.
func (f osFile) punch(off, n int64) error {
	return f.control(func(fd int) error {
		for {
			if err := syscall.Fallocate(fd, punchHole, off, n); !errors.Is(err, syscall.EINTR) {
				return os.NewSyscallError("fallocate", err)
			}
		}
	})
}

// nextData implements file.
func (f osFile) nextData(off int64) (int64, error) {
	at, err := f.Seek(off, seekData)
	if errors.Is(err, syscall.ENXIO) {
		return 0, io.EOF
	}
	return at, err
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
