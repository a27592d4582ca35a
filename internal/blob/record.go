package blob

import "github.com/leasehold/leasehold/internal/lease"

// Type is the kind of a blob, fixed when it is created.
type Type uint8

// The three types.
const (
	BlockBlob  Type = iota + 1 // made of blocks, replaced as a whole
	PageBlob                   // random access in pages of 512 bytes
	AppendBlob                 // grows at its end
)

var typeNames = [...]string{BlockBlob: "BlockBlob", PageBlob: "PageBlob", AppendBlob: "AppendBlob"}

// String returns the name on the wire; empty for the zero value.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// MarshalText is String.
func (t Type) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// AppendText is MarshalText onto b.
func (t Type) AppendText(b []byte) ([]byte, error) { return append(b, t.String()...), nil }

// Blob is the record of one blob, snapshot or version: everything but its bytes.
// The integer keys of its encoding are for good; new fields take new numbers.
type Blob struct {
	Type     Type        `cbor:"1,keyasint,omitempty"`
	ETag     ETag        `cbor:"2,keyasint,omitempty"`
	Created  Time        `cbor:"3,keyasint,omitempty"`
	Modified Time        `cbor:"4,keyasint,omitempty"` // whole seconds
	Size     int64       `cbor:"5,keyasint,omitempty"` // bytes of content
	HTTP     HTTPHeaders `cbor:"6,keyasint"`
	Metadata Metadata    `cbor:"7,keyasint,omitempty"`
	Tags     Tags        `cbor:"8,keyasint,omitempty"`
	Lease    lease.Lease `cbor:"9,keyasint"`
	// Uncommitted marks a blob that exists only as uncommitted blocks: it can be
	// leased, and listed when asked for, and is not found by reads.
	Uncommitted bool `cbor:"11,keyasint,omitempty"`
	// Staged is set if there may be uncommitted blocks. Without it, and without
	// Uncommitted, there are none that a write has to drop: versions that did not know it
	// may have left some, for the sweeper.
	Staged bool `cbor:"12,keyasint,omitempty"`
	// VersionID is the time that names this state as a version; zero when it was
	// written while versioning was off, and for snapshots.
	VersionID Time `cbor:"13,keyasint,omitempty"`
	// Deleted is when a past state was soft-deleted, and Retained until when it is kept
	// as such; both are zero unless it is.
	Deleted  Time `cbor:"14,keyasint,omitempty"`
	Retained Time `cbor:"15,keyasint,omitempty"`
	// Access is the access tier.
	Access TierState `cbor:"20,keyasint,omitzero"`
	// Policy and LegalHold keep the blob from being changed and deleted.
	Policy    Immutability `cbor:"21,keyasint,omitzero"`
	LegalHold bool         `cbor:"22,keyasint,omitempty"`
	// Expires is when the blob ceases to exist; zero for never.
	Expires Time `cbor:"23,keyasint,omitempty"`
	// Copy tells of the copy that made this state; nil if none did, or something has
	// changed since.
	Copy *Copy `cbor:"30,keyasint,omitempty"`
	// KeyHash is the SHA-256 of the customer's key that the bytes are encrypted with; nil
	// for none. Scope is the name of an encryption scope.
	KeyHash []byte `cbor:"40,keyasint,omitempty"`
	Scope   string `cbor:"41,keyasint,omitempty"`
	// Sealed is set if nothing can be appended to this append blob any more.
	Sealed bool `cbor:"35,keyasint,omitempty"`
	// Sequence is the sequence number of a page blob.
	Sequence int64 `cbor:"36,keyasint,omitempty"`
	// Origin is the ETag with which a page blob was made: two states of a name that have
	// it in common are of the same blob.
	Origin ETag `cbor:"37,keyasint,omitempty"`
	// Incremental tells which incremental copy was the last to make this page blob or
	// snapshot; nil if none did.
	Incremental *Incremental `cbor:"38,keyasint,omitempty"`
	// Content is where the bytes are. It comes last so that a listing need not read it.
	Content Content `cbor:"10,keyasint"`
}

// Incremental is what an incremental copy leaves with its destination, for the next one.
type Incremental struct {
	Gen      uint64 `cbor:"1,keyasint"` // generation of the container of the source
	Name     string `cbor:"2,keyasint"` // of the source
	Origin   ETag   `cbor:"3,keyasint"` // of the source
	Copied   Time   `cbor:"4,keyasint"` // the snapshot of the source
	Snapshot Time   `cbor:"5,keyasint"` // the snapshot of the destination that it became
}

// Copy is what is kept of a copy that has ended well; no other ones are kept.
type Copy struct {
	ID        [16]byte `cbor:"1,keyasint"`
	Source    string   `cbor:"2,keyasint"` // URL, without signatures
	Size      int64    `cbor:"3,keyasint"` // bytes that were copied
	Completed Time     `cbor:"4,keyasint"`
}

// HTTPHeaders are the standard headers that are kept with a blob and returned by
// reads, as they were given; empty for absent.
type HTTPHeaders struct {
	ContentType        string `cbor:"1,keyasint,omitempty"`
	ContentEncoding    string `cbor:"2,keyasint,omitempty"`
	ContentLanguage    string `cbor:"3,keyasint,omitempty"`
	ContentDisposition string `cbor:"4,keyasint,omitempty"`
	CacheControl       string `cbor:"5,keyasint,omitempty"`
	ContentMD5         []byte `cbor:"6,keyasint,omitempty"` // 16 bytes, or none
	// Untyped is set if the type was erased, so that reads return none; else they return a
	// default where there is none.
	Untyped bool `cbor:"7,keyasint,omitempty"`
}

// Metadata is the user's metadata in the order and with the names given; names are
// unique without regard to case.
type Metadata []MetadataPair

