package service

import (
	"encoding/xml"
	"errors"
	"iter"
	"math"
	"strconv"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

const pageWrite = "x-ms-page-write"

func pageBlobOperations() []Operation {
	sinceSnapshot := onBlob("GET", "pagelist")
	sinceSnapshot.Query = []string{"prevsnapshot"}
	return []Operation{
		{
			Name: "PageBlob_Create", Status: 201,
			On: onBlob("PUT", "", copySource, "-", blobType, "PageBlob"), Needs: auth.PermPutBlob,
			Use: useCreate, Run: update(doCreatePageBlob),
		},
		{
			Name: "PageBlob_UploadPages", Status: 201,
			On: onBlob("PUT", "page", copySource, "-", pageWrite, "update"), Needs: auth.PermPutPage,
			Use: useWrite, Run: ingest(doPutPages),
		},
		{
			Name: "PageBlob_ClearPages", Status: 201,
			On: onBlob("PUT", "page", copySource, "-", pageWrite, "clear"), Needs: auth.PermPutPage,
			Use: useWrite, Run: update(doClearPages),
		},
		{
			Name: "PageBlob_GetPageRangesDiff", On: sinceSnapshot, Needs: auth.PermGetPageRanges, Status: 200,
			Use: useRead, Run: view(doGetPageDiff),
		},
		{
			Name: "PageBlob_GetPageRanges", On: onBlob("GET", "pagelist"), Needs: auth.PermGetPageRanges, Status: 200,
			Use: useRead, Run: view(doGetPageRanges),
		},
	}
}

type createPageBlob struct {
	createEmpty
	Size     *int64 `header:"x-ms-blob-content-length,required"`
	Sequence *int64 `header:"x-ms-blob-sequence-number"`
}

func (a *createPageBlob) checkForm() error {
	if !blob.ValidPageBlobSize(*a.Size) {
		return fault.InvalidHeader("x-ms-blob-content-length", strconv.FormatInt(*a.Size, 10))
	}
	if a.Sequence != nil && *a.Sequence < 0 {
		return fault.InvalidHeader("x-ms-blob-sequence-number", strconv.FormatInt(*a.Sequence, 10))
	}
	return nil
}

func doCreatePageBlob(s *txn, a *createPageBlob) (*writtenBlob, error) {
	b, err := s.createBlob(blob.PageBlob, &a.createEmpty)
	if err != nil {
		return nil, err
	}
	b.Content.Listed, b.Content.Paged, b.Content.Name = false, true, s.req.Blob
	b.Size, b.Origin = *a.Size, b.ETag
	if a.Sequence != nil {
		b.Sequence = *a.Sequence
	}
	answer := writtenOf(b)
	return &answer, s.putBlob(b)
}

// sequenced holds the conditions on the sequence number.
type sequenced struct {
	AtMost *int64 `header:"x-ms-if-sequence-number-le"`
	Below  *int64 `header:"x-ms-if-sequence-number-lt"`
	Equal  *int64 `header:"x-ms-if-sequence-number-eq"`
}

func (q *sequenced) check(number int64) error {
	return blob.SequenceConditions{AtMost: q.AtMost, Below: q.Below, Equal: q.Equal}.Check(number)
}

// pageRange is the range of a page write.
type pageRange struct {
	Range wire.Range `header:"x-ms-range|Range"`
}

// pages returns the range, which must be given, closed, and made of whole pages.
func (p *pageRange) pages() (blob.PageRange, error) {
	switch {
	case p.Range.IsZero():
		return blob.PageRange{}, fault.MissingHeader("x-ms-range")
	case p.Range.Open() || p.Range.Start%blob.PageSize != 0 || p.Range.Len()%blob.PageSize != 0:
		return blob.PageRange{}, fault.InvalidPageRange
	}
	return blob.PageRange{Start: p.Range.Start, End: p.Range.Last() + 1}, nil
}

type putPages struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	sequenced
	pageRange
	upload
}

func (*putPages) limit(wire.Version) int64 { return blob.MaxPageWrite }

func (a *putPages) checkForm() error {
	r, err := a.pages()
	if err != nil {
		return err
	}
	if n := a.Body.Length; n == 0 || n > 0 && n <= blob.MaxPageWrite && n != r.Len() {
		return fault.InvalidHeader("Content-Length", strconv.FormatInt(n, 10))
	}
	return nil
}

// writtenPages is the answer to a change of pages.
type writtenPages struct {
	writtenBlob
	Sequence int64 `header:"x-ms-blob-sequence-number,always"`
}

func doPutPages(s *txn, a *putPages, in *body) (*writtenPages, error) {
	return s.writePages(&a.pageRange, &a.sequenced, &a.bodyHashes, in)
}

