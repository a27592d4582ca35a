package disk

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

// List implements segment.Store. The first to end without finding anything incomplete
// looks at each footer; later ones need not, as this store leaves nothing incomplete.
func (s *Store) List(ctx context.Context) iter.Seq2[segment.Info, error] {
	return func(yield func(segment.Info, error) bool) {
		known, clean := s.listedClean.Load(), true
		for i := range s.shards {
			names, err := s.fs.list(s.shards[i].dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(segment.Info{}, err)
				return
			}
			for _, name := range names {
				info, ok, err := s.inspect(ctx, byte(i), name, known)
				if err != nil {
					yield(segment.Info{}, err)
					return
				}
				if !ok {
					continue
				}
				clean = clean && !info.Incomplete
				if !yield(info, nil) {
					return
				}
			}
		}
		if !s.listPacks(ctx, yield) {
			return
		}
		if err := s.ready(ctx); err != nil { // a store without a file may be closed too
			yield(segment.Info{}, err)
			return
		}
		if clean {
			s.listedClean.Store(true)
		}
	}
}

// inspect returns the entry of List for a name in a subfolder, and whether there is one: foreign
// names, files being written and files deleted meanwhile have none. The footer of a file that is
// known to be complete is not looked at.
func (s *Store) inspect(ctx context.Context, shard byte, name string, known bool) (segment.Info, bool, error) {
	var info segment.Info
	if err := s.ready(ctx); err != nil {
		return info, false, err
	}
	id, err := segment.ParseID(name)
	if err != nil || id[0] != shard || id.String() != name || s.hidden(id) {
		return info, false, nil
	}
	stat, err := s.fs.stat(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return info, false, nil
	}
	if err != nil {
		return info, false, err
	}
	info.ID = id
	info.Written = stat.ModTime()
	size, fits := contentSize(stat.Size())
	info.Size, info.Incomplete = size, !fits
	if known || !fits {
		return info, true, nil
	}
	f, err := s.load(id)
	switch {
	case err == nil:
		_ = f.Close()
	case errors.Is(err, segment.ErrCorrupt):
		info.Incomplete = true
	case errors.Is(err, segment.ErrNotFound):
		return info, false, nil
	default:
		return info, false, err
	}
	return info, true, nil
}

// Verify implements segment.Store. It checks every byte of the file.
func (s *Store) Verify(ctx context.Context, ref segment.Ref) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if s.cache.condemned(ref.ID) {
		return notFound(ref.ID)
	}
	f, err := s.load(ref.ID)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return verify(ctx, &f, ref)
}

// verify checks every byte of a segment.
func verify(ctx context.Context, f *stored, ref segment.Ref) error {
	size := f.size
	if size != ref.Size {
		return corrupt(ref.ID, "it has %d bytes, not %d", size, ref.Size)
	}
	buf := readBuffers.Get().(*buffer)
	defer readBuffers.Put(buf)
	var sum uint64
	for start := int64(0); start < size; start += readSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		content := buf.content[:min(readSize, size-start)]
		sums := buf.sums[:blocksIn(int64(len(content)))*sumSize]
		if err := readBlocks(f, ref, content, start, sums); err != nil {
			return err
		}
		sum = crc64nvme.Update(sum, sums)
	}
	if sum != f.tableSum {
		return corrupt(ref.ID, "the table has another checksum")
	}
	return nil
}
