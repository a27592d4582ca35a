package service

import (
	"cmp"
	"crypto/md5"
	"io"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/structured"
	"github.com/leasehold/leasehold/internal/wire"
)

// maxHashedRange is the longest range, in bytes, for which a client can ask for a hash.
const maxHashedRange = 4 * mib

type getBlob struct {
	conditional
	leaseIDHeader
	customerKey
	stateParams
	Range      wire.Range      `header:"x-ms-range|Range"`
	RangeMD5   bool            `header:"x-ms-range-get-content-md5"`
	RangeCRC64 bool            `header:"x-ms-range-get-content-crc64"`
	Structured structured.Used `header:"x-ms-structured-body"`
}

func (a *getBlob) checkForm() error {
	if a.RangeMD5 && a.RangeCRC64 {
		return fault.InvalidHeader("x-ms-range-get-content-crc64", "true")
	}
	return nil
}

// contentHeaders holds the HTTP headers that are stored with a blob.
type contentHeaders struct {
	ContentType        string  `header:"Content-Type"`
	ContentEncoding    string  `header:"Content-Encoding"`
	ContentLanguage    string  `header:"Content-Language"`
	ContentDisposition string  `header:"Content-Disposition"`
	CacheControl       string  `header:"Cache-Control"`
	ContentMD5         md5Hash `header:"Content-MD5"`
	AcceptRanges       string  `header:"Accept-Ranges"`
}

func contentHeadersOf(h *blob.HTTPHeaders) contentHeaders {
	contentType := h.ContentType
	if contentType == "" && !h.Untyped {
		contentType = defaultContentType
	}
	return contentHeaders{
		ContentType:        contentType,
		ContentEncoding:    h.ContentEncoding,
		ContentLanguage:    h.ContentLanguage,
		ContentDisposition: h.ContentDisposition,
		CacheControl:       h.CacheControl,
		ContentMD5:         h.ContentMD5,
		AcceptRanges:       "bytes",
	}
}

// blobHeaders holds the headers by which Get Blob and Get Blob Properties describe a blob.
type blobHeaders struct {
	validators
	extended
	shown
	metadata
	leaseState
	copyState
	versionID
	CurrentVersion bool `header:"x-ms-is-current-version,since=2019-12-12"`
	contentHeaders
	Created        blob.Time `header:"x-ms-creation-time,since=2017-11-09"`
	Type           blob.Type `header:"x-ms-blob-type"`
	Encrypted      bool      `header:"x-ms-server-encrypted,always,since=2015-12-11"`
	AppendedBlocks *int      `header:"x-ms-blob-committed-block-count"`
	Sealed         bool      `header:"x-ms-blob-sealed,since=2019-12-12"`
	Tags           int       `header:"x-ms-tag-count,since=2019-12-12"`
	Scope          string    `header:"x-ms-encryption-scope,since=2019-07-07"`
	PolicyUntil    blob.Time `header:"x-ms-immutability-policy-until-date,since=2020-06-12"`
	PolicyMode     string    `header:"x-ms-immutability-policy-mode,since=2020-06-12"`
	LegalHold      bool      `header:"x-ms-legal-hold,since=2020-06-12"`
	Sequence       *int64    `header:"x-ms-blob-sequence-number"`
}

const defaultContentType = "application/octet-stream"

func blobHeadersOf(s *txn) blobHeaders {
	b := s.blob
	h := blobHeaders{
		validators:     validatorsOf(b.Validators()),
		extended:       s.extended(b.Lease),
		shown:          s.shown(b.Lease, auth.PermBreakLease),
		metadata:       metadataOf(b.Metadata),
		copyState:      copyStateOf(b.Copy),
		versionID:      versionID{revisionID(b.VersionID)},
		contentHeaders: contentHeadersOf(&b.HTTP),
		Created:        b.Created.Second(),
		Type:           b.Type,
		Encrypted:      true,
	}
	if s.revision.IsZero() {
		h.CurrentVersion = b.VersionID != 0
	}
	if s.form.state.revision.IsZero() { // a version that is named by its ID has no lease
		h.leaseState = leaseStateOf(b.Lease, s.r.Now())
	}
	h.Scope = b.Scope
	h.PolicyUntil, h.PolicyMode, h.LegalHold = b.Policy.Until, b.Policy.Mode(), b.LegalHold
	if len(b.Tags) > 0 && s.grant.MayReadTags(s.resource()) {
		h.Tags = len(b.Tags)
	}
	h.override(s.grant.Override())
	if b.Type == blob.AppendBlob {
		h.AppendedBlocks, h.Sealed = &b.Content.Count, b.Sealed
	}
	if b.Type == blob.PageBlob {
		h.Sequence = &b.Sequence
	}
	return h
}

