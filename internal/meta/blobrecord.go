package meta

import (
	"bytes"
	"fmt"
	"math"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
)

// Records of blobs are what the service reads most, thousands of them for one listing. They are
// read by hand, field by field, in a fraction of the time of the codec, which finds the field of
// each value by reflection. The codec decides: a test holds this reader to it for every field, and
// leaves anything unusual to the codec.

// getBlob is get for records of blobs.
func getBlob(r kv.Reader, key []byte) (*blob.Blob, error) {
	raw, err := r.Get(key)
	if raw == nil || err != nil {
		return nil, err
	}
	return newBlob(key, raw)
}

// newBlob is decode for records of blobs. One copy of raw serves for all that is in the record.
func newBlob(key, raw []byte) (*blob.Blob, error) {
	b := new(blob.Blob)
	if err := decodeBlob(key, bytes.Clone(raw), b); err != nil {
		return nil, err
	}
	return b, nil
}

// decodeBlob reads a record into b, whose slices it uses again: what was in b is gone. The
// texts and byte strings in b are valid only as long as raw is.
func decodeBlob(key, raw []byte, b *blob.Blob) error {
	c := cursor{buf: raw}
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

// decodeProperties is decodeBlob for who does not need b.Content, which it mostly leaves empty.
func decodeProperties(key, raw []byte, b *blob.Blob) error {
	c := cursor{buf: raw}
	left := c.properties(b)
	if c.field(&left, contentField) && left == 0 || left == 0 && c.done() {
		return nil
	}
	return decodeBlob(key, raw, b)
}

// contentField is the key of the content of a blob.
const contentField = 10

func (c *cursor) blob(b *blob.Blob) {
	blocks := b.Content.Blocks
	left := c.properties(b)
	if c.field(&left, contentField) {
		c.content(&b.Content, blocks)
	}
	c.end(left)
}

// properties reads a record up to its content, and returns how many fields are left. Older
// versions wrote the content before what most blobs lack.
func (c *cursor) properties(b *blob.Blob) (left int) {
	metadata, tags := b.Metadata, b.Tags
	*b = blob.Blob{}
	left = c.fields()
	if c.field(&left, 1) {
		b.Type = blob.Type(c.unsigned(math.MaxUint8))
	}
	if c.field(&left, 2) {
		b.ETag = blob.ETag(c.unsigned(math.MaxUint64))
	}
	if c.field(&left, 3) {
		b.Created = blob.Time(c.int64())
	}
	if c.field(&left, 4) {
		b.Modified = blob.Time(c.int64())
	}
	if c.field(&left, 5) {
		b.Size = c.int64()
	}
	if c.field(&left, 6) {
		c.httpHeaders(&b.HTTP)
	}
	if c.field(&left, 7) {
		b.Metadata = c.metadata(metadata)
	}
	if c.field(&left, 8) {
		b.Tags = c.tags(tags)
	}
	if c.field(&left, 9) {
		c.lease(&b.Lease)
	}
	if left > 1 {
		if c.field(&left, contentField) {
			c.content(&b.Content, nil)
		}
		left = c.further(b, left)
	}
	return left
}

// further reads the fields of a record that most blobs lack, and returns how many are left.
func (c *cursor) further(b *blob.Blob, left int) int {
	if c.field(&left, 11) {
		b.Uncommitted = c.bool()
	}
	if c.field(&left, 12) {
		b.Staged = c.bool()
	}
	if c.field(&left, 13) {
		b.VersionID = blob.Time(c.int64())
	}
	if c.field(&left, 14) {
		b.Deleted = blob.Time(c.int64())
	}
	if c.field(&left, 15) {
		b.Retained = blob.Time(c.int64())
	}
	if c.field(&left, 20) {
		c.tier(&b.Access)
	}
	if c.field(&left, 21) {
		c.immutability(&b.Policy)
	}
	if c.field(&left, 22) {
		b.LegalHold = c.bool()
	}
	if c.field(&left, 23) {
		b.Expires = blob.Time(c.int64())
	}
	if c.highField(&left, 30) {
		b.Copy = new(blob.Copy)
		c.copied(b.Copy)
	}
	if c.highField(&left, 40) {
		b.KeyHash = c.bytes()
	}
	if c.highField(&left, 41) {
		b.Scope = c.text()
	}
	if c.highField(&left, 35) {
		b.Sealed = c.bool()
	}
	if c.highField(&left, 36) {
		b.Sequence = c.int64()
	}
	if c.highField(&left, 37) {
		b.Origin = blob.ETag(c.unsigned(math.MaxUint64))
	}
	if c.highField(&left, 38) {
		b.Incremental = new(blob.Incremental)
		c.incremental(b.Incremental)
	}
	return left
}

func (c *cursor) httpHeaders(h *blob.HTTPHeaders) {
	left := c.fields()
	if c.field(&left, 1) {
		h.ContentType = c.text()
	}
	if c.field(&left, 2) {
		h.ContentEncoding = c.text()
	}
	if c.field(&left, 3) {
		h.ContentLanguage = c.text()
	}
	if c.field(&left, 4) {
		h.ContentDisposition = c.text()
	}
	if c.field(&left, 5) {
		h.CacheControl = c.text()
	}
	if c.field(&left, 6) {
		h.ContentMD5 = c.bytes()
	}
	if c.field(&left, 7) {
		h.Untyped = c.bool()
	}
	c.end(left)
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
	left := c.fields()
	if c.field(&left, 1) {
		l.Kind = lease.Kind(c.unsigned(math.MaxUint8))
	}
	if c.field(&left, 2) {
		c.id((*[16]byte)(&l.ID))
	}
	if c.field(&left, 3) {
		l.Duration = lease.Duration(c.integer(math.MaxInt32))
	}
	if c.field(&left, 4) {
		l.End = lease.Instant(c.int64())
	}
	if c.field(&left, 5) {
		l.Epoch = c.unsigned(math.MaxUint64)
	}
	if c.field(&left, 6) {
		c.holder(&l.Holder)
	}
	if c.field(&left, 7) {
		l.Since = lease.Instant(c.int64())
	}
	if c.field(&left, 8) {
		l.Renewed = lease.Instant(c.int64())
	}
	c.end(left)
}

func (c *cursor) holder(h *lease.Holder) {
	left := c.fields()
	if c.field(&left, 1) {
		h.Principal = c.text()
	}
	if c.field(&left, 2) {
		h.Address = c.text()
	}
	if c.field(&left, 3) {
		h.Client = c.text()
	}
	c.end(left)
}

func (c *cursor) content(t *blob.Content, blocks []blob.Block) {
	left := c.fields()
	if c.field(&left, 1) {
		c.id((*[16]byte)(&t.Holder))
	}
	if c.field(&left, 2) {
		t.Blocks = c.blocks(blocks)
	}
	if c.field(&left, 3) {
		c.id((*[16]byte)(&t.List))
	}
	if c.field(&left, 4) {
		t.Listed = c.bool()
	}
	if c.field(&left, 5) {
		t.Count = int(c.integer(math.MaxInt))
	}
	if c.field(&left, 6) {
		t.Shared = c.bool()
	}
	if c.field(&left, 7) {
		t.Paged = c.bool()
	}
	if c.field(&left, 8) {
		t.Name = c.text()
	}
	c.end(left)
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
	left := c.fields()
	if c.field(&left, 1) {
		t.Tier = blob.Tier(c.unsigned(math.MaxUint8))
	}
	if c.field(&left, 2) {
		t.Changed = blob.Time(c.int64())
	}
	if c.field(&left, 3) {
		t.Target = blob.Tier(c.unsigned(math.MaxUint8))
	}
	if c.field(&left, 4) {
		t.Done = blob.Time(c.int64())
	}
	if c.field(&left, 5) {
		t.Urgent = c.bool()
	}
	c.end(left)
}

func (c *cursor) immutability(p *blob.Immutability) {
	left := c.fields()
	if c.field(&left, 1) {
		p.Until = blob.Time(c.int64())
	}
	if c.field(&left, 2) {
		p.Locked = c.bool()
	}
	c.end(left)
}

func (c *cursor) copied(p *blob.Copy) {
	left := c.fields()
	if c.field(&left, 1) {
		c.id(&p.ID)
	}
	if c.field(&left, 2) {
		p.Source = c.text()
	}
	if c.field(&left, 3) {
		p.Size = c.int64()
	}
	if c.field(&left, 4) {
		p.Completed = blob.Time(c.int64())
	}
	c.end(left)
}

func (c *cursor) incremental(i *blob.Incremental) {
	left := c.fields()
	if c.field(&left, 1) {
		i.Gen = c.unsigned(math.MaxUint64)
	}
	if c.field(&left, 2) {
		i.Name = c.text()
	}
	if c.field(&left, 3) {
		i.Origin = blob.ETag(c.unsigned(math.MaxUint64))
	}
	if c.field(&left, 4) {
		i.Copied = blob.Time(c.int64())
	}
	if c.field(&left, 5) {
		i.Snapshot = blob.Time(c.int64())
	}
	c.end(left)
}
