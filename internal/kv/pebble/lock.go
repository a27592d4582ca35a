package pebble

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/leasehold/leasehold/internal/kv"
)

// lockTable holds the locks of declared keys. A lock stands for the hash of a key. Two keys may
// share a lock, which costs time but is never wrong. Waiters get a lock in the order of their
// arrival. Locks are always taken in ascending order of the hash, so that no cycle can form.
type lockTable struct {
	seed   maphash.Seed
	shards [64]lockShard
}

type lockShard struct {
	mu sync.Mutex
	// held has an entry for every lock that is held: the channels of its waiters, oldest first.
	// Closing a channel hands the lock to its waiter.
	held map[uint64][]chan struct{}
}

func (l *lockTable) init() {
	l.seed = maphash.MakeSeed()
	for i := range l.shards {
		l.shards[i].held = map[uint64][]chan struct{}{}
	}
}

func (l *lockTable) shard(hash uint64) *lockShard { return &l.shards[hash%uint64(len(l.shards))] }

// acquire takes the locks of keys, all of them or, when ctx ends first, none.
func (l *lockTable) acquire(ctx context.Context, keys []kv.Key) ([]uint64, error) {
	hashes := make([]uint64, len(keys))
	for i, k := range keys {
		hashes[i] = maphash.Bytes(l.seed, k)
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	for i, h := range hashes {
		if err := l.lock(ctx, h); err != nil {
			l.release(hashes[:i])
			return nil, err
		}
	}
	return hashes, nil
}

func (l *lockTable) release(hashes []uint64) {
	for _, h := range hashes {
		l.unlock(h)
	}
}

func (l *lockTable) lock(ctx context.Context, hash uint64) error {
	s := l.shard(hash)
	s.mu.Lock()
	waiting, held := s.held[hash]
	if !held {
		s.held[hash] = nil
		s.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	s.held[hash] = append(waiting, mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	if i := slices.Index(s.held[hash], mine); i >= 0 {
		s.held[hash] = slices.Delete(s.held[hash], i, i+1)
		s.mu.Unlock()
		return ctx.Err()
	}
	s.mu.Unlock()
	l.unlock(hash) // it became ours at the same moment
	return ctx.Err()
}

func (l *lockTable) unlock(hash uint64) {
	s := l.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.held[hash]
	if len(waiting) == 0 {
		delete(s.held, hash)
		return
	}
	close(waiting[0])
	s.held[hash] = waiting[1:]
}
