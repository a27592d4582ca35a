package pebble

import (
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// testFS is a file system that asks before what it does to files, including those
// that are used again for another log.
type testFS struct {
	vfs.FS
	before func(action string, name string) error // nil: go on
}

func (fs *testFS) ask(action, name string) error {
	if fs.before == nil {
		return nil
	}
	return fs.before(action, path.Base(name))
}

func (fs *testFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &testFile{f, fs, name}, nil
}

func (fs *testFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.ask("create", name); err != nil {
		return nil, err
	}
	f, err := fs.FS.Create(name, c)
	return fs.wrap(name, f, err)
}

func (fs *testFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.ask("create", to); err != nil {
		return nil, err
	}
	f, err := fs.FS.ReuseForWrite(from, to, c)
	return fs.wrap(to, f, err)
}

func (fs *testFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, o...)
	return fs.wrap(name, f, err)
}

func (fs *testFS) Unwrap() vfs.FS { return fs.FS }

type testFile struct {
	vfs.File
	fs   *testFS
	name string
}

func (f *testFile) Write(p []byte) (int, error) {
	if err := f.fs.ask("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *testFile) Sync() error {
	if err := f.fs.ask("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *testFile) SyncData() error {
	if err := f.fs.ask("sync", f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *testFile) SyncTo(n int64) (bool, error) {
	if err := f.fs.ask("sync", f.name); err != nil {
		return false, err
	}
	return f.File.SyncTo(n)
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// gate holds back syncs of the log while it is shut.
type gate struct{ sync.RWMutex }

func (g *gate) before(action, name string) error {
	if action == "sync" && isLog(name) {
		g.RLock()
		defer g.RUnlock()
	}
	return nil
}

// crash returns what a power failure now leaves of mem: what was synced, and of
// the rest some.
func crash(mem *vfs.MemFS, seed uint64) *vfs.MemFS {
	rng := rand.New(rand.NewPCG(seed, 1))
	return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
}

var errDisk = errors.New("the disk is broken")
