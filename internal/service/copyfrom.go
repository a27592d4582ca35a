package service

import (
	"strconv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// pulls makes the handler of a function that stores bytes of a source as if they were
// the body of the request. The function runs twice, as with ingest: first with nothing,
// to judge the destination before the source is read.
func pulls[A, R any, P interface {
	*A
	readsSource
	sourceLimit(wire.Version) int64
}](f func(*txn, *A, *source) (*R, error)) handler {
	args, results := newReader[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a, err := args.read(c)
		if err != nil {
			return err
		}
		w := P(a).wants()
		w.limit, w.key = P(a).sourceLimit(c.req.Version), c.form.sourceKey
		key := c.form.key
		err = c.rehearse(c.ctx(), func(s *txn) error {
			_, err := f(s, a, &source{wanted: w, body: &body{Size: -1, key: key}})
			return err
		})
		if err != nil {
			return err
		}
		from, err := c.openSource(w)
		if err != nil {
			return err
		}
		b, err := c.take(from, key)
		if err != nil {
			return err
		}
		var result *R
		err = c.change(c.ctx(), func(s *txn) (err error) {
			result, err = f(s, a, from)
			return err
		})
		if err != nil {
			c.undo(b, err)
			return err
		}
		c.echoKey()
		return results.Write(c.req, c.op.Status, result)
	})
}

// pulling holds the headers of an operation that reads bytes from a source.
type pulling struct {
	customerKey
	copyFrom
	sourceCustomerKey
	Authorization bearer `header:"x-ms-copy-source-authorization"`
	ContentLength int64  `header:"Content-Length"`
}

func (a *pulling) wantsAs(kind copyKind) *wanted {
	w := a.copyFrom.wantsAs(kind)
	w.bearer = a.Authorization
	return w
}

// checkForm refuses a body: the bytes come from elsewhere.
func (a *pulling) checkForm() error {
	if a.ContentLength != 0 {
		return fault.InvalidHeader("Content-Length", strconv.FormatInt(a.ContentLength, 10))
	}
	return nil
}

type putBlobFromURL struct {
	conditional
	leaseIDHeader
	properties
	metadata
	attributes
	pulling
	sourceMD5
	SourceIfTags   tagCondition `header:"x-ms-source-if-tags"`
	CopyTags       tagOption    `header:"x-ms-copy-source-tag-option"`
	CopyProperties *bool        `header:"x-ms-copy-source-blob-properties"`
}

func (a *putBlobFromURL) wants() *wanted {
	w := a.wantsAs(kindPutBlob)
	w.conditions.IfTags, w.tags, w.guard.MD5 = a.SourceIfTags.TagCondition, bool(a.CopyTags), a.SourceMD5
	return w
}

func (a *putBlobFromURL) checkForm() error {
	return a.CopyTags.check(&a.attributes)
}

func (*putBlobFromURL) sourceLimit(v wire.Version) int64 {
	return bySize(v, maxPutBlob, maxPutBlob2016, maxPutBlobOld)
}

func doPutBlobFromURL(s *txn, a *putBlobFromURL, from *source) (*writtenBlob, error) {
	b, err := s.entry.Replace(blob.BlockBlob)
	if err != nil {
		return nil, err
	}
	b.HTTP, b.Metadata = a.properties.record(), a.metadata.record()
	if a.CopyProperties == nil || *a.CopyProperties {
		inherit(&b.HTTP, &from.record.HTTP)
	}
	if b.HTTP.ContentMD5 == nil {
		b.HTTP.ContentMD5 = from.body.MD5
	}
	if err := s.setAttributes(b, &a.attributes); err != nil {
		return nil, err
	}
	if a.CopyTags {
		b.Tags = from.record.Tags
	}
	if err := s.encrypt(b); err != nil {
		return nil, err
	}
	blocks, err := from.body.blocks(s)
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
	answer.CRC64 = crcHash{from.body.CRC64, true}
	if a.SourceMD5 != nil || !s.req.Version.AtLeast(crcSince) {
		answer.MD5 = from.body.MD5
	}
	return &answer, s.putBlob(b)
}

