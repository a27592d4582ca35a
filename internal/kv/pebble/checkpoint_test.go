package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/leasehold/leasehold/internal/kv"
)

// TestCheckpointIsShown makes copies while keys are counted up: what begins after a copy was
// made is shown all that is in it.
func TestCheckpointIsShown(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	const writers = 16
	for w := range writers {
		key := []byte{byte(w)}
		load.Go(func() {
			for n := uint64(1); ctx.Err() == nil; n++ {
				err := db.Update(ctx, []kv.Key{key}, func(tx kv.Tx) error {
					return tx.Put(key, binary.BigEndian.AppendUint64(nil, n))
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	counts := func(db *DB) (n [writers]uint64) {
		t.Helper()
		err := db.View(t.Context(), func(r kv.Reader) error {
			for w := range n {
				v, err := r.Get([]byte{byte(w)})
				if err != nil {
					return err
				}
				if v != nil {
					n[w] = binary.BigEndian.Uint64(v)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 20 {
		to := filepath.Join(dir, fmt.Sprint("copy", i))
		if err := db.Checkpoint(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		shown := counts(db)
		c, err := Open(to, nil)
		if err != nil {
			t.Fatal(err)
		}
		for w, n := range counts(c) {
			if n > shown[w] {
				t.Errorf("copy %d has %d where %d was shown after it", i, n, shown[w])
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