// MetadataPair is one entry of Metadata.
type MetadataPair struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Tags are the index tags of a blob, sorted by key.
type Tags []Tag

// Tag is one index tag.
type Tag struct {
	_     struct{} `cbor:",toarray"`
	Key   string
	Value string
}

// ObjectID names a stored object: a run of inline bytes, a segment, a block list.
// IDs are random, but for the time that those of inline bytes begin with, and no two
// objects of a store share one.
type ObjectID [16]byte

// Chunk is a run of stored bytes.
type Chunk struct {
	_      struct{} `cbor:",toarray"`
	Object ObjectID
	Inline bool  // lies in the key-value store rather than in a segment
	Offset int64 // of the run in the object
	Length int64
	Size   int64 // of the object as a whole
}

// Block is one entry of a block list: the bytes of one Put Block, Append Block or
// Put Blob.
type Block struct {
	_     struct{} `cbor:",toarray"`
	ID    string   // decoded from Base64; empty for content that was not given as blocks
	Chunk Chunk
}

// Content says where the bytes of a blob are.
type Content struct {
	// Holder names this content among the holders of shared objects.
	Holder ObjectID `cbor:"1,keyasint,omitempty"`
	// Blocks is the whole list when it is short.
	Blocks []Block `cbor:"2,keyasint,omitempty"`
	// List names the list of blocks, or of pages, that is stored under keys of its own.
	List ObjectID `cbor:"3,keyasint,omitempty"`
	// Listed is set if List is used.
	Listed bool `cbor:"4,keyasint,omitempty"`
	// Count is the number of blocks.
	Count int `cbor:"5,keyasint,omitempty"`
	// Shared is set if an object of this content may have another holder: a
	// snapshot, a version or a copy.
	Shared bool `cbor:"6,keyasint,omitempty"`
	// Paged is set if List names the extents of a page blob, which lie under the keys
	// of the blob Name.
	Paged bool   `cbor:"7,keyasint,omitempty"`
	Name  string `cbor:"8,keyasint,omitempty"`
}

// MaxInlineBlocks is the longest list of blocks that lies in the blob's own record.
// Renewing a lease rewrites the record, so it has to stay short: this many take
// some 400 bytes.
const MaxInlineBlocks = 8

// Validators returns what conditional headers are judged against. b may be nil.
func (b *Blob) Validators() Validators {
	if b == nil || b.Uncommitted {
		return Validators{}
	}
	return Validators{Committed: true, ETag: b.ETag, Modified: b.Modified, Tags: b.Tags}
}

// Conditional returns what conditions on b are judged against: its version, or, while
// there are uncommitted blocks only, no more than when the first of them came.
func (b *Blob) Conditional() Validators {
	if b != nil && b.Uncommitted {
		return Validators{Modified: b.Modified}
	}
	return b.Validators()
}

// Touch gives b the ETag and Last-Modified of a change made at now.
func (b *Blob) Touch(now Time) {
	b.ETag = NextETag(b.ETag, now)
	b.Modified = now.Second()
}

// PublicAccess is how much of a container may be read without credentials.
type PublicAccess uint8

// The three levels.
const (
	Private         PublicAccess = iota // nothing
	PublicBlobs                         // reads of its blobs
	PublicContainer                     // the same, its properties and its listing
)

var publicAccessNames = [...]string{Private: "", PublicBlobs: "blob", PublicContainer: "container"}

// String returns the name on the wire; empty for Private.
func (p PublicAccess) String() string { return publicAccessNames[min(int(p), 2)] }

// MarshalText is String.
func (p PublicAccess) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Container is the record of one container.
type Container struct {
	// Generation is part of the keys of the container's blobs and never used again: a
	// container made under the name of a deleted one shares nothing with it.
	Generation uint64       `cbor:"1,keyasint"`
	ETag       ETag         `cbor:"2,keyasint"`
	Created    Time         `cbor:"3,keyasint"`
	Modified   Time         `cbor:"4,keyasint"` // whole seconds
	Metadata   Metadata     `cbor:"5,keyasint,omitempty"`
	Lease      lease.Lease  `cbor:"6,keyasint"`
	Access     PublicAccess `cbor:"7,keyasint,omitempty"`
	// Deleted is when the container was soft-deleted, and Retained until when it can be
	// restored; both are zero unless it is.
	Deleted  Time     `cbor:"8,keyasint,omitempty"`
	Retained Time     `cbor:"9,keyasint,omitempty"`
	Policies []Policy `cbor:"10,keyasint,omitempty"`
	// VersionedWORM is set if blobs may have immutability policies and legal holds.
	VersionedWORM bool `cbor:"12,keyasint,omitempty"`
	// DefaultScope is the encryption scope of blobs that name none; DenyScopeOverride tells
	// that they can't name another.
	DefaultScope      string `cbor:"13,keyasint,omitempty"`
	DenyScopeOverride bool   `cbor:"14,keyasint,omitempty"`
}

// Policy is a stored access policy of a container: terms that signatures name instead
// of stating them. Zero fields are left to the signature.
type Policy struct {
	ID          string `cbor:"1,keyasint"`
	Start       Time   `cbor:"2,keyasint,omitempty"`
	Expiry      Time   `cbor:"3,keyasint,omitempty"`
	Permissions string `cbor:"4,keyasint,omitempty"` // letters, as given
}

// Touch gives c the ETag and Last-Modified of a change made at now.
func (c *Container) Touch(now Time) {
	c.ETag = NextETag(c.ETag, now)
	c.Modified = now.Second()
}

// Version returns what conditional headers are judged against.
func (c *Container) Version() Validators {
	return Validators{Committed: true, ETag: c.ETag, Modified: c.Modified}
}