// inherit fills the empty fields of h from the headers of a source, except the MD5, which is
// computed from the bytes that are read.
func inherit(h, from *blob.HTTPHeaders) {
	for into, value := range map[*string]string{
		&h.ContentType:        from.ContentType,
		&h.ContentEncoding:    from.ContentEncoding,
		&h.ContentLanguage:    from.ContentLanguage,
		&h.ContentDisposition: from.ContentDisposition,
		&h.CacheControl:       from.CacheControl,
	} {
		if *into == "" {
			*into = value
		}
	}
	h.Untyped = h.ContentType == "" && from.Untyped
}

// sourceRange is the range of a source. A malformed range is refused, since without a range all of
// the source would be read.
type sourceRange struct{ wire.Range }

// UnmarshalText reads a range.
func (r *sourceRange) UnmarshalText(text []byte) (err error) {
	if r.Range, err = wire.ParseRange(string(text)); err != nil || r.IsZero() {
		return fault.InvalidHeader("x-ms-source-range", string(text))
	}
	return nil
}

// pullingRange holds the headers of an operation that reads a range of a source as one block.
type pullingRange struct {
	pulling
	SourceRange sourceRange `header:"x-ms-source-range"`
	SourceMD5   md5Hash     `header:"x-ms-source-content-md5"`
	SourceCRC64 crcHash     `header:"x-ms-source-content-crc64"`
}

func (a *pullingRange) guard() bodyHashes { return bodyHashes{MD5: a.SourceMD5, CRC64: a.SourceCRC64} }

func (a *pullingRange) wants() *wanted {
	w := a.wantsAs(kindRange)
	w.within, w.guard = a.SourceRange.Range, a.guard()
	return w
}

func (a *pullingRange) checkForm() error {
	guard := a.guard()
	return guard.checkForm()
}

// block returns the bytes that were read. It refuses an empty source.
func (f *source) block() (*body, error) {
	if f.body.Size == 0 {
		return nil, fault.InvalidHeader(copySource, f.url.shown())
	}
	return f.body, nil
}

type putBlockFromURL struct {
	leaseIDHeader
	scoped
	pullingRange
	BlockID string `query:"blockid,required"`
}

func (a *putBlockFromURL) checkForm() error {
	_, err := blob.ParseBlockID("blockid", a.BlockID)
	return err
}

func (*putBlockFromURL) sourceLimit(v wire.Version) int64 {
	return bySize(v, maxBlock, maxBlock2016, maxBlockOld)
}

func doPutBlockFromURL(s *txn, a *putBlockFromURL, from *source) (*stagedBlock, error) {
	in, err := from.block()
	if err != nil {
		return nil, err
	}
	if err := s.stage(a.BlockID, in); err != nil {
		return nil, err
	}
	guard := a.guard()
	return &stagedBlock{guard.answered(&in.sums, s.req.Version), true}, nil
}

type appendBlockFromURL struct {
	conditional
	leaseIDHeader
	scoped
	position
	pullingRange
}

func (*appendBlockFromURL) sourceLimit(v wire.Version) int64 {
	return (*appendBlock)(nil).limit(v)
}

func doAppendBlockFromURL(s *txn, a *appendBlockFromURL, from *source) (*appended, error) {
	in, err := from.block()
	if err != nil {
		return nil, err
	}
	guard := a.guard()
	return s.appendBlock(&a.position, &guard, in)
}

type putPagesFromURL struct {
	conditional
	leaseIDHeader
	scoped
	sequenced
	pageRange
	pullingRange
}

// checkForm demands two ranges of the same length.
func (a *putPagesFromURL) checkForm() error {
	r, err := a.pages()
	if err != nil {
		return err
	}
	if a.SourceRange.IsZero() {
		return fault.MissingHeader("x-ms-source-range")
	}
	if r.Len() > blob.MaxPageWrite {
		return fault.BodyTooLarge(blob.MaxPageWrite)
	}
	if a.SourceRange.Len() != r.Len() {
		return fault.InvalidPageRange
	}
	return nil
}

func (*putPagesFromURL) sourceLimit(wire.Version) int64 { return blob.MaxPageWrite }

func doPutPagesFromURL(s *txn, a *putPagesFromURL, from *source) (*writtenPages, error) {
	if n := from.body.Size; n >= 0 && n != a.SourceRange.Len() {
		return nil, fault.InvalidRange
	}
	guard := a.guard()
	return s.writePages(&a.pageRange, &a.sequenced, &guard, from.body)
}
