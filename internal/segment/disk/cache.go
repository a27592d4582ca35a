package disk

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/leasehold/leasehold/internal/segment"
)

// cache keeps the files of recently read segments open: opening a file costs more than a small
// read. A file stays open while it is in use, even if it leaves the cache.
type cache struct {
	load func(segment.ID) (stored, error) // finds a segment and checks what says how long it is
	bury func(segment.ID)                 // called when nobody reads a doomed segment any more
	max  int                              // files kept open while nobody uses them

	mu     sync.Mutex
	closed bool
	files  map[segment.ID]*list.Element // of *openFile
	recent *list.List                   // the one used last is in front
	// Of packed segments, whose bytes go when they are deleted and not when their last
	// reader has closed the file:
	reading map[segment.ID]int  // how many use it
	doom    map[segment.ID]bool // those deleted that are not gone yet; nobody can open them
}

// openFile is the open file of one segment.
type openFile struct {
	id    segment.ID
	users int  // guarded by cache.mu
	kept  bool // it is in the cache; guarded by cache.mu

	once sync.Once // loads what follows
	stored
	err error

	checked bitmap     // the blocks that were found good since the file was opened
	offset  sync.Mutex // held by the one who uses the file's own offset
}

func newCache(max int, load func(segment.ID) (stored, error), bury func(segment.ID)) *cache {
	return &cache{
		load: load, bury: bury, max: max,
		files: make(map[segment.ID]*list.Element), recent: list.New(),
		reading: make(map[segment.ID]int), doom: make(map[segment.ID]bool),
	}
}

// acquire returns the open file of a segment, for its user to release. It takes its
// place here before it is opened, so that drop leaves none behind that was opened before
// the segment was deleted.
func (c *cache) acquire(id segment.ID) (*openFile, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, segment.ErrClosed
	}
	if c.doom[id] {
		c.mu.Unlock()
		return nil, notFound(id)
	}
	if packed(id) {
		c.reading[id]++
	}
	el, ok := c.files[id]
	if ok {
		c.recent.MoveToFront(el)
	} else {
		el = c.recent.PushFront(&openFile{id: id, kept: true})
		c.files[id] = el
	}
	of := el.Value.(*openFile)
	of.users++
	idle := c.shrink()
	c.mu.Unlock()
	closeFiles(idle)

	of.once.Do(func() {
		if of.stored, of.err = c.load(id); of.err == nil {
			of.checked = newBitmap(blocksIn(of.size))
		}
	})
	if of.err != nil {
		c.mu.Lock()
		c.forget(of)
		c.mu.Unlock()
		c.release(of)
		return nil, of.err
	}
	return of, nil
}

// release ends one use of a file.
func (c *cache) release(of *openFile) {
	c.mu.Lock()
	of.users--
	last := of.users == 0 && !of.kept
	unread := c.unread(of.id)
	c.mu.Unlock()
	if last {
		closeFiles([]*openFile{of})
	}
	if unread {
		c.bury(of.id)
	}
}

// unread counts a reader of a segment out, and reports whether it was the last reader of a
// condemned segment. The caller holds c.mu.
func (c *cache) unread(id segment.ID) bool {
	n, ok := c.reading[id]
	switch {
	case !ok:
		return false
	case n > 1:
		c.reading[id] = n - 1
		return false
	}
	delete(c.reading, id)
	return c.doom[id]
}

// condemn keeps a packed segment from being opened until pardon. It reports whether its bytes can
// be removed now; if not, bury is called when they can.
func (c *cache) condemn(id segment.ID) bool {
	c.mu.Lock()
	idle, now := c.dropLocked(id), !c.doom[id] && c.reading[id] == 0
	c.doom[id] = true
	c.mu.Unlock()
	closeFiles(idle)
	return now
}

// pardon reverses condemn, once the bytes are gone or could not be removed.
func (c *cache) pardon(id segment.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.doom, id)
}

// condemned reports whether a segment is deleted but its bytes are still there.
func (c *cache) condemned(id segment.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doom[id]
}

// drop forgets the file of a segment that was deleted.
func (c *cache) drop(id segment.ID) {
	c.mu.Lock()
	idle := c.dropLocked(id)
	c.mu.Unlock()
	closeFiles(idle)
}

// dropLocked is drop for who holds c.mu, and closes what it returns without it.
func (c *cache) dropLocked(id segment.ID) []*openFile {
	el, ok := c.files[id]
	if !ok {
		return nil
	}
	return c.forget(el.Value.(*openFile))
}

// close forgets all files and refuses to open more.
func (c *cache) close() {
	var idle []*openFile
	c.mu.Lock()
	c.closed = true
	for _, el := range c.files {
		idle = append(idle, c.forget(el.Value.(*openFile))...)
	}
	c.mu.Unlock()
	closeFiles(idle)
}

// shrink forgets the files that were not used for the longest time, down to the limit, and returns
// the files to close. The caller holds c.mu.
func (c *cache) shrink() []*openFile {
	var idle []*openFile
	for c.recent.Len() > c.max {
		idle = append(idle, c.forget(c.recent.Back().Value.(*openFile))...)
	}
	return idle
}

// forget takes a file out of the cache and returns it if it is to be closed, because
// nobody uses it. The caller holds c.mu.
func (c *cache) forget(of *openFile) []*openFile {
	if !of.kept {
		return nil
	}
	of.kept = false
	c.recent.Remove(c.files[of.id])
	delete(c.files, of.id)
	if of.users > 0 {
		return nil
	}
	return []*openFile{of}
}

// closeFiles closes files that nobody uses and nobody can find any more. They were
// only read, so that closing them can't lose anything.
func closeFiles(files []*openFile) {
	for _, of := range files {
		if of.file != nil {
			_ = of.Close()
		}
	}
}

// bitmap is a set of small numbers for concurrent use.
type bitmap []atomic.Uint64

// newBitmap returns an empty set of numbers below n.
func newBitmap(n int64) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) has(i int64) bool { return b[i/64].Load()&(1<<(i%64)) != 0 }

// add adds the numbers from first to last-1.
func (b bitmap) add(first, last int64) {
	for i := first; i < last; i++ {
		if !b.has(i) {
			b[i/64].Or(1 << (i % 64))
		}
	}
}
