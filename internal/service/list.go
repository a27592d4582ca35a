package service

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// maxPage is the largest number of entries in one answer of a listing, and the number
// when none is asked for.
const maxPage = 5000

// maxSkipped is how many hidden entries one page of a listing passes over, some 30 ms of work. Then
// the page ends, perhaps empty, and its marker continues the listing (docs/reference/operations.md
// 6).
const maxSkipped = 20_000

// page holds the arguments that select a part of a listing.
type page struct {
	Prefix     string `query:"prefix"`
	Marker     marker `query:"marker"`
	MaxResults *int64 `query:"maxresults"`
}

// size returns how many entries the answer may have.
func (p *page) size() (int, error) {
	switch {
	case p.MaxResults == nil:
		return maxPage, nil
	case *p.MaxResults < 1:
		return 0, fault.OutOfRangeQuery("maxresults", strconv.FormatInt(*p.MaxResults, 10), 1, maxPage)
	}
	return int(min(*p.MaxResults, maxPage)), nil
}

// marker is the position at which a listing continues: the first name that is not before it. It is
// opaque on the wire, so that names may hold any characters.
type marker string

// markerForm begins every marker, so that its form can change.
const markerForm = "1!"

// UnmarshalText refuses a marker that this server has not made.
func (m *marker) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), markerForm)
	name, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil {
		return fault.InvalidQuery("marker", string(text), "The marker is not one that a listing returned.")
	}
	*m = marker(name)
	return nil
}

func (m marker) String() string {
	if m == "" {
		return ""
	}
	return markerForm + base64.RawURLEncoding.EncodeToString([]byte(m))
}

// includes returns the values of the include parameter, comma-separated or repeated. An unknown
// value is InvalidQueryParameterValue.
func includes(q wire.Query, known ...string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, list := range q.Values("include") {
		for v := range strings.SplitSeq(list, ",") {
			v = strings.ToLower(strings.TrimSpace(v))
			if v == "" {
				continue
			}
			if !slices.Contains(known, v) {
				return nil, fault.InvalidQuery("include", list, "")
			}
			out[v] = true
		}
	}
	return out, nil
}

// document is the XML body of a listing. Its buffer is reused after it has been sent: a full page
// takes some megabytes.
type document struct{ text []byte }

// documents recycles the buffers of pages. A buffer over maxKept is dropped, so that a few pages
// with much metadata do not hold memory for good.
var documents = sync.Pool{New: func() any { return &document{make([]byte, 0, 64<<10)} }}

const maxKept = 8 << 20

// Length returns the number of bytes.
func (d *document) Length() int64 { return int64(len(d.text)) }

// WriteTo sends the document.
func (d *document) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(d.text)
	return int64(n), err
}

// Close gives the buffer back.
func (d *document) Close() error {
	if cap(d.text) <= maxKept {
		documents.Put(&document{d.text[:0]})
	}
	return nil
}

type listing struct {
	ContentType string       `header:"Content-Type"`
	Body        wire.Content `body:"stream"`
}

// begin starts the root element of a listing and repeats the arguments of the request.
func (s *txn) begin(p *page, more ...string) []byte {
	b := append(documents.Get().(*document).text, wire.XMLHeader+`<EnumerationResults ServiceEndpoint="`...)
	b = wire.AppendXMLText(b, s.endpoint())
	b = append(b, '"')
	if s.req.Level == wire.LevelContainer {
		b = append(b, ` ContainerName="`...)
		b = append(wire.AppendXMLText(b, s.req.Container), '"')
	}
	b = append(b, '>')
	if s.req.Query.Has("prefix") {
		b = wire.AppendXMLElement(b, "Prefix", p.Prefix)
	}
	if p.Marker != "" {
		b = wire.AppendXMLElement(b, "Marker", p.Marker.String())
	}
	if p.MaxResults != nil {
		b = wire.AppendXMLElement(b, "MaxResults", strconv.FormatInt(*p.MaxResults, 10))
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			b = wire.AppendXMLElement(b, more[i], more[i+1])
		}
	}
	return b
}

func finish(b []byte, list string, next marker) *listing {
	b = append(append(append(b, "</"...), list...), '>')
	if next == "" {
		b = append(b, "<NextMarker />"...)
	} else {
		b = wire.AppendXMLElement(b, "NextMarker", next.String())
	}
	return &listing{"application/xml", &document{append(b, "</EnumerationResults>"...)}}
}