// writePages writes a body to pages.
func (s *txn) writePages(p *pageRange, q *sequenced, by *bodyHashes, in *body) (*writtenPages, error) {
	r, err := s.enterPages(p, q)
	if err != nil {
		return nil, err
	}
	if in.Size >= 0 && in.Size != r.Len() {
		return nil, fault.InvalidHeader("Content-Length", strconv.FormatInt(in.Size, 10))
	}
	chunk, err := in.chunk(s)
	if err != nil {
		return nil, err
	}
	old, err := meta.ExtentsIn(s.r, s.container.Generation, s.blob.Content, r)
	if err != nil {
		return nil, err
	}
	edit := blob.WritePages(old, blob.PageExtent{Start: r.Start, Stamp: uint64(s.now), Chunk: chunk})
	out, err := s.editPages(edit)
	if err == nil {
		out.bodyHashes = by.answered(&in.sums, s.req.Version)
	}
	return out, err
}

type clearPages struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	sequenced
	pageRange
	ContentLength int64 `header:"Content-Length"`
}

func (a *clearPages) checkForm() error {
	if a.ContentLength != 0 {
		return fault.InvalidHeader("Content-Length", strconv.FormatInt(a.ContentLength, 10))
	}
	_, err := a.pages()
	if errors.Is(err, fault.InvalidPageRange) {
		return fault.InvalidHeader("Range", a.Range.String())
	}
	return err
}

func doClearPages(s *txn, a *clearPages) (*writtenPages, error) {
	r, err := s.enterPages(&a.pageRange, &a.sequenced)
	if err != nil {
		return nil, err
	}
	old, err := meta.ExtentsIn(s.r, s.container.Generation, s.blob.Content, r)
	if err != nil {
		return nil, err
	}
	since, err := s.firstSnapshot()
	if err != nil {
		return nil, err
	}
	return s.editPages(blob.ClearPages(old, r, since, uint64(s.now)))
}

// maxPassed is how many revisions are passed over to find the first snapshot of a page blob. A blob
// with more is taken to have a snapshot from the beginning, so that more of the cleared pages is
// recorded than needed.
const maxPassed = 100

// firstSnapshot returns the time of the oldest snapshot against which a client may ask for a
// difference; a time after all writes if there is none.
func (s *txn) firstSnapshot() (uint64, error) {
	passed := 0
	for r, err := range meta.Revisions(s.r, s.container.Generation, s.req.Blob) {
		switch {
		case err != nil:
			return 0, err
		case r.Kind == blob.Snapshot:
			return uint64(r.ID), nil
		}
		if passed++; passed > maxPassed {
			return 0, nil
		}
	}
	return math.MaxUint64, nil
}

// enterPages checks the conditions of a change of pages.
func (s *txn) enterPages(p *pageRange, q *sequenced) (blob.PageRange, error) {
	r, err := p.pages()
	if err != nil {
		return r, err
	}
	if s.blob.Type != blob.PageBlob {
		return r, fault.InvalidBlobType
	}
	if err := blob.CheckPages(r, s.blob.Size); err != nil {
		return r, err
	}
	return r, q.check(s.blob.Sequence)
}

// editPages applies an edit and stores the blob as changed.
func (s *txn) editPages(edit blob.PageEdit) (*writtenPages, error) {
	b := s.blob
	if err := meta.EditPages(s.tx, s.container.Generation, s.now, b.Content, edit, s.newObject()); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	out := &writtenPages{writtenBlob{validators: validatorsOf(b.Validators()), Encrypted: true}, b.Sequence}
	return out, s.putBlob(b)
}

// resize changes the size of a page blob. Pages beyond the new size are dropped.
func (s *txn) resize(size int64) error {
	b := s.blob
	if b.Type != blob.PageBlob {
		return fault.InvalidBlobType
	}
	if size < b.Size {
		gen := s.container.Generation
		old, err := meta.ExtentsIn(s.r, gen, b.Content, blob.PageRange{Start: size, End: b.Size})
		if err != nil {
			return err
		}
		if err := meta.EditPages(s.tx, gen, s.now, b.Content, blob.TruncatePages(old, size), s.newObject()); err != nil {
			return err
		}
	}
	b.Size = size
	return nil
}

// maxPageRanges is the largest number of ranges in one answer, and the number when
// none is asked for.
const maxPageRanges = 10_000

type getPageRanges struct {
	conditional
	leaseIDHeader
	stateParams
	Range      wire.Range `header:"x-ms-range|Range"`
	Marker     *int64     `query:"marker"`
	MaxResults *int64     `query:"maxresults"`
}

