package service

import (
	"encoding/base64"
	"strconv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// addBlob adds the entry of a state of a blob.
func (l *blobLister) addBlob(name []byte, past blob.Revision, r *blob.Blob) {
	b := wire.AppendXMLName(append(l.xml, "<Blob>"...), name, l.req.Version)
	b = l.appendState(b, past, r)
	if r.Uncommitted {
		b = strconv.AppendInt(append(b, "<Properties><Content-Length>"...), r.Size, 10)
		b = append(b, "</Content-Length>"...)
	} else {
		b = l.times.append(b, r.Created, r.Modified)
		if r.Expires != 0 {
			b = appendTime(b, "Expiry-Time", r.Expires)
		}
		b = r.ETag.AppendBare(append(b, "<Etag>"...))
		b = strconv.AppendInt(append(b, "</Etag><Content-Length>"...), r.Size, 10)
		b = append(b, "</Content-Length>"...)
		b = l.appendHTTPHeaders(b, &r.HTTP)
	}
	if l.common(past, r) {
		b = append(b, l.usual...)
	} else {
		b = l.appendProperties(b, past, r)
	}
	l.xml = l.appendEnd(b, r)
}

// common reports whether the properties of an entry, from the type of the blob on, are the usual
// ones: a block blob with nothing set that appendProperties appends from there on. It must consider
// every field that appendProperties does.
func (l *blobLister) common(past blob.Revision, r *blob.Blob) bool {
	return r.Type == blob.BlockBlob && past.IsZero() && !r.Uncommitted && r.Lease.Kind == lease.None && r.Access == blob.TierState{} &&
		len(r.Tags) == 0 && r.KeyHash == nil && r.Scope == "" && r.Copy == nil && r.Incremental == nil &&
		!r.Sealed && r.Expires == 0 && r.Policy.Until == 0 && !r.LegalHold && r.Deleted == 0
}

// appendEnd appends the elements of an entry that follow the properties.
func (l *blobLister) appendEnd(b []byte, r *blob.Blob) []byte {
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

// appendProperties appends the properties that follow the headers, in the order of the service
// (docs/facts/listing-order.md).
func (l *blobLister) appendProperties(b []byte, past blob.Revision, r *blob.Blob) []byte {
	if r.Type == blob.PageBlob {
		b = strconv.AppendInt(append(b, "<x-ms-blob-sequence-number>"...), r.Sequence, 10)
		b = append(b, "</x-ms-blob-sequence-number>"...)
	}
	b = append(append(append(b, "<BlobType>"...), r.Type.String()...), "</BlobType>"...)
	if !r.Uncommitted {
		b = l.appendTier(b, r)
	}
	if past.IsZero() {
		b = appendLease(b, leaseStateOf(r.Lease, l.r.Now()))
	}
	if l.with.copies {
		b = appendCopy(b, r.Copy)
	}
	b = append(b, "<ServerEncrypted>true</ServerEncrypted>"...)
	if r.KeyHash != nil {
		b = base64.StdEncoding.AppendEncode(append(b, "<CustomerProvidedKeySha256>"...), r.KeyHash)
		b = append(b, "</CustomerProvidedKeySha256>"...)
	}
	if r.Scope != "" {
		b = wire.AppendXMLElement(b, "EncryptionScope", r.Scope)
	}
	b = appendIncremental(b, r.Incremental, l.with.copies)
	if r.Sealed {
		b = append(b, "<Sealed>true</Sealed>"...)
	}
	b = l.appendDeleted(l.appendProtection(b, r), r)
	if l.tagged && len(r.Tags) > 0 {
		b = wire.AppendXMLElement(b, "TagCount", strconv.Itoa(len(r.Tags)))
	}
	return append(b, "</Properties>"...)
}

func (l *blobLister) appendHTTPHeaders(b []byte, h *blob.HTTPHeaders) []byte {
	contentType := h.ContentType
	if contentType == "" && !h.Untyped {
		contentType = defaultContentType
	}
	b = l.contentType.append(b, contentType)
	if h.ContentEncoding == "" && h.ContentLanguage == "" {
		b = append(b, "<Content-Encoding /><Content-Language /><Content-CRC64 /><Content-MD5>"...)
	} else {
		b = wire.AppendXMLElement(b, "Content-Encoding", h.ContentEncoding)
		b = wire.AppendXMLElement(b, "Content-Language", h.ContentLanguage)
		b = append(b, "<Content-CRC64 /><Content-MD5>"...)
	}
	b = base64.StdEncoding.AppendEncode(b, h.ContentMD5)
	if h.CacheControl == "" && h.ContentDisposition == "" {
		return append(b, "</Content-MD5><Cache-Control /><Content-Disposition />"...)
	}
	b = wire.AppendXMLElement(append(b, "</Content-MD5>"...), "Cache-Control", h.CacheControl)
	return wire.AppendXMLElement(b, "Content-Disposition", h.ContentDisposition)
}

// Text that many entries in a row share is kept: blobs that are listed together often have the same
// type, were written within the same second, and never changed.

// timesText is the text of the times at the beginning of the last entry's properties.
type timesText struct {
	created, modified blob.Time // whole seconds
	text              []byte    // empty at first
}

func (t *timesText) append(b []byte, created, modified blob.Time) []byte {
	if c, m := created.Second(), modified.Second(); c != t.created || m != t.modified || len(t.text) == 0 {
		t.created, t.modified = c, m
		t.text = c.AppendHTTP(append(t.text[:0], "<Properties><Creation-Time>"...))
		t.text = m.AppendHTTP(append(t.text, "</Creation-Time><Last-Modified>"...))
		t.text = append(t.text, "</Last-Modified>"...)
	}
	return append(b, t.text...)
}

// typeText is the text of the content type of the last entry.
type typeText struct{ contentType, text []byte } // empty at first

func (t *typeText) append(b []byte, contentType string) []byte {
	if string(t.contentType) != contentType || len(t.text) == 0 {
		t.contentType = append(t.contentType[:0], contentType...)
		t.text = wire.AppendXMLElement(t.text[:0], "Content-Type", contentType)
	}
	return append(b, t.text...)
}