// endpoint returns the address of the account as the client wrote it.
func (s *txn) endpoint() string {
	scheme := "http://"
	if s.req.TLS != nil {
		scheme = "https://"
	}
	url := scheme + s.req.Host + "/"
	if s.req.PathStyle {
		url += s.req.Account
	}
	return url
}

type listContainers struct {
	page
}

func doListContainers(s *txn, a *listContainers) (*listing, error) {
	limit, err := a.size()
	if err != nil {
		return nil, err
	}
	with, err := includes(s.req.Query, "metadata", "deleted", "system")
	if err != nil {
		return nil, err
	}
	b := append(s.begin(&a.page), "<Containers>"...)
	count, skipped, next := 0, 0, marker("")
	err = meta.WalkAllContainers(s.r, s.req.Account, a.Prefix, string(a.Marker),
		func(position, name string, c *blob.Container) (meta.Step, error) {
			hidden := name[0] == '$' && !with["system"] || c.Deleted != 0 && (!with["deleted"] || c.Retained <= s.now)
			if hidden && skipped < maxSkipped {
				skipped++
				return meta.Next, nil
			}
			if hidden || count == limit {
				next = marker(position)
				return meta.Stop, nil
			}
			count++
			b = s.appendContainer(b, name, c, with["metadata"])
			return meta.Next, nil
		})
	if err != nil {
		return nil, err
	}
	return finish(b, "Containers", next), nil
}

func (s *txn) appendContainer(b []byte, name string, c *blob.Container, withMetadata bool) []byte {
	b = append(b, "<Container>"...)
	b = wire.AppendXMLElement(b, "Name", name)
	state := leaseStateOf(c.Lease, s.r.Now())
	if c.Deleted != 0 {
		b = append(b, "<Deleted>true</Deleted>"...)
		b = wire.AppendXMLElement(b, "Version", containerVersion(c.Deleted).String())
		state = deletedContainerLease
	}
	b = append(b, "<Properties>"...)
	b = appendTime(b, "Last-Modified", c.Modified)
	b = wire.AppendXMLElement(b, "Etag", c.ETag.String())
	b = appendLease(b, state)
	if c.Access != blob.Private {
		b = wire.AppendXMLElement(b, "PublicAccess", c.Access.String())
	}
	b = wire.AppendXMLElement(b, "DefaultEncryptionScope", cmp.Or(c.DefaultScope, encryption.DefaultScope))
	b = append(b, "<DenyEncryptionScopeOverride>"+strconv.FormatBool(c.DenyScopeOverride)+"</DenyEncryptionScopeOverride>"+
		"<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold><ImmutableStorageWithVersioningEnabled>"+strconv.FormatBool(c.VersionedWORM)+"</ImmutableStorageWithVersioningEnabled>"...)
	if c.Deleted != 0 {
		b = appendRetention(b, c.Deleted, c.Retained, s.now)
	}
	b = append(b, "</Properties>"...)
	if withMetadata {
		b = appendMetadata(b, c.Metadata)
	}
	return append(b, "</Container>"...)
}

func appendTime(b []byte, tag string, t blob.Time) []byte {
	b = append(append(append(b, '<'), tag...), '>')
	b = t.AppendHTTP(b)
	return append(append(append(b, "</"...), tag...), '>')
}

func appendLease(b []byte, l leaseState) []byte {
	b = wire.AppendXMLElement(b, "LeaseStatus", l.Status)
	b = wire.AppendXMLElement(b, "LeaseState", l.State)
	if l.Duration != "" {
		b = wire.AppendXMLElement(b, "LeaseDuration", l.Duration)
	}
	return b
}

func appendMetadata(b []byte, m blob.Metadata) []byte {
	if len(m) == 0 {
		return append(b, "<Metadata />"...)
	}
	b = append(b, "<Metadata>"...)
	for _, p := range m {
		b = wire.AppendXMLElement(b, p.Name, p.Value)
	}
	return append(b, "</Metadata>"...)
}

type listBlobs struct {
	page
	Delimiter string `query:"delimiter"`
	StartFrom string `query:"startFrom"`
	EndBefore string `query:"endBefore,since=2026-10-06"`
}

// arrow is the media type of listings that some clients prefer. They accept XML as well
// (docs/reference/operations.md 4).
const arrow = "application/vnd.apache.arrow.stream"

