package disk

import (
	"context"
	"errors"
	"io/fs"

	"github.com/leasehold/leasehold/internal/segment"
)

// packCopier copies packed segments of one store to the packs of another, which nobody
// else writes. They can't be linked: the deletion of an entry changes the file.
type packCopier struct {
	from *Store
	to   *packs
	name packName
	f    file // pack name of to, if one was begun
}

// copy copies a segment, and reports whether there was one in a pack. It is durable after finish.
func (c *packCopier) copy(ctx context.Context, id segment.ID) (bool, error) {
	if err := c.from.ready(ctx); err != nil {
		return false, err
	}
	src, err := c.from.loadPacked(id)
	if errors.Is(err, errNoEntry) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = src.Close() }()
	if err := verify(ctx, &src, segment.Ref{ID: id, Size: src.size}); err != nil {
		return false, err
	}
	entry := make([]byte, headerSize+src.size+sumSize*blocksIn(src.size))
	if err := readFull(src.file, entry, offsetOf(id), id); err != nil {
		return false, err
	}
	if err := c.begin(packOf(id)); err != nil {
		return false, writeError(err)
	}
	_, err = c.f.WriteAt(entry, offsetOf(id))
	return err == nil, writeError(err)
}

// begin opens a pack for entries, and makes it if need be.
func (c *packCopier) begin(name packName) error {
	if c.f != nil && c.name == name {
		return nil
	}
	if err := c.finish(); err != nil {
		return err
	}
	if err := c.to.makeFolder(); err != nil {
		return err
	}
	f, err := c.to.fs.modify(c.to.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = c.to.fs.create(c.to.path(name))
	}
	c.f, c.name = f, name
	return err
}

// finish makes durable what was copied.
func (c *packCopier) finish() error {
	if c.f == nil {
		return nil
	}
	err := c.f.syncData()
	c.abandon()
	if err == nil {
		err = c.to.fs.syncDir(c.to.dir)
	}
	return writeError(err)
}

// abandon closes the pack that was begun.
func (c *packCopier) abandon() {
	if c.f != nil {
		_ = c.f.Close()
	}
	c.f = nil
}
