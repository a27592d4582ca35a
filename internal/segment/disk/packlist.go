package disk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/leasehold/leasehold/internal/segment"
)

// entries yields the headers in a pack, segment.ErrCorrupt for each that is damaged, and
// other errors last. What a crash has left without a header it steps over, page by page.
func entries(f file, name packName) iter.Seq2[header, error] {
	return func(yield func(header, error) bool) {
		var off, size int64
		for ; ; off += size {
			at, err := f.nextData(off)
			if err == io.EOF {
				return
			}
			off, size = at&^(pageSize-1), pageSize
			var h header
			if err == nil {
				h, err = readHeader(f, name, off)
			}
			if errors.Is(err, errNoEntry) || errors.Is(err, errNoHeader) {
				continue
			}
			if !yield(h, err) || err != nil && !errors.Is(err, segment.ErrCorrupt) {
				return
			}
			if err == nil {
				size = entrySize(h.Size)
			}
		}
	}
}

// leftoverID names a pack in which a crash left no entry.
func leftoverID(name packName) segment.ID {
	id := entryID(name, leftoverPage*pageSize)
	clear(id[12:])
	return id
}

// listPacks yields the segments in packs, and those packs that a crash has left without any.
// A pack with a damaged header is none of the latter: the entry may be referred to.
func (s *Store) listPacks(ctx context.Context, yield func(segment.Info, error) bool) bool {
	names, err := s.fs.list(s.packs.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return yield(segment.Info{}, err)
	}
	for _, text := range names {
		if name, ok := parsePackName(text); ok && !s.listPack(ctx, name, yield) {
			return false
		}
	}
	return true
}

func (s *Store) listPack(ctx context.Context, name packName, yield func(segment.Info, error) bool) bool {
	writes := s.packs.writes(name) // before it is read: then all that it wrote is found
	f, err := s.fs.open(s.packs.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return yield(segment.Info{}, err)
	}
	defer func() { _ = f.Close() }()
	empty := true
	for h, err := range entries(f, name) {
		empty = false
		if errors.Is(err, segment.ErrCorrupt) {
			continue
		}
		if err == nil {
			err = s.ready(ctx)
		}
		if err != nil {
			yield(segment.Info{}, err)
			return false
		}
		if s.hidden(h.ID) || s.cache.condemned(h.ID) {
			continue
		}
		if !yield(segment.Info{Ref: h.Ref, Written: h.written}, nil) {
			return false
		}
	}
	if !empty || writes {
		return true
	}
	stat, err := f.Stat()
	if err != nil {
		return yield(segment.Info{}, err)
	}
	left := segment.Ref{ID: leftoverID(name), Size: stat.Size()}
	return yield(segment.Info{Ref: left, Written: stat.ModTime(), Incomplete: true}, nil)
}
