package service

import (
	"encoding/base64"
	"strconv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// addBlob adds the entry of a state of a blob.
func (l *blobLister) addBlob(name []byte, past blob.Past, r *blob.Blob) {
	b := wire.AppendXMLName(append(l.xml, "<Blob>"...), name, l.req.Version)
	b = l.appendState(b, past, r)
	b = append(b, "<Properties>"...)
	if !r.Uncommitted {
		b = l.dates.append(append(b, "<Creation-Time>"...), r.Created)
		b = l.dates.append(append(b, "</Creation-Time><Last-Modified>"...), r.Modified)
		b = r.ETag.AppendBare(append(b, "</Last-Modified><Etag>"...))
		b = append(b, "</Etag>"...)
	}
	b = strconv.AppendInt(append(b, "<Content-Length>"...), r.Size, 10)
	b = append(b, "</Content-Length>"...)
	if !r.Uncommitted {
		b = appendHTTPHeaders(b, &r.HTTP)
	}
	if l.common(past, r) {
		l.xml = append(b, l.rest...)
	} else {
		l.xml = l.appendRest(b, past, r)
	}
}

// common tells whether an entry ends, from the type of the blob on, like those of most
// blobs: of block blobs about which nothing was ever said but what comes before. It looks
// at all that appendRest does.
func (l *blobLister) common(past blob.Past, r *blob.Blob) bool {
	return r.Type == blob.BlockBlob && past.IsZero() && !r.Uncommitted && r.Lease.Kind == lease.None && r.Access == blob.TierState{} &&
		(len(r.Metadata) == 0 || !l.with.metadata) && len(r.Tags) == 0 && r.KeyHash == nil && r.Scope == "" && r.Copy == nil && r.Incremental == nil &&
		!r.Sealed && r.Expires == 0 && r.Policy.Until == 0 && !r.LegalHold && r.Deleted == 0
}

// appendRest appends what stands in an entry behind the headers.
func (l *blobLister) appendRest(b []byte, past blob.Past, r *blob.Blob) []byte {
	b = l.appendProperties(b, past, r)
	b = append(b, "</Properties>"...)
	switch {
	case !l.with.metadata || r.Uncommitted:
	case r.KeyHash != nil:
		b = append(b, `<Metadata Encrypted="true" />`...)
	default:
		b = appendMetadata(b, r.Metadata)
	}
	if l.with.tags && len(r.Tags) > 0 {
		b = appendTags(b, r.Tags)
	}
	return append(b, "<OrMetadata /></Blob>"...)
}

func (l *blobLister) appendProperties(b []byte, past blob.Past, r *blob.Blob) []byte {
	b = append(append(append(b, "<BlobType>"...), r.Type.String()...), "</BlobType>"...)
	if !r.Uncommitted {
		b = appendTier(b, r, l.now)
	}
	if past.IsZero() {
		b = appendLease(b, leaseStateOf(r.Lease, l.r.Now()))
	}
	if r.Type == blob.PageBlob {
		b = strconv.AppendInt(append(b, "<x-ms-blob-sequence-number>"...), r.Sequence, 10)
		b = append(b, "</x-ms-blob-sequence-number>"...)
	}
	if l.with.copies {
		b = appendCopy(b, r.Copy)
	}
	b = appendIncremental(b, r.Incremental, l.with.copies)
	if r.Sealed {
		b = append(b, "<Sealed>true</Sealed>"...)
	}
	b = append(b, "<ServerEncrypted>true</ServerEncrypted>"...)
	if r.KeyHash != nil {
		b = base64.StdEncoding.AppendEncode(append(b, "<CustomerProvidedKeySha256>"...), r.KeyHash)
		b = append(b, "</CustomerProvidedKeySha256>"...)
	}
	if r.Scope != "" {
		b = wire.AppendXMLElement(b, "EncryptionScope", r.Scope)
	}
	b = l.appendProtection(b, r)
	if l.tagged && len(r.Tags) > 0 {
		b = wire.AppendXMLElement(b, "TagCount", strconv.Itoa(len(r.Tags)))
	}
	return l.appendDeleted(b, r)
}

func appendHTTPHeaders(b []byte, h *blob.HTTPHeaders) []byte {
	contentType := h.ContentType
	if contentType == "" && !h.Untyped {
		contentType = defaultContentType
	}
	b = contentTypeElement.Append(b, contentType)
	b = contentEncodingElement.Append(b, h.ContentEncoding)
	b = contentLanguageElement.Append(b, h.ContentLanguage)
	b = append(b, "<Content-CRC64 /><Content-MD5>"...)
	b = base64.StdEncoding.AppendEncode(b, h.ContentMD5)
	b = append(b, "</Content-MD5>"...)
	b = cacheControlElement.Append(b, h.CacheControl)
	return contentDispositionElement.Append(b, h.ContentDisposition)
}

// Elements of every entry.
var (
	contentTypeElement        = wire.NewElement("Content-Type")
	contentEncodingElement    = wire.NewElement("Content-Encoding")
	contentLanguageElement    = wire.NewElement("Content-Language")
	cacheControlElement       = wire.NewElement("Cache-Control")
	contentDispositionElement = wire.NewElement("Content-Disposition")
)

// dateText writes times in the form of HTTP headers and keeps the last one: blobs that are
// listed together were often written within a second, and most were never changed.
type dateText struct {
	second blob.Time
	text   []byte // empty at first
}

func (d *dateText) append(b []byte, t blob.Time) []byte {
	if s := t.Second(); s != d.second || len(d.text) == 0 {
		d.second, d.text = s, s.AppendHTTP(d.text[:0])
	}
	return append(b, d.text...)
}
