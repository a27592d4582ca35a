package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"github.com/leasehold/leasehold/internal/segment"
)

// Backup puts the segments that ids yields into the folder dir, durably, in the layout
// that Open reads. It links files, which takes no space and no time and is safe as they
// never change, and copies them, checking each block, where linking fails, as to another
// file system. A linked file is not read: Verify tells whether it is good. A segment that
// is in dir already, and good, is left alone, so that a backup can be taken up again.
// Packed segments are copied, to the same place in a pack of the same name; IDs that come
// in their order are copied with one sync for each pack.
//
// Backup ends with the first error: of ids, of the file systems, or segment.ErrNotFound.
func (s *Store) Backup(ctx context.Context, dir string, ids iter.Seq2[segment.ID, error]) error {
	to, err := openOn(s.fs, dir, nil)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	var touched [256]bool
	packs := packCopier{from: s, to: to.packs}
	defer packs.abandon()
	for id, err := range ids {
		var done bool
		if err == nil && packed(id) {
			done, err = packs.copy(ctx, id)
		}
		if err == nil && !done {
			err = s.backupOne(ctx, to, id)
			touched[id[0]] = true
		}
		if err != nil {
			return fmt.Errorf("backup of segments: %w", err)
		}
	}
	if err := packs.finish(); err != nil {
		return fmt.Errorf("backup of segments: %w", err)
	}
	for i, yes := range touched {
		if !yes {
			continue
		}
		if err := to.shards[i].names.join(struct{}{}, 0); err != nil {
			return fmt.Errorf("backup of segments: %w", err)
		}
	}
	return nil
}

// backupOne links or copies one segment to another store. The name is not durable yet.
func (s *Store) backupOne(ctx context.Context, to *Store, id segment.ID) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := to.makeShard(id[0]); err != nil {
		return writeError(err)
	}
	if there, err := s.inBackup(ctx, to, id); there || err != nil {
		return err
	}
	err := s.fs.link(s.path(id), to.path(id))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", segment.ErrNotFound, id)
	}
	return s.copyTo(ctx, to, id)
}

// inBackup reports whether a segment lies in a backup already: as the same file, or as a
// good copy. It removes a damaged one.
func (s *Store) inBackup(ctx context.Context, to *Store, id segment.ID) (bool, error) {
	there, err := s.fs.stat(to.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if from, err := s.fs.stat(s.path(id)); err == nil && os.SameFile(from, there) {
		return true, nil
	}
	size, _ := contentSize(there.Size())
	err = to.Verify(ctx, segment.Ref{ID: id, Size: size})
	if errors.Is(err, segment.ErrCorrupt) {
		return false, s.fs.remove(to.path(id))
	}
	return err == nil, err
}

// copyTo copies a segment to another store under its own ID.
func (s *Store) copyTo(ctx context.Context, to *Store, id segment.ID) (err error) {
	of, err := s.cache.acquire(id)
	if err != nil {
		return err
	}
	ref := segment.Ref{ID: id, Size: of.size}
	r := &reader{ctx: ctx, s: s, of: of, ref: ref, end: ref.Size}
	defer func() { _ = r.Close() }()
	f, err := to.fs.create(to.path(id))
	if err != nil {
		return writeError(err)
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = to.fs.remove(to.path(id))
		}
	}()
	pooled := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(pooled)
	c := content{r: r, buf: *pooled}
	c.next(ctx)
	if _, err := fill(ctx, f, id, &c); err != nil {
		return err
	}
	return writeError(f.syncData())
}
