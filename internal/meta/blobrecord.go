package meta

import (
	"fmt"
	"math"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
)

// Records of blobs are what the service reads most, thousands of them for one listing.
// They are read by hand, field by field, at a fraction of what the codec takes, which
// finds out by reflection where a value goes. What the codec says is what counts: a test
// holds this reader to it, for every field there is, and what it doesn't know is left to
// the codec.

// getBlob is get for records of blobs.
func getBlob(r kv.Reader, key []byte) (*blob.Blob, error) {
	raw, err := r.Get(key)
	if raw == nil || err != nil {
		return nil, err
	}
	return newBlob(key, raw)
}

// newBlob is decode for records of blobs.
func newBlob(key, raw []byte) (*blob.Blob, error) {
	b := new(blob.Blob)
	if err := decodeBlob(key, raw, b, false); err != nil {
		return nil, err
	}
	return b, nil
}

// decodeBlob reads a record into b, whose slices it uses again: what was in b is gone. If
// lend is set, the texts in b are valid only as long as raw is.
func decodeBlob(key, raw []byte, b *blob.Blob, lend bool) error {
	c := cursor{buf: raw, lend: lend}
	c.blob(b)
	if c.done() {
		return nil
	}
	*b = blob.Blob{}
	if err := decoding.Unmarshal(raw, b); err != nil {
		return fmt.Errorf("%w under key %q: %v", ErrDamaged, key, err)
	}
	return nil
}

func (c *cursor) blob(b *blob.Blob) {
	metadata, tags, blocks, md5, keyHash := b.Metadata, b.Tags, b.Content.Blocks, b.HTTP.ContentMD5, b.KeyHash
	*b = blob.Blob{}
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			b.Type = blob.Type(c.unsigned(math.MaxUint8))
		case 2:
			b.ETag = blob.ETag(c.unsigned(math.MaxUint64))
		case 3:
			b.Created = blob.Time(c.int64())
		case 4:
			b.Modified = blob.Time(c.int64())
		case 5:
			b.Size = c.int64()
		case 6:
			c.httpHeaders(&b.HTTP, md5)
		case 7:
			b.Metadata = c.metadata(metadata)
		case 8:
			b.Tags = c.tags(tags)
		case 9:
			c.lease(&b.Lease)
		case 10:
			c.content(&b.Content, blocks)
		case 11:
			b.Uncommitted = c.bool()
		case 12:
			b.LastStaged = blob.Time(c.int64())
		case 13:
			b.VersionID = blob.Time(c.int64())
		case 14:
			b.Deleted = blob.Time(c.int64())
		case 15:
			b.Retained = blob.Time(c.int64())
		case 20:
			c.tier(&b.Access)
		case 21:
			c.immutability(&b.Policy)
		case 22:
			b.LegalHold = c.bool()
		case 23:
			b.Expires = blob.Time(c.int64())
		case 30:
			b.Copy = new(blob.Copy)
			c.copied(b.Copy)
		case 35:
			b.Sealed = c.bool()
		case 36:
			b.Sequence = c.int64()
		case 37:
			b.Origin = blob.ETag(c.unsigned(math.MaxUint64))
		case 38:
			b.Incremental = new(blob.Incremental)
			c.incremental(b.Incremental)
		case 40:
			b.KeyHash = c.bytes(keyHash)
		case 41:
			b.Scope = c.text()
		default:
			c.fail()
		}
	}
}

func (c *cursor) httpHeaders(h *blob.HTTPHeaders, md5 []byte) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			h.ContentType = c.text()
		case 2:
			h.ContentEncoding = c.text()
		case 3:
			h.ContentLanguage = c.text()
		case 4:
			h.ContentDisposition = c.text()
		case 5:
			h.CacheControl = c.text()
		case 6:
			h.ContentMD5 = c.bytes(md5)
		case 7:
			h.Untyped = c.bool()
		default:
			c.fail()
		}
	}
}

