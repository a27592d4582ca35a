package disk

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bypassCache implements file. Written bodies are seldom read soon, and writing through the page
// cache costs up to three times as much processor time. File systems report the alignment that they
// need; where they don't, as on kernels before 6.1, files are written as usual.
func (f osFile) bypassCache() {
	_ = f.control(func(fd int) error {
		var st unix.Statx_t
		err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st)
		if err != nil || st.Mask&unix.STATX_DIOALIGN == 0 || !dividesPage(st.Dio_mem_align) || !dividesPage(st.Dio_offset_align) {
			return err
		}
		return setDirect(fd, unix.O_DIRECT)
	})
}

// setDirect sets whether writes to a file bypass the page cache: direct is O_DIRECT or 0.
func setDirect(fd, direct int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_DIRECT != direct {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags^unix.O_DIRECT)
	}
	return err
}

// writeEnd implements file: by way of the page cache, which knows how to write less than a page.
func (f osFile) writeEnd(b []byte, off int64) error {
	if err := f.control(func(fd int) error { return setDirect(fd, 0) }); err != nil {
		return err
	}
	return writeEach(f, [][]byte{b}, off)
}

func dividesPage(n uint32) bool { return n > 0 && pageSize%n == 0 }

// maxPieces is the most pieces that one call of pwritev takes (IOV_MAX).
const maxPieces = 1024

// writeAll implements file.
func (f osFile) writeAll(pieces [][]byte, off int64) error {
	return f.control(func(fd int) error {
		for len(pieces) > 0 {
			n, err := unix.Pwritev(fd, pieces[:min(len(pieces), maxPieces)], off)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case err == nil && n == 0:
				return io.ErrShortWrite
			case err != nil:
				return os.NewSyscallError("pwritev", err)
			}
			off += int64(n)
			pieces = skip(pieces, n)
		}
		return nil
	})
}

// skip returns pieces without the first n bytes.
func skip(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}

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
