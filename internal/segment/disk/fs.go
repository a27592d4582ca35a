package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

// fileSystem has the operations that the store needs. Names are paths; errors are the errors of
// package os, or wrap them. Tests replace it by a file system that fails and that forgets unsynced
// writes.
type fileSystem interface {
	create(name string) (file, error) // for writing; fails if the name is taken
	open(name string) (file, error)   // for reading
	modify(name string) (file, error) // for reading and writing what is there
	remove(name string) error
	link(from, to string) error
	mkdir(name string) error
	stat(name string) (fs.FileInfo, error)
	list(dir string) ([]string, error) // the names in dir
	syncDir(dir string) error          // makes the names in dir durable
}

// file is one open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	// bypassCache has writeAll write past the page cache, if that can be done.
	bypassCache()
	// writeAll writes pieces one behind the other, from off on. Where they begin in memory and
	// in the file, and how long they are, are multiples of pageSize.
	writeAll(pieces [][]byte, off int64) error
	// writeEnd writes the end of the file, of any length, from off on. It is the last write.
	writeEnd(b []byte, off int64) error
	// syncData makes the written data durable, with the metadata that is needed to read it.
	syncData() error
	// startSync may begin to bring n bytes at off to the disk. It promises nothing.
	startSync(off, n int64)
	// punch makes a hole of n bytes at off, which reads as zeroes, and gives back the space.
	// The length stays. It returns errors.ErrUnsupported where files have no holes.
	punch(off, n int64) error
	// nextData returns off, or if that lies in a hole, where it ends; io.EOF if there is
	// nothing from off on. It may take a hole for data. It moves the offset of Write.
	nextData(off int64) (int64, error)
}

// osFS is the file system of the machine.
type osFS struct{}

// osFile is a file of osFS. A read without copying needs the *os.File inside.
type osFile struct{ *os.File }

func (osFS) create(name string) (file, error) {
	return wrapFile(os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600))
}

func (osFS) open(name string) (file, error) { return wrapFile(os.Open(name)) }

func (osFS) modify(name string) (file, error) { return wrapFile(os.OpenFile(name, os.O_RDWR, 0)) }

func wrapFile(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// pageAligned returns n bytes of memory that begin at a multiple of pageSize.
func pageAligned(n int64) []byte {
	b := make([]byte, n+pageSize)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % pageSize
	return b[skip:][:n:n]
}

// writeEach writes pieces one after the other.
func writeEach(f io.WriterAt, pieces [][]byte, off int64) error {
	for _, b := range pieces {
		n, err := f.WriteAt(b, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func (osFS) remove(name string) error              { return os.Remove(name) }
func (osFS) link(from, to string) error            { return os.Link(from, to) }
func (osFS) mkdir(name string) error               { return os.Mkdir(name, 0o700) }
func (osFS) stat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

func (osFS) list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

func (osFS) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir makes dir and what is missing above it, durably.
func makeDir(fsys fileSystem, dir string) error {
	if _, err := fsys.stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if above == dir {
		return fs.ErrNotExist
	}
	if err := makeDir(fsys, above); err != nil {
		return err
	}
	if err := fsys.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.syncDir(above)
}

// makeSub makes dir in parent, durably, unless it is there. If the sync fails, dir goes again: the
// next one could succeed without it.
func makeSub(fsys fileSystem, parent, dir string) error {
	if err := fsys.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := fsys.syncDir(parent); err != nil {
		return errors.Join(err, fsys.remove(dir))
	}
	return nil
}

// cannotWrite reports whether err is of the kind that may pass: no space, no quota, a
// read-only file system.
func cannotWrite(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
