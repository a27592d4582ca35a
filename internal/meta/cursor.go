package meta

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// cursor reads CBOR (RFC 8949) of the plain kind that records are written in: lengths
// first, no tags, no null. Whatever else it meets makes it fail, from then on it reads
// zeros, and the caller asks the complete codec, which also knows what to say about it.
// So a cursor may refuse anything, and must only never read something as another value
// than the codec would. Texts and byte strings share the memory of buf.
type cursor struct {
	buf    []byte
	pos    int
	failed bool
}

// The major types, in the place that they have in the first byte.
const (
	majorUnsigned = iota << 5
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple

	simpleFalse = majorSimple | 20
	simpleTrue  = majorSimple | 21
)

func (c *cursor) fail() { c.pos, c.failed = len(c.buf), true }

// done reports whether everything has been read, and nothing else.
func (c *cursor) done() bool { return !c.failed && c.pos == len(c.buf) }

// head reads the first bytes of an item of a major type: a number or a length.
func (c *cursor) head(major byte) uint64 {
	if c.pos >= len(c.buf) {
		c.fail()
		return 0
	}
	rest := c.buf[c.pos+1:]
	switch short := c.buf[c.pos] - major; {
	case short < 24:
		c.pos++
		return uint64(short)
	case short == 27 && len(rest) >= 8:
		c.pos += 9
		return binary.BigEndian.Uint64(rest)
	case short == 26 && len(rest) >= 4:
		c.pos += 5
		return uint64(binary.BigEndian.Uint32(rest))
	case short == 25 && len(rest) >= 2:
		c.pos += 3
		return uint64(binary.BigEndian.Uint16(rest))
	case short == 24 && len(rest) >= 1:
		c.pos += 2
		return uint64(rest[0])
	}
	c.fail()
	return 0
}

// unsigned reads a number of at most limit.
func (c *cursor) unsigned(limit uint64) uint64 {
	n := c.head(majorUnsigned)
	if n > limit {
		c.fail()
		return 0
	}
	return n
}

// integer reads a number of at most limit or, if it is negative, at least -limit-1.
func (c *cursor) integer(limit int64) int64 {
	major := byte(majorUnsigned)
	if c.pos < len(c.buf) && c.buf[c.pos] >= majorNegative {
		major = majorNegative
	}
	n := c.head(major)
	if n > uint64(limit) {
		c.fail()
		return 0
	}
	if major == majorNegative {
		return -1 - int64(n)
	}
	return int64(n)
}

func (c *cursor) int64() int64 { return c.integer(math.MaxInt64) }

func (c *cursor) bool() bool {
	if c.pos < len(c.buf) {
		switch c.buf[c.pos] {
		case simpleTrue:
			c.pos++
			return true
		case simpleFalse:
			c.pos++
			return false
		}
	}
	c.fail()
	return false
}

// span reads a string of a major type, in the memory of buf.
func (c *cursor) span(major byte) []byte {
	n := c.head(major)
	if n > uint64(len(c.buf)-c.pos) {
		c.fail()
		return nil
	}
	from := c.pos
	c.pos += int(n)
	return c.buf[from:c.pos:c.pos]
}

func (c *cursor) bytes() []byte { return c.span(majorBytes) }

// id reads a byte string of just the length.
func (c *cursor) id(to *[16]byte) {
	b := c.span(majorBytes)
	if len(b) != len(to) {
		c.fail()
		return
	}
	*to = [16]byte(b)
}

func (c *cursor) text() string {
	b := c.span(majorText)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// count reads how many items an array or a map has. It fails if there can't be as many.
func (c *cursor) count(major byte) int {
	n := c.head(major)
	if n > uint64(len(c.buf)-c.pos) {
		c.fail()
		return 0
	}
	return int(n)
}

// tuple reads the head of an array of just n items.
func (c *cursor) tuple(n uint64) {
	if c.head(majorArray) != n {
		c.fail()
	}
}

// fields reads the head of a map and returns how many fields it has. They are read in the
// order of their declaration, in which they were written, by field and highField; end has to
// follow.
func (c *cursor) fields() (left int) { return c.count(majorMap) }

// field reads a key below 24, if it is the next one of a map that has fields left.
func (c *cursor) field(left *int, key byte) bool {
	if *left == 0 || c.pos >= len(c.buf) || c.buf[c.pos] != key {
		return false
	}
	*left--
	c.pos++
	return true
}

// highField is field for keys from 24 on.
func (c *cursor) highField(left *int, key byte) bool {
	if *left == 0 || c.pos+1 >= len(c.buf) || c.buf[c.pos] != 24 || c.buf[c.pos+1] != key {
		return false
	}
	*left--
	c.pos += 2
	return true
}

// end fails if a map has a field that was not read: one that is not known, repeated, or in
// another order.
func (c *cursor) end(left int) {
	if left != 0 {
		c.fail()
	}
}

// maxItems is how many items of a list a cursor makes room for before it has seen them.
// Metadata that takes all that it may, in the shortest pairs, has fewer.
const maxItems = 8 << 10

// list reads the head of an array and returns an empty list with room for its items. It
// takes the memory of old, if that is enough.
func list[T any](c *cursor, old []T) (empty []T, n int) {
	if n = c.count(majorArray); n > maxItems {
		c.fail()
		return nil, 0
	}
	if old == nil || cap(old) < n {
		return make([]T, 0, n), n
	}
	return old[:0], n
}