func (c *cursor) metadata(old blob.Metadata) blob.Metadata {
	m, n := list(c, old)
	for ; n > 0 && !c.failed; n-- {
		c.tuple(2)
		m = append(m, blob.MetadataPair{Name: c.text(), Value: c.text()})
	}
	return m
}

func (c *cursor) tags(old blob.Tags) blob.Tags {
	t, n := list(c, old)
	for ; n > 0 && !c.failed; n-- {
		c.tuple(2)
		t = append(t, blob.Tag{Key: c.text(), Value: c.text()})
	}
	return t
}

func (c *cursor) lease(l *lease.Lease) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			l.Kind = lease.Kind(c.unsigned(math.MaxUint8))
		case 2:
			c.id((*[16]byte)(&l.ID))
		case 3:
			l.Duration = lease.Duration(c.integer(math.MaxInt32))
		case 4:
			l.End = lease.Instant(c.int64())
		case 5:
			l.Epoch = c.unsigned(math.MaxUint64)
		case 6:
			c.holder(&l.Holder)
		case 7:
			l.Since = lease.Instant(c.int64())
		case 8:
			l.Renewed = lease.Instant(c.int64())
		default:
			c.fail()
		}
	}
}

func (c *cursor) holder(h *lease.Holder) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			h.Principal = c.text()
		case 2:
			h.Address = c.text()
		case 3:
			h.Client = c.text()
		default:
			c.fail()
		}
	}
}

func (c *cursor) content(t *blob.Content, blocks []blob.Block) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			c.id((*[16]byte)(&t.Holder))
		case 2:
			t.Blocks = c.blocks(blocks)
		case 3:
			c.id((*[16]byte)(&t.List))
		case 4:
			t.Listed = c.bool()
		case 5:
			t.Count = int(c.integer(math.MaxInt))
		case 6:
			t.Shared = c.bool()
		case 7:
			t.Paged = c.bool()
		case 8:
			t.Name = c.text()
		default:
			c.fail()
		}
	}
}

func (c *cursor) blocks(old []blob.Block) []blob.Block {
	blocks, n := list(c, old)
	for ; n > 0 && !c.failed; n-- {
		var k blob.Chunk
		c.tuple(2)
		id := c.text()
		c.tuple(5)
		c.id((*[16]byte)(&k.Object))
		k.Inline, k.Offset, k.Length, k.Size = c.bool(), c.int64(), c.int64(), c.int64()
		blocks = append(blocks, blob.Block{ID: id, Chunk: k})
	}
	return blocks
}

func (c *cursor) tier(t *blob.TierState) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			t.Tier = blob.Tier(c.unsigned(math.MaxUint8))
		case 2:
			t.Changed = blob.Time(c.int64())
		case 3:
			t.Target = blob.Tier(c.unsigned(math.MaxUint8))
		case 4:
			t.Done = blob.Time(c.int64())
		case 5:
			t.Urgent = c.bool()
		default:
			c.fail()
		}
	}
}

func (c *cursor) immutability(p *blob.Immutability) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			p.Until = blob.Time(c.int64())
		case 2:
			p.Locked = c.bool()
		default:
			c.fail()
		}
	}
}

func (c *cursor) copied(p *blob.Copy) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			c.id(&p.ID)
		case 2:
			p.Source = c.text()
		case 3:
			p.Size = c.int64()
		case 4:
			p.Completed = blob.Time(c.int64())
		default:
			c.fail()
		}
	}
}

func (c *cursor) incremental(i *blob.Incremental) {
	var seen fields
	for n := c.count(majorMap); n > 0 && !c.failed; n-- {
		switch c.key(&seen) {
		case 1:
			i.Gen = c.unsigned(math.MaxUint64)
		case 2:
			i.Name = c.text()
		case 3:
			i.Origin = blob.ETag(c.unsigned(math.MaxUint64))
		case 4:
			i.Copied = blob.Time(c.int64())
		case 5:
			i.Snapshot = blob.Time(c.int64())
		default:
			c.fail()
		}
	}
}