// names returns the names to list. The service honours the upper bound only if the client asks for
// Arrow (docs/reference/operations.md 6).
func (a *listBlobs) names(accept []string) meta.Names {
	names := meta.Names{Prefix: a.Prefix, Start: max(string(a.Marker), bound(a.StartFrom))}
	if strings.Contains(strings.Join(accept, ","), arrow) {
		names.End = bound(a.EndBefore)
	}
	return names
}

// bound returns the first possible name that is not before a text. Names have no zero bytes: in the
// position of a walk, a zero byte separates the name from the state of the blob.
func bound(text string) string {
	if name, _, zero := strings.Cut(text, "\x00"); zero {
		return name + "\x01"
	}
	return text
}

// blobLister collects one page of a listing of blobs.
type blobLister struct {
	*txn
	*listBlobs
	limit       int
	with        inclusions
	count       int
	skipped     int // entries passed over
	next        marker
	xml         []byte
	usual       []byte // the end of the properties of most entries, see common
	record      blob.Blob
	versionOnly versionOnly
	tagged      bool // the caller may learn of tags

	times       timesText
	contentType typeText
}

// inclusions holds what a listing of blobs is asked to include.
type inclusions struct {
	snapshots, versions, versionOnly, deleted, uncommitted bool // states of blobs
	metadata, tags, copies, policies, holds                bool // about each
}

func blobInclusions(q wire.Query) (inclusions, error) {
	with, err := includes(q, "snapshots", "metadata", "uncommittedblobs", "copy", "deleted", "tags",
		"versions", "deletedwithversions", "immutabilitypolicy", "legalhold", "permissions")
	return inclusions{
		snapshots: with["snapshots"], versions: with["versions"], versionOnly: with["deletedwithversions"], deleted: with["deleted"],
		uncommitted: with["uncommittedblobs"], metadata: with["metadata"], tags: with["tags"], copies: with["copy"],
		policies: with["immutabilitypolicy"], holds: with["legalhold"],
	}, err
}

// past reports whether any past states are asked for.
func (i *inclusions) past() bool { return i.snapshots || i.versions || i.versionOnly || i.deleted }

func doListBlobs(s *txn, a *listBlobs) (*listing, error) {
	limit, err := a.size()
	if err != nil {
		return nil, err
	}
	with, err := blobInclusions(s.req.Query)
	if err != nil {
		return nil, err
	}
	if a.Delimiter != "" && with.snapshots {
		return nil, fault.InvalidQuery("include", s.req.Query.Get("include"), "Snapshots are not listed by hierarchy.")
	}
	l := &blobLister{txn: s, listBlobs: a, limit: limit, with: with, tagged: s.grant.MayReadTags(s.resource())}
	if with.tags && !l.tagged {
		return nil, fault.AuthorizationPermissionMismatch
	}
	l.usual = l.appendProperties(nil, blob.Revision{}, &blob.Blob{Type: blob.BlockBlob})
	l.xml = append(s.begin(&a.page, "Delimiter", a.Delimiter), "<Blobs>"...)
	if err := l.walk(a.names(s.req.Header["Accept"])); err != nil {
		return nil, err
	}
	return finish(l.xml, "Blobs", l.next), nil
}

// full counts one more entry, or notes that the next page begins with it.
func (l *blobLister) full(position []byte) bool {
	if l.count == l.limit {
		l.next = marker(position)
		return true
	}
	l.count++
	return false
}

// add adds an entry to the page: a state of a blob, or the prefix up to the delimiter. The other
// names with this prefix are skipped by one seek.
func (l *blobLister) add(position, name []byte, past blob.Revision, r *blob.Blob) (meta.Step, string) {
	if l.full(position) {
		return meta.Stop, ""
	}
	if l.Delimiter != "" {
		if at := bytes.Index(name[len(l.Prefix):], []byte(l.Delimiter)); at >= 0 {
			prefix := name[:len(l.Prefix)+at+len(l.Delimiter)]
			l.xml = append(l.xml, "<BlobPrefix>"...)
			l.xml = wire.AppendXMLName(l.xml, prefix, l.req.Version)
			l.xml = append(l.xml, "</BlobPrefix>"...)
			return meta.Skip, meta.NameAfter(prefix)
		}
	}
	l.addBlob(name, past, r)
	return meta.Next, ""
}
