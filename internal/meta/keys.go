// Package meta keeps the records of Leasehold in a kv store: the layout of the
// keys, the encoding of the values, and typed access to both.
//
// # Key layout
//
// The first byte of a key says what it is. gen is the generation of a container in
// eight bytes, big-endian; object and holder are 16 random bytes; 0x00 ends a name,
// which is why names can't contain it. Keys marked * are the ones that updates
// declare; they cover everything that begins with them and form a prefix-free set.
//
//	m "format"                              the version of this layout, as text
//	m "orphans"                             when orphans were last looked for, in eight bytes
//	m "secret" name                         a secret of the store
//	s account 0                           * ServiceProperties
//	c account 0 container 0               * Container
//	c account 0 container 0 deleted         Container: a soft-deleted one; deleted: when, in eight bytes
//	b gen name 0                          * (nothing; covers the blob)
//	b gen name 0 0x01                       Staging: what is known of the uncommitted blocks
//	b gen name 0 0x01 block-id              an uncommitted block
//	b gen name 0 0x02 id kind               Blob: a revision; id: its time in eight bytes, kind: a blob.RevisionKind
//	b gen name 0 0x03 list end              PageExtent; end: offset behind its last byte
//	b gen name 0 0x04 list object           how often extents of the list lie in the object
//	b gen name 0 0xFF                       Blob: the current one
//	d gen object                            inline bytes of up to MaxInline
//	e list end                              a page of a block list; end: offset behind its last byte
//	l account 0 container 0 gen name        a blob or (without a name) container that may be leased
//	o object                                a segment that is referenced
//	g object                                Garbage: what is to be released behind the scenes
//	h object holder                         holder shares object with others; of a list the number of its bytes, or
//	                                        nothing if that may grow
//	t gen key 0 value 0 name 0              a current blob that has this tag
//	t gen key 0 value 0 name 0 version      a previous version that has it; version: its ID in eight bytes
//	w due key                               Deadline: everything under key, a declared one, is revisited then
//	x gen                                 * a deleted container whose blobs are still to be removed
//	y expiry key                            Deadline: the current blob of key, a declared one, expires then
//	z gen gate                            * (never stored; excludes the making of blobs from the deletion of their container)
//
// What belongs to a blob sorts before its record, so that a listing passes such keys by one seek,
// or shows them in the order in which it meets them.
package meta

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
)

const (
	tagMeta      = 'm'
	tagService   = 's'
	tagContainer = 'c'
	tagBlob      = 'b'
	tagInline    = 'd'
	tagList      = 'e'
	tagLease     = 'l'
	tagSegment   = 'o'
	tagGarbage   = 'g'
	tagHolder    = 'h'
	tagTag       = 't'
	tagDue       = 'w'
	tagDead      = 'x'
	tagExpiry    = 'y'
	tagGate      = 'z'

	subStaged   = 0x01
	subRevision = 0x02
	subExtents  = 0x03
	subObjects  = 0x04
	subCurrent  = 0xFF
)

func named(tag byte, parts ...string) []byte {
	n := 1 + len(parts)
	for _, p := range parts {
		n += len(p)
	}
	k := append(make([]byte, 0, n+1), tag)
	for _, p := range parts {
		k = append(append(k, p...), 0)
	}
	return k
}

func generation(tag byte, gen uint64, room int) []byte {
	k := append(make([]byte, 0, 9+room), tag)
	return binary.BigEndian.AppendUint64(k, gen)
}

// ServiceKey is the key to declare for an account's service properties.
func ServiceKey(account string) kv.Key { return named(tagService, account) }

// ContainerKey is the key to declare for a container.
func ContainerKey(account, container string) kv.Key {
	return named(tagContainer, account, container)
}

// BlobKey is the key to declare for a blob and all that belongs to it.
func BlobKey(gen uint64, name string) kv.Key {
	k := append(generation(tagBlob, gen, len(name)+2), name...)
	return append(k, 0)
}

// gates is the number of keys over which the exclusion between the deletion of a container and the
// creation of blobs in it is spread, so that creations rarely wait for each other.
const gates = 64

// GateKey is the key to declare, beside its own, for making a blob in a container that must be
// empty to be deleted.
func GateKey(gen uint64, name string) kv.Key {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	return append(generation(tagGate, gen, 1), byte(hash.Sum32()%gates))
}

// GateKeys are the keys to declare for deleting such a container.
func GateKeys(gen uint64) []kv.Key {
	keys := make([]kv.Key, gates)
	for i := range keys {
		keys[i] = append(generation(tagGate, gen, 1), byte(i))
	}
	return keys
}

func dueKey(at blob.Time, key kv.Key) []byte { return timedKey(tagDue, at, key) }

func timedKey(tag byte, at blob.Time, key kv.Key) []byte {
	k := append(make([]byte, 0, 9+len(key)), tag)
	return append(binary.BigEndian.AppendUint64(k, uint64(at)), key...)
}

// DeadKey is the key to declare for removing what a deleted container left.
func DeadKey(gen uint64) kv.Key { return generation(tagDead, gen, 0) }

func currentKey(gen uint64, name string) []byte { return append(BlobKey(gen, name), subCurrent) }

func revisionPrefix(gen uint64, name string) []byte { return append(BlobKey(gen, name), subRevision) }

func revisionKey(gen uint64, name string, p blob.Revision) []byte {
	return append(binary.BigEndian.AppendUint64(revisionPrefix(gen, name), uint64(p.ID)), byte(p.Kind))
}

func stagingKey(gen uint64, name string) []byte { return append(BlobKey(gen, name), subStaged) }

func inlineKey(gen uint64, id blob.ObjectID) []byte {
	return append(generation(tagInline, gen, len(id)), id[:]...)
}

func objectKey(tag byte, id blob.ObjectID) []byte {
	return append(append(make([]byte, 0, 1+len(id)), tag), id[:]...)
}

func holderKey(id, holder blob.ObjectID) []byte {
	return append(objectKey(tagHolder, id), holder[:]...)
}

func listKey(list blob.ObjectID, end int64) []byte {
	return binary.BigEndian.AppendUint64(objectKey(tagList, list), uint64(end))
}

func listEnd(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-8:])) }

func appendGen(k []byte, gen uint64) []byte { return binary.BigEndian.AppendUint64(k, gen) }

// NameAfter returns the first name that does not begin with prefix.
func NameAfter(prefix []byte) string { return string(kv.PrefixEnd(prefix)) }

func generationOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:9]) }