// override replaces the blob's values by the values that a signature fixes.
func (h *blobHeaders) override(o auth.Override) {
	h.CacheControl = cmp.Or(o.CacheControl, h.CacheControl)
	h.ContentDisposition = cmp.Or(o.ContentDisposition, h.ContentDisposition)
	h.ContentEncoding = cmp.Or(o.ContentEncoding, h.ContentEncoding)
	h.ContentLanguage = cmp.Or(o.ContentLanguage, h.ContentLanguage)
	h.ContentType = cmp.Or(o.ContentType, h.ContentType)
}

type gotBlob struct {
	blobHeaders
	Status  int     `status:""`
	Range   string  `header:"Content-Range"`
	BlobMD5 md5Hash `header:"x-ms-blob-content-md5,since=2016-05-31"`
	tierRead
	CRC64         crcHash         `header:"x-ms-content-crc64"`
	Content       wire.Content    `body:"stream"`
	Structured    structured.Used `header:"x-ms-structured-body"`
	PayloadLength *int64          `header:"x-ms-structured-content-length"`
}

func doGetBlob(s *txn, a *getBlob) (*gotBlob, error) {
	out := &gotBlob{blobHeaders: blobHeadersOf(s), tierRead: tierRead(s.tierHeaders().tierShown)}
	off, n, err := a.Range.Clamp(s.blob.Size)
	if err != nil {
		return nil, err
	}
	ranged := !a.Range.IsZero()
	if ranged {
		out.Status, out.Range = 206, wire.ContentRange(off, n, s.blob.Size)
		out.BlobMD5, out.ContentMD5 = out.ContentMD5, nil
	}
	content, err := s.open(s.blob, off, n)
	if err != nil {
		return nil, err
	}
	out.Content = content
	if a.RangeMD5 || a.RangeCRC64 {
		if err := s.hashRange(out, a, content, ranged); err != nil {
			content.Close()
			return nil, err
		}
	}
	if a.Structured {
		out.Content, out.Structured, out.PayloadLength = structured.NewMessage(out.Content), true, &n
	}
	return out, nil
}

// hashRange reads the range into memory, adds its hash to the answer, and makes the range ready to
// be sent.
func (s *txn) hashRange(out *gotBlob, a *getBlob, content *stream, ranged bool) error {
	if !ranged || content.Length() > maxHashedRange {
		name := "x-ms-range-get-content-md5"
		if a.RangeCRC64 {
			name = "x-ms-range-get-content-crc64"
		}
		return fault.InvalidHeader(name, "true")
	}
	data := make(sliceWriter, 0, content.Length())
	if _, err := content.WriteTo(&data); err != nil {
		return err
	}
	if a.RangeMD5 {
		sum := md5.Sum(data)
		out.ContentMD5 = sum[:]
	} else {
		out.CRC64 = crcHash{crc64nvme.Checksum(data), true}
	}
	content.Close()
	out.Content = &stream{size: int64(len(data)), parts: []part{{inline: data}}}
	return nil
}

// sliceWriter collects bytes.
type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

var _ io.Writer = (*sliceWriter)(nil)

type getProperties struct {
	conditional
	leaseIDHeader
	customerKey
	stateParams
}

type gotProperties struct {
	blobHeaders
	tierHeaders
	incrementalCopy
	Expires       blob.Time `header:"x-ms-expiry-time,since=2020-02-10"`
	ContentLength int64     `header:"Content-Length,always"`
}

func doGetProperties(s *txn, _ *getProperties) (*gotProperties, error) {
	return &gotProperties{blobHeadersOf(s), s.tierHeaders(), incrementalCopyOf(s.blob), s.blob.Expires, s.blob.Size}, nil
}

func doGetMetadata(s *txn, _ *getProperties) (*describedVersion, error) {
	return &describedVersion{validatorsOf(s.blob.Validators()), metadataOf(s.blob.Metadata)}, nil
}
