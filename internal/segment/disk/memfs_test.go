package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// memFS is a file system in memory that can lose what was not synced, and fail.
type memFS struct {
	mem *vfs.MemFS
	// options are those that openMem opens the store with.
	options *Options
	// before is called before each step, if set; its error is that of the step.
	before func(step, name string) error
}

// newMemFS returns one for a store whose segments all have files of their own.
func newMemFS() *memFS {
	return &memFS{mem: vfs.NewCrashableMem(), options: &Options{FilesOnly: true}}
}

// newPackedMemFS returns one for a store that packs short segments.
func newPackedMemFS() *memFS { return &memFS{mem: vfs.NewCrashableMem()} }

// eitherWay runs fn for both kinds of store.
func eitherWay(t *testing.T, fn func(t *testing.T, newFS func() *memFS)) {
	t.Run("Files", func(t *testing.T) { fn(t, newMemFS) })
	t.Run("Packs", func(t *testing.T) { fn(t, newPackedMemFS) })
}

// The steps that before is told of.
const (
	stepCreate  = "create"
	stepWrite   = "write"
	stepSync    = "sync"
	stepSyncDir = "syncdir"
	stepMkdir   = "mkdir"
	stepRemove  = "remove"
	stepModify  = "modify"
	stepPunch   = "punch"
	stepLink    = "link"
	stepOpen    = "open"
	stepRead    = "read"
	stepStat    = "stat"
	stepList    = "list"
)

func (m *memFS) step(step, name string) error {
	if m.before == nil {
		return nil
	}
	return m.before(step, name)
}

func (m *memFS) create(name string) (file, error) {
	if err := m.step(stepCreate, name); err != nil {
		return nil, err
	}
	if _, err := m.mem.Stat(name); err == nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f, err := m.mem.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &memFile{File: f, fs: m, name: name}, nil
}

func (m *memFS) open(name string) (file, error) {
	if err := m.step(stepOpen, name); err != nil {
		return nil, err
	}
	f, err := m.mem.Open(name)
	if err != nil {
		return nil, err
	}
	return &memFile{File: f, fs: m, name: name}, nil
}

func (m *memFS) modify(name string) (file, error) {
	if err := m.step(stepModify, name); err != nil {
		return nil, err
	}
	f, err := m.mem.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &memFile{File: f, fs: m, name: name}, nil
}

func (m *memFS) remove(name string) error {
	return errors.Join(m.step(stepRemove, name), m.mem.Remove(name))
}

func (m *memFS) link(from, to string) error {
	if err := m.step(stepLink, to); err != nil {
		return err
	}
	return m.mem.Link(from, to)
}

func (m *memFS) mkdir(name string) error {
	if err := m.step(stepMkdir, name); err != nil {
		return err
	}
	if _, err := m.mem.Stat(name); err == nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	if _, err := m.mem.Stat(filepath.Dir(name)); err != nil {
		return err
	}
	return m.mem.MkdirAll(name, 0o750)
}

func (m *memFS) stat(name string) (fs.FileInfo, error) {
	if err := m.step(stepStat, name); err != nil {
		return nil, err
	}
	return m.mem.Stat(name)
}

func (m *memFS) list(dir string) ([]string, error) {
	if err := m.step(stepList, dir); err != nil {
		return nil, err
	}
	return m.mem.List(dir)
}

func (m *memFS) syncDir(dir string) error {
	if err := m.step(stepSyncDir, dir); err != nil {
		return err
	}
	d, err := m.mem.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// memFile is a file of memFS.
type memFile struct {
	vfs.File
	fs   *memFS
	name string
}

func (f *memFile) Stat() (fs.FileInfo, error) { return f.File.Stat() }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.step(stepRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// WriteAt writes half of p when it fails, as a full disk may.
func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	q := append([]byte(nil), p...) // the file may change what it is given
	if err := f.fs.step(stepWrite, f.name); err != nil {
		n, werr := f.File.WriteAt(q[:len(q)/2], off)
		return n, errors.Join(err, werr)
	}
	return f.File.WriteAt(q, off)
}

func (f *memFile) bypassCache() {}

func (f *memFile) writeAll(pieces [][]byte, off int64) error { return writeEach(f, pieces, off) }

func (f *memFile) writeEnd(b []byte, off int64) error { return writeEach(f, [][]byte{b}, off) }

func (f *memFile) punch(off, n int64) error {
	if err := f.fs.step(stepPunch, f.name); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if n = min(n, info.Size()-off); n <= 0 {
		return nil
	}
	_, err = f.File.WriteAt(make([]byte, n), off)
	return err
}

// nextData knows of no holes.
func (f *memFile) nextData(off int64) (int64, error) {
	info, err := f.Stat()
	if err == nil && off >= info.Size() {
		err = io.EOF
	}
	return off, err
}

func (f *memFile) syncData() error {
	if err := f.fs.step(stepSync, f.name); err != nil {
		return err
	}
	return f.SyncData()
}

func (f *memFile) startSync(_, _ int64) {}

// faults has a memFS fail steps of one kind, and counts all.
type faults struct {
	mu     sync.Mutex
	step   string // the step that fails; "" for none
	err    error
	after  int // how many of the kind pass first
	counts map[string]int
}

// inject has m fail as the returned faults say.
func inject(m *memFS) *faults {
	f := &faults{counts: make(map[string]int)}
	m.before = func(step, _ string) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.counts[step]++
		if step != f.step {
			return nil
		}
		if f.after > 0 {
			f.after--
			return nil
		}
		return f.err
	}
	return f
}

// set has steps of a kind fail after some have passed, and forgets the counts.
func (f *faults) set(step string, err error, after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.step, f.err, f.after = step, err, after
	clear(f.counts)
}

// count returns how many steps of a kind were tried since set.
func (f *faults) count(step string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[step]
}

// crash is a power loss at one step of a memFS.
type crash struct {
	at   int64 // the step before which it happens
	seen atomic.Int64
	lost func() // called at the moment
}

// arm has m call c.lost once. Each sync lets others go first, as a disk would.
func (c *crash) arm(m *memFS) {
	m.before = func(step, _ string) error {
		if step == stepSync || step == stepSyncDir {
			for range 20 {
				runtime.Gosched()
			}
		}
		if c.seen.Add(1) == c.at {
			c.lost()
		}
		return nil
	}
}
