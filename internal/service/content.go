package service

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"io"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

func (s *txn) newObject() blob.ObjectID { return blob.ObjectID(s.NewGUID()) }

// stream is a range of the content of a blob, ready to be sent to a client.
type stream struct {
	segments segment.Store
	db       kv.DB
	ctx      context.Context
	gen      uint64          // of the container
	key      *encryption.Key // for late parts; nil if they are not encrypted
	size     int64
	parts    []part
	held     int64         // bytes of inline parts that are copied
	first    io.ReadCloser // of the first part that is a segment, opened inside the transaction
}

// maxHeld is how many bytes of inline parts a stream copies within its transaction. It covers all
// content without a stored list of blocks, whose bytes are gone as soon as the blob is overwritten.
// Later parts are read when it is their turn, as segments are: the sweeper keeps those for a while.
const maxHeld = 1 << 20

// part is one run of bytes of a stream.
type part struct {
	inline []byte
	late   bool        // inline bytes that have not been read
	zero   bool        // nothing was written here
	ref    segment.Ref // for late bytes, only the ID
	off, n int64
	cipher cipher.Stream // decrypts the part; nil if it is not encrypted
}

// newStream returns an empty stream of the container's content, for size bytes.
func (s *txn) newStream(size int64) *stream {
	return &stream{segments: s.Segments, db: s.DB, ctx: s.ctx(), gen: s.container.Generation, key: s.key, size: size}
}

// open prepares n bytes of content from offset off. Inline parts are copied, up to maxHeld. The
// first segment is opened, so that the deletion of a segment is noticed before the answer begins.
func (s *txn) open(b *blob.Blob, off, n int64) (*stream, error) {
	out := s.newStream(n)
	if b.Content.Paged {
		return out, s.openPages(out, b, blob.PageRange{Start: off, End: off + n})
	}
	for placed, err := range meta.Blocks(s.r, b.Content, off, off+n) {
		if err != nil {
			return nil, err
		}
		c := placed.Chunk
		from := max(off-placed.Start, 0)
		c.Offset, c.Length = c.Offset+from, min(c.Length, off+n-placed.Start)-from
		if err := s.addPart(out, c); err != nil {
			return nil, err
		}
	}
	return out, out.openFirst()
}

// openPages prepares a range of a page blob.
func (s *txn) openPages(out *stream, b *blob.Blob, r blob.PageRange) error {
	extents := meta.Extents(s.r, s.container.Generation, b.Content, r.Start)
	for run, err := range blob.PageRuns(extents, r) {
		switch {
		case err != nil:
			return err
		case !run.Written:
			out.parts = append(out.parts, part{zero: true, n: run.Len()})
		default:
			if err := s.addPart(out, run.Chunk); err != nil {
				return err
			}
		}
	}
	return out.openFirst()
}

// addPart adds a run of stored bytes to a stream.
func (s *txn) addPart(out *stream, c blob.Chunk) error {
	p := part{off: c.Offset, n: c.Length}
	var object []byte
	if c.Inline && out.held+c.Length > maxHeld {
		p.late, p.ref.ID = true, segment.ID(c.Object)
		out.parts = append(out.parts, p)
		return nil
	}
	if c.Inline {
		out.held += c.Length
		data, err := meta.Inline(s.r, s.container.Generation, c.Object)
		if err != nil {
			return err
		}
		object, p.inline = data, append([]byte(nil), data[p.off:p.off+p.n]...)
	} else {
		p.ref = segment.Ref{ID: segment.ID(c.Object), Size: c.Size}
	}
	if s.key != nil {
		if err := s.unseal(&p, object); err != nil {
			return err
		}
	}
	out.parts = append(out.parts, p)
	return nil
}

func (s *stream) openFirst() (err error) {
	if len(s.parts) > 0 && s.parts[0].inline == nil && !s.parts[0].zero {
		p := s.parts[0]
		s.first, err = s.segments.Open(s.ctx, p.ref, p.off, p.n)
	}
	return err
}

// Length returns the number of bytes.
func (s *stream) Length() int64 { return s.size }

// WriteTo sends the bytes. An error in the middle ends the connection, which tells the client that
// the answer is incomplete.
func (s *stream) WriteTo(w io.Writer) (total int64, err error) {
	for i := range s.parts {
		n, err := s.send(w, i)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (s *stream) send(w io.Writer, i int) (int64, error) {
	p := &s.parts[i]
	if p.cipher != nil {
		w = cipher.StreamWriter{S: p.cipher, W: w}
	}
	if p.inline != nil {
		n, err := w.Write(p.inline)
		return int64(n), err
	}
	if p.late {
		return s.sendLate(w, p)
	}
	if p.zero {
		return io.CopyN(w, zeros{}, p.n)
	}
	r := s.first
	if i > 0 {
		opened, err := s.segments.Open(s.ctx, p.ref, p.off, p.n)
		if err != nil {
			return 0, err
		}
		defer opened.Close()
		r = opened
	}
	if to, ok := r.(io.WriterTo); ok {
		return to.WriteTo(w)
	}
	return io.CopyN(w, r, p.n)
}

// errGone reports content that was overwritten during the answer, longer ago than the sweeper
// waits.
var errGone = errors.New("service: the content was removed while it was being read")

// sendLate reads a short body in a transaction of its own, and sends it.
func (s *stream) sendLate(w io.Writer, p *part) (int64, error) {
	var object []byte
	err := s.db.View(s.ctx, func(r kv.Reader) error {
		lent, err := meta.Inline(r, s.gen, blob.ObjectID(p.ref.ID))
		object = bytes.Clone(lent)
		return err
	})
	if errors.Is(err, meta.ErrDamaged) {
		err = errGone
	}
	if err != nil {
		return 0, err
	}
	if s.key != nil {
		w = cipher.StreamWriter{S: s.key.Open(object[:encryption.NonceSize], p.off-encryption.NonceSize), W: w}
	}
	n, err := w.Write(object[p.off : p.off+p.n])
	return int64(n), err
}

// zeros yields zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Close releases the open parts.
func (s *stream) Close() error {
	if s.first == nil {
		return nil
	}
	return s.first.Close()
}
