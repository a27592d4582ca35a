package service

import (
	"strconv"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

func appendBlobOperations() []Operation {
	return []Operation{
		{
			Name: "AppendBlob_Create", Status: 201,
			On: onBlob("PUT", "", copySource, "-", blobType, "AppendBlob"), Needs: auth.PermPutBlob,
			Use: useCreate, Run: update(doCreateAppendBlob),
		},
		{
			Name: "AppendBlob_AppendBlock", Status: 201,
			On: onBlob("PUT", "appendblock", copySource, "-"), Needs: auth.PermAppendBlock,
			Use: useWrite, Run: ingest(doAppendBlock),
		},
		{
			Name: "AppendBlob_Seal", On: onBlob("PUT", "seal"), Needs: auth.PermSealAppendBlob, Status: 200,
			Use: useWrite, Run: update(doSeal),
		},
	}
}

// Sizes of appended blocks by version (docs/reference/operations.md 5).
const (
	maxAppend    = 100 * mib // since 2022-11-02
	maxAppendOld = 4 * mib
)

// createEmpty holds the arguments that create an append or a page blob: everything but a body.
type createEmpty struct {
	conditional
	leaseIDHeader
	properties
	metadata
	attributes
	customerKey
	ContentLength int64 `header:"Content-Length"`
}

func (a *createEmpty) checkForm() error {
	if a.ContentLength != 0 {
		return fault.InvalidHeader("Content-Length", strconv.FormatInt(a.ContentLength, 10))
	}
	return nil
}

// createBlob makes the record of a blob without content, in place of the current blob.
func (s *txn) createBlob(t blob.Type, a *createEmpty) (*blob.Blob, error) {
	b, err := s.entry.Replace(t)
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
	if err := s.entry.SetContent(b, nil); err != nil {
		return nil, err
	}
	b.Content.List, b.Content.Listed = b.Content.Holder, true
	if err := s.entry.DropStaged(nil); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	return b, nil
}

func doCreateAppendBlob(s *txn, a *createEmpty) (*writtenBlob, error) {
	b, err := s.createBlob(blob.AppendBlob, a)
	if err != nil {
		return nil, err
	}
	answer := writtenOf(b)
	return &answer, s.putBlob(b)
}

// position holds the conditions of an append (docs/reference/conditions-and-errors.md 2.7).
type position struct {
	AppendPosition *int64 `header:"x-ms-blob-condition-appendpos"`
	MaxSize        *int64 `header:"x-ms-blob-condition-maxsize"`
}

func (p *position) checkForm() error {
	if p.AppendPosition != nil && *p.AppendPosition < 0 {
		return fault.InvalidHeader("x-ms-blob-condition-appendpos", strconv.FormatInt(*p.AppendPosition, 10))
	}
	if p.MaxSize != nil && *p.MaxSize < 0 {
		return fault.InvalidHeader("x-ms-blob-condition-maxsize", strconv.FormatInt(*p.MaxSize, 10))
	}
	return nil
}

// check judges an append of n bytes to a blob of size bytes.
func (p *position) check(size, n int64) error {
	switch {
	case p.AppendPosition != nil && *p.AppendPosition != size:
		return fault.AppendPositionConditionNotMet
	case p.MaxSize != nil && size+n > *p.MaxSize:
		return fault.MaxBlobSizeConditionNotMet
	}
	return nil
}

type appendBlock struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	position
	upload
}

func (*appendBlock) limit(v wire.Version) int64 {
	if v.AtLeast("2022-11-02") {
		return maxAppend
	}
	return maxAppendOld
}

func (a *appendBlock) checkForm() error {
	if a.Body.Length == 0 {
		return fault.InvalidHeader("Content-Length", "0")
	}
	return nil
}

type appended struct {
	writtenBlob
	Offset int64 `header:"x-ms-blob-append-offset,always"`
	Count  int   `header:"x-ms-blob-committed-block-count,always"`
}

func doAppendBlock(s *txn, a *appendBlock, in *body) (*appended, error) {
	return s.appendBlock(&a.position, &a.bodyHashes, in)
}

// appendBlock stores a block at the end of the blob.
func (s *txn) appendBlock(at *position, by *bodyHashes, in *body) (*appended, error) {
	b := s.blob
	if err := appendable(b); err != nil {
		return nil, err
	}
	if err := at.check(b.Size, max(in.Size, 0)); err != nil {
		return nil, err
	}
	if b.Content.Count >= blob.MaxCommittedBlocks {
		return nil, fault.BlockCountExceedsLimit
	}
	chunk, err := in.chunk(s)
	if err != nil {
		return nil, err
	}
	out := &appended{Offset: b.Size, Count: b.Content.Count + 1}
	b.Size, b.Content.Count, b.Copy = b.Size+chunk.Length, out.Count, nil
	if err := meta.AppendToList(s.tx, b.Content, blob.Block{Chunk: chunk}, b.Size); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	out.writtenBlob = writtenBlob{validators: validatorsOf(b.Validators()), bodyHashes: by.answered(&in.sums, s.req.Version), Encrypted: true}
	return out, s.putBlob(b)
}

// appendable refuses a blob to which nothing can be appended.
func appendable(b *blob.Blob) error {
	switch {
	case b.Type != blob.AppendBlob:
		return fault.InvalidBlobType
	case b.Sealed:
		return fault.BlobIsSealed
	}
	return nil
}

type sealBlob struct {
	conditional
	leaseIDHeader
	position
}

type sealed struct {
	validators
	Sealed bool `header:"x-ms-blob-sealed"`
}

func doSeal(s *txn, a *sealBlob) (*sealed, error) {
	if s.blob.Type != blob.AppendBlob {
		return nil, fault.InvalidBlobType
	}
	if err := a.position.check(s.blob.Size, 0); err != nil {
		return nil, err
	}
	if s.blob.Sealed {
		return &sealed{validatorsOf(s.blob.Validators()), true}, nil
	}
	s.blob.Sealed = true
	s.blob.Touch(s.now)
	return &sealed{validatorsOf(s.blob.Validators()), true}, s.putBlob(s.blob)
}