func (a *getPageRanges) checkForm() error {
	if a.MaxResults != nil && *a.MaxResults < 1 {
		return fault.OutOfRangeQuery("maxresults", strconv.FormatInt(*a.MaxResults, 10), 1, maxPageRanges)
	}
	if a.Marker != nil && *a.Marker < 0 {
		return fault.InvalidQuery("marker", strconv.FormatInt(*a.Marker, 10), "")
	}
	return nil
}

// within returns the requested part of a blob of the given size.
func (a *getPageRanges) within(size int64) (blob.PageRange, error) {
	if size == 0 {
		return blob.PageRange{}, nil
	}
	off, n, err := a.Range.Clamp(size)
	if err != nil {
		return blob.PageRange{}, err
	}
	r := blob.PageRange{Start: off, End: off + n}.Widen()
	if a.Marker != nil {
		r.Start = max(r.Start, *a.Marker)
	}
	return r, nil
}

func (a *getPageRanges) limit() int {
	if a.MaxResults == nil {
		return maxPageRanges
	}
	return int(min(*a.MaxResults, maxPageRanges))
}

type pageRanges struct {
	validators
	ContentLength int64       `header:"x-ms-blob-content-length,always"`
	List          pageListXML `body:"xml"`
}

type pageListXML struct {
	XMLName xml.Name `xml:"PageList"`
	Ranges  []pageRangeXML
	Next    string `xml:"NextMarker,omitempty"` // the last child, since a client may take every child for a range
}

type pageRangeXML struct {
	XMLName xml.Name
	Start   int64
	End     int64
}

// add appends a range, or notes where the next answer begins.
func (l *pageListXML) add(c blob.PageChange, limit int) (more bool) {
	if len(l.Ranges) == limit {
		l.Next = strconv.FormatInt(c.Start, 10)
		return false
	}
	name := "PageRange"
	if c.Cleared {
		name = "ClearRange"
	}
	l.Ranges = append(l.Ranges, pageRangeXML{xml.Name{Local: name}, c.Start, c.End - 1})
	return true
}

func doGetPageRanges(s *txn, a *getPageRanges) (*pageRanges, error) {
	out, within, err := s.enterPageList(a)
	if err != nil {
		return nil, err
	}
	extents := meta.Extents(s.r, s.container.Generation, s.blob.Content, within.Start)
	return out, out.List.fill(blob.PageList(extents, within), a.limit())
}

// enterPageList begins the answer about the pages in a range of a blob.
func (s *txn) enterPageList(a *getPageRanges) (*pageRanges, blob.PageRange, error) {
	b := s.blob
	if b.Type != blob.PageBlob {
		return nil, blob.PageRange{}, fault.InvalidBlobType
	}
	within, err := a.within(b.Size)
	return &pageRanges{validators: validatorsOf(b.Validators()), ContentLength: b.Size}, within, err
}

func (l *pageListXML) fill(changes iter.Seq2[blob.PageChange, error], limit int) error {
	for c, err := range changes {
		if err != nil {
			return err
		}
		if !l.add(c, limit) {
			break
		}
	}
	return nil
}

type getPageDiff struct {
	getPageRanges
	Previous revisionID `query:"prevsnapshot,required"`
}

func doGetPageDiff(s *txn, a *getPageDiff) (*pageRanges, error) {
	if a.Snapshot != 0 && a.Previous > a.Snapshot {
		return nil, fault.PreviousSnapshotCannotBeNewer
	}
	out, within, err := s.enterPageList(&a.getPageRanges)
	if err != nil {
		return nil, err
	}
	gen := s.container.Generation
	at := blob.Revision{Kind: blob.Snapshot, ID: blob.Time(a.Previous)}
	before, err := meta.Revision(s.r, gen, s.req.Blob, at)
	switch {
	case err != nil:
		return nil, err
	case before == nil || before.Deleted != 0:
		return nil, fault.PreviousSnapshotNotFound
	case before.Origin != s.blob.Origin:
		return nil, fault.BlobOverwritten
	}
	was, err := meta.ExtentsIn(s.r, gen, before.Content, within)
	if err != nil {
		return nil, err
	}
	is := meta.Extents(s.r, gen, s.blob.Content, within.Start)
	return out, out.List.fill(blob.PageDiff(is, listed(was), within), a.limit())
}

// listed yields extents that were read before: scans of one reader can't be nested.
func listed(extents []blob.PageExtent) blob.Extents {
	return func(yield func(blob.PageExtent, error) bool) {
		for i := range extents {
			if !yield(extents[i], nil) {
				return
			}
		}
	}
}
