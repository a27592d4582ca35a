package linear

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
)

// careless decides on a snapshot and writes later, alone with nobody.
type careless struct{ kv.DB }

func (d careless) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	later := &collected{}
	err := d.View(ctx, func(r kv.Reader) error {
		later.Reader = r
		return fn(later)
	})
	if err != nil {
		return err
	}
	return d.DB.Update(ctx, keys, func(tx kv.Tx) error {
		for _, w := range later.writes {
			if err := w(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// collected keeps writes for later.
type collected struct {
	kv.Reader
	writes []func(kv.Tx) error
}

func (c *collected) Put(key, value []byte) error {
	key, value = append([]byte{}, key...), append([]byte{}, value...)
	c.writes = append(c.writes, func(tx kv.Tx) error { return tx.Put(key, value) })
	return nil
}

func (c *collected) Delete(key []byte) error {
	key = append([]byte{}, key...)
	c.writes = append(c.writes, func(tx kv.Tx) error { return tx.Delete(key) })
	return nil
}

// forgetful shows updates no lease of the first blob.
type forgetful struct{ kv.DB }

func (d forgetful) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	return d.DB.Update(ctx, keys, func(tx kv.Tx) error { return fn(unleased{tx}) })
}

type unleased struct{ kv.Tx }

func (u unleased) Get(key []byte) ([]byte, error) {
	raw, err := u.Tx.Get(key)
	if len(key) < 12 || key[0] != 'b' || string(key[9:]) != "a\x00\xFF" || raw == nil || err != nil {
		return raw, err
	}
	gen := uint64(0)
	for _, c := range key[1:9] {
		gen = gen<<8 | uint64(c)
	}
	b, err := meta.Blob(u.Tx, gen, "a")
	if err != nil {
		return nil, err
	}
	b.Lease = lease.Lease{Epoch: b.Lease.Epoch}
	var out written
	err = meta.PutBlob(&out, gen, "a", b)
	return out.value, err
}

// written keeps the value that was put last.
type written struct {
	kv.Tx
	value []byte
}

func (w *written) Put(_, value []byte) error {
	w.value = append([]byte{}, value...)
	return nil
}

// wobbly shows every third update the time of an hour ago.
type wobbly struct {
	kv.DB
	updates atomic.Int64
}

func (d *wobbly) Update(ctx context.Context, keys []kv.Key, fn func(kv.Tx) error) error {
	early := d.updates.Add(1)%3 == 0
	return d.DB.Update(ctx, keys, func(tx kv.Tx) error {
		if early {
			tx = hourAgo{tx}
		}
		return fn(tx)
	})
}

type hourAgo struct{ kv.Tx }

func (h hourAgo) Now() time.Time { return h.Tx.Now().Add(-time.Hour) }
