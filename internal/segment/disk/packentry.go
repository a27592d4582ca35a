package disk

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

// writePacked writes a segment into a pack. Its content is buf[headerSize:], and
// buf, which begins at a page, has room for the whole entry. It returns
// errors.ErrUnsupported, and has written nothing, if segments can't be packed.
func (s *Store) writePacked(buf []byte) (ref segment.Ref, err error) {
	p, id, err := s.reserve(int64(len(buf) - headerSize))
	if err != nil {
		return ref, err
	}
	defer func() {
		s.packs.settle(p, err != nil)
		if err != nil {
			s.removeIfEmpty(p.name)
		}
	}()
	h := header{Ref: segment.Ref{ID: id, Size: int64(len(buf) - headerSize)}, written: time.Now()}
	b := appendSums(buf, buf[headerSize:])
	h.tableSum = crc64nvme.Checksum(b[len(buf):])
	h.append(b[:0])
	end := len(b)
	b = b[:entrySize(h.Size)]
	clear(b[end:])

	if err = p.durable.join(entry{offsetOf(id), b}, p.durable.failures()); err != nil {
		if p.f.punch(offsetOf(id), entrySize(h.Size)) == nil {
			s.settle(id) // else it stays hidden for the life of this store
		}
		return segment.Ref{}, err
	}
	s.settle(id)
	return h.Ref, nil
}

// reserve finds a place for n bytes of content and hides it until settle.
func (s *Store) reserve(n int64) (*pack, segment.ID, error) {
	p, id, err := s.packs.reserve(n)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writing[id] = true
	}
	return p, id, err
}

// loadPacked opens the pack of a segment and checks the header of its entry.
func (s *Store) loadPacked(id segment.ID) (stored, error) {
	f, err := s.fs.open(s.packs.path(packOf(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return stored{}, errNoEntry
	}
	if err != nil {
		return stored{}, err
	}
	h, err := entryOf(f, id)
	if id == leftoverID(packOf(id)) {
		err = corrupt(id, "a crash has left no entry in this pack")
	}
	if err != nil {
		_ = f.Close()
		return stored{}, err
	}
	return stored{file: f, at: offsetOf(id) + headerSize, size: h.Size, tableSum: h.tableSum}, nil
}

// entryOf reads the header of a segment's entry. The error is errNoEntry if there is none or
// that of another segment.
func entryOf(f file, id segment.ID) (header, error) {
	h, err := readHeader(f, packOf(id), offsetOf(id))
	if err == nil && h.ID != id {
		return h, errNoEntry
	}
	return h, err
}

// deletePacked removes the segments of one pack that it has, and returns those it has not.
func (s *Store) deletePacked(ids []segment.ID) (others []segment.ID, err error) {
	name := packOf(ids[0])
	f, err := s.fs.modify(s.packs.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return ids, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	slices.SortFunc(ids, func(a, b segment.ID) int { return cmp.Compare(offsetOf(a), offsetOf(b)) })
	var holes holes
	for _, id := range ids {
		size := int64(pageSize) // of a damaged entry; what else is left of it goes with the pack
		h, err := entryOf(f, id)
		switch {
		case id == leftoverID(name):
			continue
		case err == nil:
			size = entrySize(h.Size)
		case errors.Is(err, errNoEntry):
			others = append(others, id)
			continue
		case !errors.Is(err, segment.ErrCorrupt):
			return nil, errors.Join(err, holes.punch(f))
		}
		if s.cache.condemn(id) {
			defer s.cache.pardon(id)
			holes.add(offsetOf(id), size)
		}
	}
	if err = holes.punch(f); err == nil {
		err = s.removeEmpty(name, f)
	}
	return others, err
}

// bury removes the entry of a deleted segment once its last reader has gone. If that
// fails, the segment is there again for the next one to delete.
func (s *Store) bury(id segment.ID) {
	defer s.cache.pardon(id)
	name := packOf(id)
	f, err := s.fs.modify(s.packs.path(name))
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if h, err := entryOf(f, id); err == nil {
		var hole holes
		hole.add(offsetOf(id), entrySize(h.Size))
		if hole.punch(f) == nil {
			_ = s.removeEmpty(name, f)
		}
	}
}

// removeIfEmpty is removeEmpty for who has not opened the pack. If it fails, the pack is listed.
func (s *Store) removeIfEmpty(name packName) {
	f, err := s.fs.modify(s.packs.path(name))
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	_ = s.removeEmpty(name, f)
}

// removeEmpty removes a pack in which nothing can be found any more.
func (s *Store) removeEmpty(name packName, f file) error {
	if s.packs.writes(name) {
		return nil
	}
	for _, err := range entries(f, name) {
		if errors.Is(err, segment.ErrCorrupt) {
			err = nil // an entry all the same
		}
		return err
	}
	if err := s.fs.remove(s.packs.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// holes are ranges of a pack, in ascending order. Those that touch are one.
type holes []struct{ off, n int64 }

func (h *holes) add(off, n int64) {
	if k := len(*h) - 1; k >= 0 && (*h)[k].off+(*h)[k].n == off {
		(*h)[k].n += n
		return
	}
	*h = append(*h, struct{ off, n int64 }{off, n})
}

// punch makes the ranges read as zeroes. It goes on after an error, and returns all.
func (h holes) punch(f file) error {
	var errs []error
	for _, hole := range h {
		err := f.punch(hole.off, hole.n)
		if errors.Is(err, errors.ErrUnsupported) { // the store came from another file system
			err = zero(f, hole.off, hole.n)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// zero writes zeroes over a range of whole pages.
func zero(f file, off, n int64) error {
	zeroes := make([]byte, pageSize)
	for end := off + n; off < end; off += pageSize {
		if _, err := f.WriteAt(zeroes, off); err != nil {
			return err
		}
	}
	return nil
}
