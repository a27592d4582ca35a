package pebble

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/leasehold/leasehold/internal/kv"
)

// maxPinned is how many values a transaction keeps in place, each of which holds
// tables and memory of the engine; the values of later Gets are copied.
const maxPinned = 16

// overhead is what an update of kv.MaxUpdate bytes may take beside them in its batch:
// lengths and kinds of small writes.
const overhead = 16 << 20

// reader reads one snapshot.
type reader struct {
	snap    *snapshot
	records *recordCache // nil: none
	now     time.Time
	iter    *pebble.Iterator // of the last scan, kept for the next
	pinned  []io.Closer      // of the values that Get returned
	buf     []byte           // for stored keys

	scanning bool

	pinnedArray [2]io.Closer
	bufArray    [128]byte
}

// newReader returns a reader of the newest durable snapshot, for release to end.
func (db *DB) newReader() reader { return reader{snap: db.pin(), records: db.records} }

// release ends the reader and gives back what it holds.
func (db *DB) release(r *reader) {
	for _, c := range r.pinned {
		c.Close()
	}
	if r.iter != nil {
		r.iter.Close()
	}
	if err := db.unpin(r.snap); err != nil {
		db.log.Warn("closing a snapshot", "err", err)
	}
	r.snap, r.pinned, r.iter = nil, nil, nil
}

// stored returns key as it is stored, valid until the next call.
func (r *reader) stored(key []byte) []byte {
	if r.buf == nil {
		r.buf = r.bufArray[:0]
	}
	r.buf = append(append(r.buf[:0], dataPrefix), key...)
	return r.buf
}

// Now implements kv.Reader.
func (r *reader) Now() time.Time { return r.now }

// Get implements kv.Reader.
func (r *reader) Get(key []byte) ([]byte, error) {
	if len(key) > kv.MaxKey {
		return nil, kv.ErrTooLarge
	}
	if r.records == nil {
		return r.lookUp(key)
	}
	v, wanted := r.records.get(key, r.snap.number)
	if v != nil {
		return v, nil
	}
	v, err := r.lookUp(key)
	if v != nil && wanted {
		r.records.add(key, v, r.snap.number)
	}
	return v, err
}

// lookUp is Get without the cache of records.
func (r *reader) lookUp(key []byte) ([]byte, error) {
	v, closer, err := r.snap.Get(r.stored(key))
	if err != nil {
		if err == pebble.ErrNotFound || errors.Is(err, pebble.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	if v == nil {
		v = []byte{}
	}
	if r.pinned == nil {
		r.pinned = r.pinnedArray[:0]
	}
	if len(r.pinned) < maxPinned {
		r.pinned = append(r.pinned, closer)
		return v, nil
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

// Scan implements kv.Reader.
func (r *reader) Scan(start, end []byte) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		if end != nil && bytes.Compare(start, end) >= 0 {
			return
		}
		it, err := r.seek(start, end)
		if err != nil {
			yield(kv.Pair{}, err)
			return
		}
		defer r.ended()
		for ok := it.Valid(); ok; ok = it.Next() {
			p, err := pair(it)
			if !yield(p, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(kv.Pair{}, err)
		}
	}
}

// seek puts the iterator at the first key from start on. While end stays the same, as in
// a listing that skips from folder to folder, the bounds do, and the seek can
// begin where the iterator is. After a scan that could begin, ended has to be called.
func (r *reader) seek(start, end []byte) (*pebble.Iterator, error) {
	if r.scanning {
		return nil, kv.ErrNested
	}
	limit := dataEnd
	if end != nil {
		limit = r.stored(end)
	}
	if r.iter == nil {
		it, err := r.snap.NewIter(&pebble.IterOptions{LowerBound: dataStart, UpperBound: limit})
		if err != nil {
			return nil, err
		}
		r.iter = it
	} else {
		r.iter.SetBounds(dataStart, limit)
	}
	r.iter.SeekGE(r.stored(start))
	r.scanning = true
	return r.iter, nil
}

// ended marks the iterator as free to be moved elsewhere.
func (r *reader) ended() { r.scanning = false }

// pair returns what it stands at.
func pair(it *pebble.Iterator) (kv.Pair, error) {
	v, err := it.ValueAndErr()
	return kv.Pair{Key: it.Key()[1:], Value: v}, err
}

// tx is an update: a reader, and the writes on top.
type tx struct {
	reader
	db    *DB
	keys  []kv.Key
	batch *pebble.Batch // nil until something is written
	own   overlay       // what batch holds, for reading
}

func (t *tx) close() {
	if t.batch != nil && t.db.failed() == nil {
		t.batch.Close()
	}
	t.batch, t.own = nil, overlay{}
	t.db.release(&t.reader)
}

// Get implements kv.Reader.
func (t *tx) Get(key []byte) ([]byte, error) {
	if len(key) > kv.MaxKey {
		return nil, kv.ErrTooLarge
	}
	if t.db.check && !kv.CoversKey(t.keys, key) {
		return nil, kv.ErrUndeclared
	}
	if v, found := t.own.get(key); found {
		return v, nil
	}
	return t.reader.Get(key)
}

// Scan implements kv.Reader.
func (t *tx) Scan(start, end []byte) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		switch {
		case t.db.check && !kv.Covers(t.keys, start, end):
			yield(kv.Pair{}, kv.ErrUndeclared)
		case t.own.empty():
			t.reader.Scan(start, end)(yield)
		case end == nil || bytes.Compare(start, end) < 0:
			it, err := t.seek(start, end)
			if err != nil {
				yield(kv.Pair{}, err)
				return
			}
			defer t.ended()
			t.own.merge(it, start, end, yield)
		}
	}
}

// Put implements kv.Tx.
func (t *tx) Put(key, value []byte) error {
	if len(value) > kv.MaxValue {
		return kv.ErrTooLarge
	}
	if err := t.grow(len(key), len(value)); err != nil {
		return err
	}
	op := t.batch.SetDeferred(1+len(key), len(value))
	op.Key[0] = dataPrefix
	copy(op.Key[1:], key)
	copy(op.Value, value)
	t.own.put(op.Key[1:], op.Value)
	return nil
}

// Delete implements kv.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.grow(len(key), 0); err != nil {
		return err
	}
	op := t.batch.DeleteDeferred(1 + len(key))
	op.Key[0] = dataPrefix
	copy(op.Key[1:], key)
	t.own.delete(op.Key[1:])
	return nil
}

// DeleteRange implements kv.RangeDeleter, at the cost of one write.
func (t *tx) DeleteRange(start, end []byte) error {
	if end != nil && bytes.Compare(start, end) >= 0 {
		return nil
	}
	if err := t.grow(len(start), 0); err != nil {
		return err
	}
	if err := t.grow(len(end), 0); err != nil {
		return err
	}
	s, e := append(bytes.Clone(dataStart), start...), dataEnd
	if end != nil {
		e = append(bytes.Clone(dataStart), end...)
		end = e[1:]
	}
	t.own.deleteRange(s[1:], end)
	return t.batch.DeleteRange(s, e, nil)
}

// grow makes room in the batch for a key and a value, unless that is too much.
func (t *tx) grow(key, value int) error {
	if key > kv.MaxKey {
		return kv.ErrTooLarge
	}
	if t.batch == nil {
		t.batch = t.db.pebble.NewBatch()
	}
	if t.batch.Len()+key+value > kv.MaxUpdate+overhead {
		return kv.ErrTooLarge
	}
	return nil
}
