package disk

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/leasehold/leasehold/internal/segment"
)

const (
	// readSize is how many bytes a read takes from the file at a time, a multiple
	// of blockSize.
	readSize = 256 << 10
	// sendMin is from how many bytes on handing over the file pays: below it, a copy
	// costs less than the calls.
	sendMin = 32 << 10
	// sendMax is how many bytes are handed over between two looks at the context.
	sendMax = 4 << 20
	// reopenMin is from how many bytes on a reader opens a file of its own to hand
	// over when another uses the offset of the shared one.
	reopenMin = 256 << 10
)

// readBuffers are for ranges in many blocks, blockBuffers for those in one.
var (
	readBuffers  = sync.Pool{New: func() any { return &buffer{content: make([]byte, readSize)} }}
	blockBuffers = sync.Pool{New: func() any { return &buffer{content: make([]byte, blockSize)} }}
)

// buffer holds blocks and their table entries.
type buffer struct {
	content []byte
	sums    [readSize / blockSize * sumSize]byte
}

// Open implements segment.Store. The reader implements io.WriterTo. A destination that
// implements io.ReaderFrom is handed an *io.LimitedReader over an *os.File, from which
// an HTTP response over plain TCP sends without copying; one that would only copy, such
// as a response over TLS, does better to hide its ReadFrom.
func (s *Store) Open(ctx context.Context, ref segment.Ref, off, n int64) (io.ReadCloser, error) {
	if err := ref.CheckRange(off, n); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	of, err := s.cache.acquire(ref.ID)
	if err != nil {
		return nil, err
	}
	if of.size != ref.Size {
		s.cache.release(of)
		return nil, corrupt(ref.ID, "it has %d bytes, not %d", of.size, ref.Size)
	}
	return &reader{ctx: ctx, s: s, of: of, ref: ref, off: off, end: off + n}, nil
}

// reader reads one range of a segment.
type reader struct {
	ctx      context.Context
	s        *Store
	of       *openFile // nil after Close
	ref      segment.Ref
	off, end int64   // what was not given yet
	good     []byte  // checked bytes from off on, in buf
	buf      *buffer // nil if none is held
}

// errReaderClosed is returned by reads after Close.
var errReaderClosed = fmt.Errorf("segment: reader: %w", os.ErrClosed)

// ready returns the error that stands in the way of reading on.
func (r *reader) ready() error {
	if r.of == nil {
		return errReaderClosed
	}
	return r.ctx.Err()
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	if r.off == r.end {
		r.freeBuffer()
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.good) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.good)
	r.take(n)
	return n, nil
}

// take counts n bytes as given.
func (r *reader) take(n int) {
	r.good = r.good[n:]
	r.off += int64(n)
}

// fill reads and checks the next blocks.
func (r *reader) fill() error {
	if r.buf == nil {
		if r.off/blockSize == (r.end-1)/blockSize {
			r.buf = blockBuffers.Get().(*buffer)
		} else {
			r.buf = readBuffers.Get().(*buffer)
		}
	}
	first := r.off / blockSize
	start := first * blockSize
	stop := min(start+int64(len(r.buf.content)), blocksIn(r.end)*blockSize, r.ref.Size)
	last := blocksIn(stop)
	content := r.buf.content[:stop-start]
	if err := readBlocks(r.of, r.ref, content, start, r.buf.sums[:(last-first)*sumSize]); err != nil {
		return err
	}
	r.of.checked.add(first, last)
	r.good = content[r.off-start : min(r.end, stop)-start]
	return nil
}

// freeBuffer gives the buffer back.
func (r *reader) freeBuffer() {
	if r.buf == nil {
		return
	}
	if len(r.buf.content) == readSize {
		readBuffers.Put(r.buf)
	} else {
		blockBuffers.Put(r.buf)
	}
	r.buf, r.good = nil, nil
}

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (written int64, err error) {
	var out sender
	if to, ok := w.(io.ReaderFrom); ok && !r.s.checkAlways {
		out.to = to
		defer out.end()
	}
	for {
		if err := r.ready(); err != nil {
			return written, err
		}
		if r.off == r.end {
			r.freeBuffer()
			return written, nil
		}
		if len(r.good) == 0 {
			n, err := r.send(&out)
			written += n
			if err != nil {
				return written, err
			}
			if n > 0 {
				continue
			}
			if err := r.fill(); err != nil {
				return written, err
			}
		}
		n, err := w.Write(r.good)
		r.take(n)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.of == nil {
		return nil
	}
	r.freeBuffer()
	r.s.cache.release(r.of)
	r.of = nil
	return nil
}

// send hands the checked blocks that come next to the destination, if there are enough
// to pay, and returns how many bytes that were.
func (r *reader) send(out *sender) (int64, error) {
	if out.to == nil {
		return 0, nil
	}
	n := r.checkedRun()
	if n < sendMin || !out.begin(r, n) {
		return 0, nil
	}
	if _, err := out.f.Seek(r.of.at+r.off, io.SeekStart); err != nil {
		return 0, err
	}
	sent, err := out.to.ReadFrom(&io.LimitedReader{R: out.f, N: n})
	r.off += sent
	if err == nil && sent < n {
		err = corrupt(r.ref.ID, "the file ends at %d", r.off)
	}
	return sent, err
}

// checkedRun returns how many bytes from off on lie in blocks that were found good, at
// most sendMax.
func (r *reader) checkedRun() int64 {
	limit := min(r.end, r.off+sendMax)
	block := r.off / blockSize
	for block*blockSize < limit && r.of.checked.has(block) {
		block++
	}
	return max(min(block*blockSize, limit)-r.off, 0)
}

// sender is a destination that is handed a file and reads from its offset. Only one may
// use that of the shared file; others open the file again.
type sender struct {
	to     io.ReaderFrom // nil if the destination only takes bytes
	f      *os.File      // nil before begin
	shared *openFile     // whose offset is held, if f is its file
}

// begin finds a file whose offset can be moved, for n bytes or more. It returns false
// if there is none: then the bytes are to be copied.
func (o *sender) begin(r *reader, n int64) bool {
	if o.f != nil {
		return true
	}
	f, ok := r.of.file.(osFile)
	if !ok {
		return false
	}
	if r.of.offset.TryLock() {
		o.f, o.shared = f.File, r.of
		return true
	}
	if n < reopenMin {
		return false
	}
	own, err := os.Open(f.Name())
	if err != nil {
		return false // deleted since; the shared file is still good to copy from
	}
	o.f = own
	return true
}

// end gives back what begin found.
func (o *sender) end() {
	switch {
	case o.shared != nil:
		o.shared.offset.Unlock()
	case o.f != nil:
		_ = o.f.Close()
	}
}
