package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

const (
	// writeSize is how many bytes go to the file at a time, a multiple of blockSize.
	writeSize = 256 << 10
	// syncAhead is after how many bytes the disk is asked to begin with them.
	syncAhead = 2 << 20
)

// writeBuffers has room for a header before the content, and the table and the footer
// behind it, so that a segment of up to writeSize bytes is written by one call.
var writeBuffers = sync.Pool{New: func() any {
	b := pageAligned(max(entrySize(writeSize), headerSize+fileSize(writeSize)))
	return &b
}}

// Write implements segment.Store.
func (s *Store) Write(ctx context.Context, r io.Reader) (segment.Ref, error) {
	if err := s.ready(ctx); err != nil {
		return segment.Ref{}, err
	}
	pooled := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(pooled)
	c := content{r: r, buf: (*pooled)[headerSize:]}
	c.next(ctx)
	switch c.err {
	case nil:
	case io.EOF:
		ref, err := s.writePacked((*pooled)[:headerSize+c.n])
		if !errors.Is(err, errors.ErrUnsupported) {
			return ref, writeError(err)
		}
	default:
		return segment.Ref{}, c.err
	}
	copy(*pooled, c.buf[:c.n])
	c.buf = *pooled
	return s.writeFile(ctx, &c)
}

// content is what is to be written: the bytes in buf that were read, and a reader of the rest.
type content struct {
	r   io.Reader
	buf []byte // with room for table and footer; for a file of its own it begins at a page
	n   int    // of buf, what was read last
	err error  // how that ended
}

// next reads on, if the content goes on.
func (c *content) next(ctx context.Context) {
	c.n, c.err = readUpTo(ctx, c.r, c.buf[:writeSize])
}

// writeFile writes a segment into a file of its own.
func (s *Store) writeFile(ctx context.Context, c *content) (segment.Ref, error) {
	id, err := s.begin(ctx)
	if err != nil {
		return segment.Ref{}, err
	}
	failures := s.shards[id[0]].names.failures()
	f, err := s.create(id)
	if err != nil {
		s.settle(id)
		return segment.Ref{}, writeError(err)
	}
	done := false
	defer func() { // also when r panics
		_ = f.Close() // what it could report, the sync before has reported
		if !done {
			s.abandon(id)
		}
	}()
	f.bypassCache()
	ref, err := fill(ctx, f, id, c)
	if err != nil {
		return segment.Ref{}, err
	}
	if err := s.makeDurable(id, f, failures); err != nil {
		return segment.Ref{}, writeError(err)
	}
	done = true
	s.settle(id)
	return ref, nil
}

// begin chooses an ID and hides its file until settle.
func (s *Store) begin(ctx context.Context) (segment.ID, error) {
	var id segment.ID
	_, _ = rand.Read(id[1:]) // never fails
	id[0] = byte(s.turn.Add(1) / shardTurn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return id, segment.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return id, err
	}
	s.writing[id] = true
	return id, nil
}

// create makes the file of a segment, and its subfolder if need be.
func (s *Store) create(id segment.ID) (file, error) {
	if err := s.makeShard(id[0]); err != nil {
		return nil, err
	}
	return s.fs.create(s.path(id))
}

// settle ends the hiding of a file that is a segment now, or is gone.
func (s *Store) settle(id segment.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, id)
}

// hidden reports whether a file is no segment, or not yet.
func (s *Store) hidden(id segment.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writing[id]
}

// abandon removes what a failed write left. If that fails too, the file stays hidden
// for the life of this store.
func (s *Store) abandon(id segment.ID) {
	if err := s.fs.remove(s.path(id)); err == nil {
		s.settle(id)
	}
}

// fill writes all content to f, and behind it the table and the footer. While the disk takes
// one piece, the next is read into a second buffer.
func fill(ctx context.Context, f file, id segment.ID, c *content) (segment.Ref, error) {
	pooled := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(pooled)
	free := *pooled
	w := pieceWriter{f: f}
	defer func() { _ = w.wait() }() // the buffers are used again; what failed before counts
	var table []byte
	ref := segment.Ref{ID: id}
	for ; ; c.next(ctx) {
		if c.err != nil && c.err != io.EOF {
			return ref, c.err
		}
		table = appendSums(table, c.buf[:c.n])
		ref.Size += int64(c.n)
		if err := w.wait(); err != nil {
			return ref, writeError(err)
		}
		if c.err == io.EOF {
			return ref, writeError(writeLast(f, ref, c.buf[:c.n], table))
		}
		w.start(c.buf[:c.n], ref.Size-int64(c.n))
		c.buf, free = free, c.buf
	}
}

// pieceWriter writes one piece of a file at a time, while its caller does something else.
type pieceWriter struct {
	f       file
	outcome chan error // of the piece that is being written; nil if none is
}

func (w *pieceWriter) start(b []byte, off int64) {
	outcome := make(chan error, 1)
	w.outcome = outcome
	go func() {
		err := w.f.writeAll([][]byte{b}, off)
		if end := off + int64(len(b)); err == nil && end%syncAhead == 0 {
			w.f.startSync(end-syncAhead, syncAhead)
		}
		outcome <- err
	}()
}

// wait returns when no piece is being written, with what became of the last.
func (w *pieceWriter) wait() error {
	if w.outcome == nil {
		return nil
	}
	err := <-w.outcome
	w.outcome = nil
	return err
}

// writeLast writes the last content to f, and behind it the table and the footer.
func writeLast(f file, ref segment.Ref, last, table []byte) error {
	off := ref.Size - int64(len(last))
	whole := len(last) &^ (pageSize - 1)
	if whole > 0 {
		if err := f.writeAll([][]byte{last[:whole]}, off); err != nil {
			return err
		}
	}
	end := append(last[whole:], table...)
	end = appendFooter(end, ref, crc64nvme.Checksum(table))
	return f.writeEnd(end, off+int64(whole))
}

// readUpTo fills b from r as far as r goes. It returns io.EOF where r ended, and other
// errors of r as they are. The context is looked at before each read and at the end.
func readUpTo(ctx context.Context, r io.Reader, b []byte) (n int, err error) {
	for empty := 0; n < len(b) && err == nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var m int
		m, err = r.Read(b[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			return n, io.ErrNoProgress
		}
	}
	if err == nil || err == io.EOF {
		if cerr := ctx.Err(); cerr != nil {
			return n, cerr
		}
	}
	return n, err
}

// makeDurable makes a written file and its name durable, which was made after a number of
// failures of the subfolder's sync. A failure is final: after it the
// kernel may have dropped what it could not write, and a second sync would report success.
func (s *Store) makeDurable(id segment.ID, f file, failures int) error {
	if err := f.syncData(); err != nil {
		return err
	}
	return s.shards[id[0]].names.join(struct{}{}, failures)
}

// writeError adds segment.ErrFull to errors that may pass.
func writeError(err error) error {
	if err != nil && cannotWrite(err) {
		return fmt.Errorf("%w: %w", segment.ErrFull, err)
	}
	return err
}
