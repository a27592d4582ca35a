package service

import (
	"net/http"
	"strconv"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/wire"
)

// openOutside opens a source outside of this server. Its key is sent only over HTTPS or to the
// machine itself.
func (c *call) openOutside(w *wanted) (*source, error) {
	if w.limit == 0 {
		w.limit = c.MaxSource
	}
	if w.key != nil && w.url.Scheme != "https" && !loopback(w.url.Hostname()) {
		return nil, refusedSource(fault.AccountRequiresHTTPS)
	}
	f := &source{wanted: w}
	answer, err := c.outside.Get(c.ctx(), &fetch.Request{
		URL: w.url.URL, Version: string(c.req.Version), Bearer: string(w.bearer), Key: w.key,
		Range: w.within, Conditions: w.conditions,
	})
	if e, ok := fault.Of(err); ok && e.Code == fault.ConditionNotMet {
		return nil, f.unmet(err)
	}
	if err != nil {
		return nil, err
	}
	f.content, f.length = answer.Content, answer.Length
	if err := f.admit(f.length); err != nil {
		f.content.Close()
		return nil, err
	}
	if err := f.describe(answer.Header); err != nil {
		f.content.Close()
		return nil, err
	}
	return f, nil
}

// describe fills the record of the blob from the header of its answer.
func (f *source) describe(h http.Header) error {
	b := &f.record
	b.Type, b.Size = blob.BlockBlob, f.length
	switch h.Get("x-ms-blob-type") {
	case blob.AppendBlob.String():
		b.Type = blob.AppendBlob
		b.Content.Count, _ = strconv.Atoi(h.Get("x-ms-blob-committed-block-count"))
		b.Sealed = h.Get("x-ms-blob-sealed") == "true"
	case blob.PageBlob.String():
		if f.kind.whole() {
			return fault.InvalidSourceBlobType
		}
	}
	b.HTTP = blob.HTTPHeaders{
		ContentType:        h.Get("Content-Type"),
		ContentEncoding:    h.Get("Content-Encoding"),
		ContentLanguage:    h.Get("Content-Language"),
		ContentDisposition: h.Get("Content-Disposition"),
		CacheControl:       h.Get("Cache-Control"),
	}
	var sum md5Hash
	if f.within.IsZero() && sum.UnmarshalText([]byte(h.Get("Content-MD5"))) == nil {
		b.HTTP.ContentMD5 = sum
	}
	var m metadata
	if err := sourceMetadata.Decode(&wire.Request{Request: &http.Request{Header: h}}, &m); err != nil {
		return refusedSource(err)
	}
	b.Metadata = m.record()
	return nil
}

var sourceMetadata = wire.CompileArgs[metadata]()
