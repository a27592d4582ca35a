package pebble

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/leasehold/leasehold/internal/kv"
)

// Limits of a group, the commits that share one sync.
const (
	// maxGroupBytes keeps one large update from holding up many small ones, and
	// groups from becoming what Pebble treats as a large batch (half a memtable).
	maxGroupBytes = 1 << 20
	// anchorGroups is for how many groups an anchor is kept.
	anchorGroups = 1000
)

// committer makes batches durable, many at a time. Two goroutines: one applies a
// group while the other waits for the disk to have the one before.
type committer struct {
	db      *DB
	queue   chan *request
	applied chan *group
	workers sync.WaitGroup
	unused  sync.Pool // of *request

	stop, kept chan struct{} // ends the keeper of time; it has ended
	marked     atomic.Int64  // the time that is durable, nanoseconds since 1970

	syncs, commits atomic.Int64 // groups and updates that became durable

	// Closing the oldest snapshot makes Pebble look for compactions, which costs more
	// than a commit. The anchor is an older one that is replaced now and then, so
	// that the snapshot of a group never is the oldest.
	anchor *pebble.Snapshot
	age    int // of the anchor, in groups
}

// request is one batch to be committed. A nil batch stores the time only.
type request struct {
	batch *pebble.Batch
	done  chan error
}

// group is the requests that are committed together.
type group struct {
	requests []*request
	updates  int              // of the requests, those with a batch
	batch    *pebble.Batch    // all of them
	writes   batchrepr.Reader // what batch holds; a large one keeps it from us once it is applied
	time     int64
	snapshot *pebble.Snapshot // right after them
}

func (g *group) reply(err error) {
	for _, r := range g.requests {
		r.done <- err
	}
	g.requests = nil
}

func (c *committer) start(db *DB) {
	c.db = db
	c.queue = make(chan *request, MaxInFlight)
	c.applied = make(chan *group, 1)
	c.stop, c.kept = make(chan struct{}), make(chan struct{})
	c.anchor = db.pebble.NewSnapshot()
	c.marked.Store(db.clock.Last().UnixNano())
	c.workers.Go(c.applyAll)
	c.workers.Go(c.syncAll)
	go c.keepTime()
}

// finish stores the time and ends the goroutines. No commit may run.
func (c *committer) finish() {
	close(c.stop)
	<-c.kept
	if c.behind() {
		c.do(nil) // the error, if any, is that of the store
	}
	close(c.queue)
	if c.db.contain(func() error { c.workers.Wait(); return nil }) == nil {
		c.anchor.Close()
	}
}

// do commits a batch and returns when it is durable and visible, or has failed.
func (c *committer) do(b *pebble.Batch) error {
	r, _ := c.unused.Get().(*request)
	if r == nil {
		r = &request{done: make(chan error, 1)}
	}
	r.batch = b
	select {
	case c.queue <- r:
	case <-c.db.dead:
		return c.db.failed()
	}
	select {
	case err := <-r.done:
		r.batch = nil
		c.unused.Put(r)
		return err
	case <-c.db.dead: // the goroutines may be stuck in the engine
		return c.db.failed()
	}
}

// keepTime stores the time of the clock once a second if transactions were shown a
// later one than is stored, as happens when there are only views. See
// docs/decisions/kv-clock.md.
func (c *committer) keepTime() {
	defer close(c.kept)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if c.behind() {
				c.do(nil)
			}
		case <-c.stop:
			return
		}
	}
}

func (c *committer) behind() bool { return c.db.clock.Last().UnixNano() > c.marked.Load() }

// applyAll applies groups until the queue is closed. Pebble ends the goroutine, by
// a panic or through the logger, when it cannot write.
func (c *committer) applyAll() {
	var g *group
	defer close(c.applied)
	defer func() {
		if g == nil {
			return
		}
		err := c.db.fail(fmt.Errorf("commit: %v", recover()))
		g.reply(err)
		for r := range c.queue {
			r.done <- err
		}
	}()
	for {
		if g = c.collect(); g == nil {
			return
		}
		if err := c.writable(); err != nil {
			g.reply(err)
			continue
		}
		if err := c.apply(g); err != nil {
			g.reply(c.db.fail(err))
			continue
		}
		c.applied <- g
	}
}

// collect waits for a request and takes with it all that wait too, up to a limit.
// It returns nil when the queue is closed.
func (c *committer) collect() *group {
	r, ok := <-c.queue
	if !ok {
		return nil
	}
	g := &group{requests: make([]*request, 0, 32)}
	for size := 0; ; {
		g.requests = append(g.requests, r)
		if r.batch != nil {
			size += r.batch.Len()
			g.updates++
		}
		if size >= maxGroupBytes {
			return g
		}
		select {
		case r, ok = <-c.queue:
			if !ok {
				return g
			}
		default:
			return g
		}
	}
}

// writable says why nothing can be written now, if so: nothing has been.
func (c *committer) writable() error {
	if err := c.db.failed(); err != nil {
		return err
	}
	if c.db.minFree == 0 {
		return nil
	}
	if readOnly(c.db.fs, c.db.dir) {
		return fmt.Errorf("%w: the file system of %s is read-only", kv.ErrReadOnly, c.db.dir)
	}
	// Where the file system does not know, the log will find out.
	if u, err := c.db.fs.GetDiskUsage(c.db.dir); err == nil && u.AvailBytes < c.db.minFree {
		return fmt.Errorf("%w: %d bytes are free in %s, %d must be", kv.ErrReadOnly, u.AvailBytes, c.db.dir, c.db.minFree)
	}
	return nil
}

// apply appends the group to the log, without waiting until it is durable, and takes
// the snapshot that shows it.
func (c *committer) apply(g *group) error {
	db := c.db.pebble
	if len(g.requests) == 1 && g.requests[0].batch != nil {
		g.batch = g.requests[0].batch
	} else {
		g.batch = db.NewBatch()
		for _, r := range g.requests {
			if r.batch == nil {
				continue
			}
			if err := g.batch.Apply(r.batch, nil); err != nil {
				return err
			}
		}
	}
	g.time = c.db.clock.Last().UnixNano() // not before the time of any in the group
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(g.time))
	if err := g.batch.Set(timeKey, at[:], nil); err != nil {
		return err
	}
	g.writes = g.batch.Reader()
	if err := db.ApplyNoSyncWait(g.batch, pebble.Sync); err != nil {
		return err
	}
	g.snapshot = db.NewSnapshot()
	if c.age++; c.age == anchorGroups {
		old := c.anchor
		c.anchor, c.age = db.NewSnapshot(), 0
		return old.Close()
	}
	return nil
}

// syncAll waits for each applied group to be durable, shows it, and lets its
// updates return.
func (c *committer) syncAll() {
	for g := range c.applied {
		err := g.batch.SyncWait()
		if err == nil {
			err = c.db.failed() // of a group before
		}
		if err == nil {
			c.marked.Store(g.time)
			c.syncs.Add(1)
			c.commits.Add(int64(g.updates))
			err = c.db.publish(g.snapshot, g.writes)
		}
		if err != nil {
			g.reply(c.db.fail(err))
			continue
		}
		merged := len(g.requests) > 1 || g.requests[0].batch == nil
		g.reply(nil)
		if merged {
			g.batch.Close() // a batch of its own is closed by its update
		}
	}
}
