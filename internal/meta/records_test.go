package meta_test

import (
	"testing"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// TestBlockIDsAreBytes: some clients make the IDs of blocks from random bytes, which
// are no text in any encoding.
func TestBlockIDsAreBytes(t *testing.T) {
	f := newFixture(t)
	ids := []string{"\x00\x00", "\x8c\xff", "\xff\xff"}
	f.update(meta.BlobKey(gen, "a"), func(tx kv.Tx) error {
		for _, id := range ids {
			if err := meta.PutStagedBlock(tx, gen, "a", &blob.Block{ID: id}, &meta.Staging{}); err != nil {
				return err
			}
		}
		return nil
	})
	f.update(meta.BlobKey(gen, "a"), func(tx kv.Tx) error {
		blocks, err := meta.AllStagedBlocks(tx, gen, "a")
		if err != nil {
			return err
		}
		for i, b := range blocks {
			if b.ID != ids[i] {
				t.Errorf("block %d has the ID %q, want %q", i, b.ID, ids[i])
			}
		}
		if len(blocks) != len(ids) {
			t.Errorf("%d blocks, want %d", len(blocks), len(ids))
		}
		return nil
	})
}
