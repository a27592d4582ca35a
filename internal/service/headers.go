package service

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// Groups of headers that many operations share; their arguments and results
// embed them.

// dateConditions holds the conditional headers with dates, the only ones that containers support.
type dateConditions struct {
	IfModifiedSince   conditionDate `header:"If-Modified-Since"`
	IfUnmodifiedSince conditionDate `header:"If-Unmodified-Since"`
}

func (d *dateConditions) note(f *form) {
	f.conditions.IfModifiedSince = blob.Time(d.IfModifiedSince)
	f.conditions.IfUnmodifiedSince = blob.Time(d.IfUnmodifiedSince)
}

// conditional holds the conditional headers of most operations on blobs.
type conditional struct {
	IfMatch           string        `header:"If-Match"`
	IfNoneMatch       string        `header:"If-None-Match"`
	IfModifiedSince   conditionDate `header:"If-Modified-Since"`
	IfUnmodifiedSince conditionDate `header:"If-Unmodified-Since"`
	IfTags            tagCondition  `header:"x-ms-if-tags"`
}

func (c *conditional) note(f *form) {
	f.conditions = blob.Conditions{
		IfMatch:           c.IfMatch,
		IfNoneMatch:       c.IfNoneMatch,
		IfModifiedSince:   blob.Time(c.IfModifiedSince),
		IfUnmodifiedSince: blob.Time(c.IfUnmodifiedSince),
		IfTags:            c.IfTags.TagCondition,
	}
}

// leaseIDHeader is the lease ID by which the holder of a lease uses the resource.
type leaseIDHeader struct {
	LeaseID lease.OptionalID `header:"x-ms-lease-id"`
}

func (g *leaseIDHeader) note(f *form) { f.leaseID = g.LeaseID }

// conditionDate is a date of a conditional header. The service ignores one that it
// can't read (docs/reference/conditions-and-errors.md 2.1), and refuses more than one.
type conditionDate blob.Time

// UnmarshalText never fails on text that is no date.
func (d *conditionDate) UnmarshalText(text []byte) error {
	t, err := http.ParseTime(string(text))
	if err == nil {
		*d = conditionDate(blob.TimeOf(t))
	} else if strings.Count(string(text), "GMT") > 1 {
		return fault.MultipleConditionHeadersNotSupported
	}
	return nil
}

// validators holds the two headers that identify the state of a blob or container.
type validators struct {
	ETag         blob.ETag `header:"ETag"`
	LastModified blob.Time `header:"Last-Modified"`
}

func validatorsOf(v blob.Validators) validators { return validators{v.ETag, v.Modified} }

// leaseState holds the headers by which a read describes a lease (docs/reference/leases.md 2.6).
type leaseState struct {
	Status   string `header:"x-ms-lease-status"`
	State    string `header:"x-ms-lease-state"`
	Duration string `header:"x-ms-lease-duration"`
}

func leaseStateOf(l lease.Lease, now time.Time) leaseState {
	s := l.State(now)
	return leaseState{Status: s.Status(), State: s.String(), Duration: l.DurationAttribute(now)}
}

// metadata is the user's metadata in a request or an answer.
type metadata struct {
	Metadata wire.Metadata `meta:"x-ms-meta-"`
}

func metadataOf(m blob.Metadata) metadata {
	if len(m) == 0 {
		return metadata{}
	}
	out := make(wire.Metadata, len(m))
	for _, p := range m {
		out[p.Name] = p.Value
	}
	return metadata{out}
}

// record returns the metadata in the order of their names.
func (m *metadata) record() blob.Metadata {
	if len(m.Metadata) == 0 {
		return nil
	}
	out := make(blob.Metadata, 0, len(m.Metadata))
	for name, value := range m.Metadata {
		out = append(out, blob.MetadataPair{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b blob.MetadataPair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// textProperties holds the standard headers that a request stores with a blob, except the MD5.
type textProperties struct {
	ContentType        string `header:"x-ms-blob-content-type"`
	ContentEncoding    string `header:"x-ms-blob-content-encoding"`
	ContentLanguage    string `header:"x-ms-blob-content-language"`
	ContentDisposition string `header:"x-ms-blob-content-disposition"`
	CacheControl       string `header:"x-ms-blob-cache-control"`
}

func (p *textProperties) record() blob.HTTPHeaders {
	return blob.HTTPHeaders{
		ContentType:        p.ContentType,
		ContentEncoding:    p.ContentEncoding,
		ContentLanguage:    p.ContentLanguage,
		ContentDisposition: p.ContentDisposition,
		CacheControl:       p.CacheControl,
	}
}

// properties holds the standard headers that a request stores with a new blob.
type properties struct {
	textProperties
	ContentMD5 md5Hash `header:"x-ms-blob-content-md5"`
}

func (p *properties) record() blob.HTTPHeaders {
	h := p.textProperties.record()
	h.ContentMD5 = p.ContentMD5
	return h
}

// orPlain fills properties that no x-ms-blob-* header has set from the standard headers of the
// request, as Put Blob does (docs/reference/operations.md 4.7).
func (p *properties) orPlain(plain http.Header) blob.HTTPHeaders {
	h := p.record()
	for _, f := range []struct {
		field *string
		name  string
	}{
		{&h.ContentType, "Content-Type"},
		{&h.ContentEncoding, "Content-Encoding"},
		{&h.ContentLanguage, "Content-Language"},
		{&h.CacheControl, "Cache-Control"},
	} {
		if *f.field == "" {
			*f.field = plain.Get(f.name)
		}
	}
	return h
}
