// Package disk keeps segments in files of one folder.
//
// Short segments share files, see the comment on pageSize. Any other is one file under its
// final, random name (see the comment on blockSize for what is in it), in one of 256
// subfolders named by the first byte of its ID. A write
// is durable after its file is synced and the subfolder after it; writes that end
// together share the latter, and all writes of a time go to the same subfolder so that
// they can. What a crash leaves of an unfinished write is a file without a footer, which
// List marks, reads refuse and Delete removes.
//
// Reading checks each block it copies. A destination that implements io.ReaderFrom,
// such as a plain HTTP response, is handed the file itself for blocks that were checked
// since the file was opened, so that the kernel can send them without a copy.
package disk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/leasehold/leasehold/internal/segment"
)

// Options configures a Store. Every field is optional.
type Options struct {
	// OpenFiles is how many files are kept open for reading while nobody reads
	// them; the files that are being read and written come on top. 0 means 1,024.
	OpenFiles int
	// FilesOnly gives each segment a file of its own. Without it, short ones share
	// files where the file system can make holes in them.
	FilesOnly bool
	// CheckAlways has every read copy and check, even blocks that were found good
	// before: nothing is sent by the kernel alone.
	CheckAlways bool
}

// Store keeps segments in files of one folder. One process may have it open at a time.
type Store struct {
	fs          fileSystem
	dir         string
	checkAlways bool
	cache       *cache
	packs       *packs
	shards      [256]shard
	turn        atomic.Uint32 // counts writes: its higher bits choose the subfolder
	listedClean atomic.Bool   // a whole List found nothing incomplete

	mu      sync.Mutex
	closed  bool
	writing map[segment.ID]bool // files that are no segments yet, or never will be
}

// shard is one subfolder.
type shard struct {
	dir   string
	names *syncGroup[struct{}] // makes the names in dir durable

	mu   sync.Mutex
	made bool // dir is there, durably
}

// shardTurn is how many writes go to one subfolder before the next has its turn: many,
// so that writes that end together share a sync; few enough to fill the subfolders evenly.
const shardTurn = 256

// Open opens the store in the folder dir, which is made if it is not there. It takes a
// time that does not depend on how much is stored. o may be nil.
func Open(dir string, o *Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return openOn(osFS{}, dir, o)
}

// openOn opens the store in a folder of the given file system.
func openOn(fsys fileSystem, dir string, o *Options) (*Store, error) {
	if o == nil {
		o = new(Options)
	}
	s := &Store{fs: fsys, dir: dir, checkAlways: o.CheckAlways, writing: make(map[segment.ID]bool)}
	openFiles := o.OpenFiles
	if openFiles <= 0 {
		openFiles = 1024
	}
	s.cache = newCache(openFiles, s.load, s.bury)
	s.packs = newPacks(fsys, dir, o.FilesOnly)
	for i := range s.shards {
		sub := shardDir(dir, byte(i))
		s.shards[i].dir = sub
		s.shards[i].names = newSyncGroup(func([]struct{}) error { return fsys.syncDir(sub) })
	}
	var start [1]byte
	_, _ = rand.Read(start[:]) // never fails
	s.turn.Store(uint32(start[0]) * shardTurn)
	if err := s.findShards(); err != nil {
		return nil, fmt.Errorf("segment folder: %w", err)
	}
	return s, nil
}

// shardDir names the subfolder of IDs that begin with b.
func shardDir(dir string, b byte) string { return filepath.Join(dir, fmt.Sprintf("%02x", b)) }

// findShards makes the folder if it is missing and notes the subfolders that are there.
func (s *Store) findShards() error {
	if err := makeDir(s.fs, s.dir); err != nil {
		return err
	}
	names, err := s.fs.list(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := hex.DecodeString(name)
		if err == nil && len(b) == 1 && s.shards[b[0]].dir == filepath.Join(s.dir, name) {
			s.shards[b[0]].made = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	// The process before may have ended between making a subfolder and syncing it.
	if err := s.fs.syncDir(s.dir); err != nil && !cannotWrite(err) {
		return err
	}
	return nil
}

// makeShard makes the subfolder of IDs that begin with b, durably, if it is missing.
func (s *Store) makeShard(b byte) error {
	sh := &s.shards[b]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.made {
		return nil
	}
	if err := makeSub(s.fs, s.dir, sh.dir); err != nil {
		return err
	}
	sh.made = true
	return nil
}

// path names the file of a segment.
func (s *Store) path(id segment.ID) string {
	return s.shards[id[0]].dir + string(os.PathSeparator) + id.String()
}

// stored is the place of a segment's bytes: its content, then its table.
type stored struct {
	file
	at       int64 // offset of the content
	size     int64 // of the content
	tableSum uint64
}

// ReadAt reads from the content and the table behind it.
func (f *stored) ReadAt(p []byte, off int64) (int, error) { return f.file.ReadAt(p, f.at+off) }

// load opens the file of a segment, and checks the footer or header that names the segment.
func (s *Store) load(id segment.ID) (stored, error) {
	if packed(id) {
		if f, err := s.loadPacked(id); !errors.Is(err, errNoEntry) {
			return f, err
		}
	}
	f, err := s.fs.open(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return stored{}, notFound(id)
	}
	if err != nil {
		return stored{}, err
	}
	size, tableSum, err := readFooter(f, id)
	if err != nil {
		_ = f.Close()
		return stored{}, err
	}
	return stored{file: f, size: size, tableSum: tableSum}, nil
}

// notFound returns segment.ErrNotFound with the segment.
func notFound(id segment.ID) error { return fmt.Errorf("%w: %s", segment.ErrNotFound, id) }

// ready returns the error that keeps a call from running, if any.
func (s *Store) ready(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return segment.ErrClosed
	}
	return ctx.Err()
}

// Delete implements segment.Store. It goes on after an error, and returns all. It does
// not wait for the disk: after a crash of the machine, a segment may be there again.
func (s *Store) Delete(ctx context.Context, ids ...segment.ID) error {
	var errs []error
	var files []segment.ID
	packs := make(map[packName][]segment.ID)
	for _, id := range ids {
		if packed(id) {
			packs[packOf(id)] = append(packs[packOf(id)], id)
		} else {
			files = append(files, id)
		}
	}
	for _, ids := range packs {
		if err := s.ready(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		others, err := s.deletePacked(ids)
		files, errs = append(files, others...), append(errs, err)
	}
	for _, id := range files {
		if err := s.ready(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.fs.remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		s.cache.drop(id) // only now: from here on, nobody finds the file
	}
	return errors.Join(append(errs, s.ready(ctx))...)
}

// Close implements segment.Store. It does not wait for writes; one that is under way
// may still succeed.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, name := range s.packs.close() {
		s.removeIfEmpty(name)
	}
	s.cache.close()
	return nil
}

var _ segment.Store = (*Store)(nil)
