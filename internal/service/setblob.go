package service

import (
	"strconv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// Sizes of the bodies of block blobs by version (docs/reference/operations.md 5).
const (
	mib = int64(1) << 20

	maxPutBlob     = 5000 * mib
	maxPutBlob2016 = 256 * mib
	maxPutBlobOld  = 64 * mib

	maxBlock     = 4000 * mib
	maxBlock2016 = 100 * mib
	maxBlockOld  = 4 * mib
)

// bySize returns the limit that applies at version v.
func bySize(v wire.Version, newest, since2016, old int64) int64 {
	switch {
	case v.AtLeast("2019-12-12"):
		return newest
	case v.AtLeast("2016-05-31"):
		return since2016
	}
	return old
}

type putBlob struct {
	conditional
	leaseIDHeader
	properties
	metadata
	attributes
	customerKey
	upload
	ContentLength string `header:"x-ms-blob-content-length"`
}

func (*putBlob) limit(v wire.Version) int64 {
	return bySize(v, maxPutBlob, maxPutBlob2016, maxPutBlobOld)
}

// checkForm lets x-ms-blob-content-md5 guard the body as Content-MD5 does; it wins if both are sent
// (docs/reference/conditions-and-errors.md 4.1).
func (a *putBlob) checkForm() error {
	if a.ContentLength != "" {
		return fault.UnsupportedHeaderNamed("x-ms-blob-content-length", a.ContentLength)
	}
	if a.ContentMD5 != nil {
		a.MD5 = a.ContentMD5
	}
	return nil
}

// writtenBlob is the answer to the operations that write content.
type writtenBlob struct {
	validators
	versionID
	bodyHashes
	Encrypted bool `header:"x-ms-request-server-encrypted,always,since=2015-12-11"`
}

func writtenOf(b *blob.Blob) writtenBlob {
	return writtenBlob{validators: validatorsOf(b.Validators()), versionID: versionID{revisionID(b.VersionID)}, Encrypted: true}
}

func doPutBlob(s *txn, a *putBlob, in *body) (*writtenBlob, error) {
	b, err := s.entry.Replace(blob.BlockBlob)
	if err != nil {
		return nil, err
	}
	b.HTTP, b.Metadata = a.properties.orPlain(s.req.Header), a.metadata.record()
	if err := s.setAttributes(b, &a.attributes); err != nil {
		return nil, err
	}
	if err := s.encrypt(b); err != nil {
		return nil, err
	}
	if b.HTTP.ContentMD5 == nil {
		b.HTTP.ContentMD5 = in.MD5
	}
	blocks, err := in.blocks(s)
	if err != nil {
		return nil, err
	}
	if err := s.entry.SetContent(b, blocks); err != nil {
		return nil, err
	}
	if err := s.entry.DropStaged(nil); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	answer := writtenOf(b)
	answer.MD5, answer.CRC64 = in.MD5, crcHash{in.CRC64, true}
	return &answer, s.putBlob(b)
}

// setMetadata replaces the metadata of a blob.
type setMetadata struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	metadata
}

type changedBlob struct {
	validators
	versionID
	Encrypted bool `header:"x-ms-request-server-encrypted,always,since=2015-12-11"`
}

func doSetMetadata(s *txn, a *setMetadata) (*changedBlob, error) {
	if err := s.entry.Branch(); err != nil {
		return nil, err
	}
	s.blob.Metadata, s.blob.Copy = a.record(), nil
	s.blob.Touch(s.now)
	return &changedBlob{validatorsOf(s.blob.Validators()), versionID{revisionID(s.blob.VersionID)}, true}, s.putBlob(s.blob)
}

// setProperties replaces the standard headers of a blob, all of them if any is given,
// and may change size and sequence number of a page blob.
type setProperties struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	textProperties
	// ContentMD5 is stored as it is sent, even if it is too short or too long for an MD5
	// (docs/reference/conditions-and-errors.md 4.1).
	ContentMD5     []byte `header:"x-ms-blob-content-md5"`
	Size           *int64 `header:"x-ms-blob-content-length"`
	SequenceAction string `header:"x-ms-sequence-number-action"`
	Sequence       *int64 `header:"x-ms-blob-sequence-number"`
}

func (a *setProperties) checkForm() error {
	if a.Size != nil && !blob.ValidPageBlobSize(*a.Size) {
		return fault.InvalidHeader("x-ms-blob-content-length", strconv.FormatInt(*a.Size, 10))
	}
	if a.Sequence != nil && *a.Sequence < 0 {
		return fault.InvalidHeader("x-ms-blob-sequence-number", strconv.FormatInt(*a.Sequence, 10))
	}
	if a.SequenceAction != "" {
		_, err := blob.NextSequence(0, a.SequenceAction, a.Sequence)
		return err
	}
	return nil
}

func (a *setProperties) record() blob.HTTPHeaders {
	h := a.textProperties.record()
	h.ContentMD5 = a.ContentMD5
	return h
}

// note notes that the request needs neither key nor scope unless it sets a size, since only a new
// size changes encrypted content.
func (a *setProperties) note(f *form) {
	f.leavesContent = a.Size == nil && a.customerKey == customerKey{} && a.Scope == ""
}

// replaces reports whether the standard headers are replaced: if one is given, or if the request
// asks for nothing else.
func (a *setProperties) replaces() bool {
	h := a.record()
	empty := h.ContentType+h.ContentEncoding+h.ContentLanguage+h.ContentDisposition+h.CacheControl == "" && h.ContentMD5 == nil
	return !empty || a.Size == nil && a.SequenceAction == ""
}

type setBlob struct {
	validators
	Sequence *int64 `header:"x-ms-blob-sequence-number"`
}

func doSetProperties(s *txn, a *setProperties) (*setBlob, error) {
	b := s.blob
	if a.replaces() {
		b.HTTP = a.record()
		b.HTTP.Untyped = b.HTTP.ContentType == ""
	}
	if a.Size != nil {
		if err := s.resize(*a.Size); err != nil {
			return nil, err
		}
	}
	if a.SequenceAction != "" {
		if b.Type != blob.PageBlob {
			return nil, fault.InvalidBlobType
		}
		number, err := blob.NextSequence(b.Sequence, a.SequenceAction, a.Sequence)
		if err != nil {
			return nil, err
		}
		b.Sequence = number
	}
	b.Copy = nil
	b.Touch(s.now)
	out := &setBlob{validators: validatorsOf(b.Validators())}
	if b.Type == blob.PageBlob {
		out.Sequence = &b.Sequence
	}
	return out, s.putBlob(b)
}
