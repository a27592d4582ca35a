package service

import (
	"errors"
	"net/http"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/wire"
)

// readWebsite is the only operation of the website endpoint: it shows blobs to everybody. It has no
// row in the table because only the endpoint selects it.
var readWebsite = Operation{
	Name: "Website_Read", Needs: auth.Permission{Name: "ReadWebsite", Open: true}, Use: useRead, Status: 200,
	Retry: segment.ErrNotFound,
	Run:   handle[webRead, webPage]((*call).readWebsite),
}

// webRead holds the arguments of a request to the website endpoint: standard HTTP headers only.
type webRead struct {
	dateConditions
	IfMatch     string     `header:"If-Match"`
	IfNoneMatch string     `header:"If-None-Match"`
	Range       wire.Range `header:"Range"`
}

func (a *webRead) note(f *form) {
	f.conditions.IfMatch, f.conditions.IfNoneMatch = a.IfMatch, a.IfNoneMatch
}

// webPage is a blob as browsers see it.
type webPage struct {
	Status int `status:""`
	validators
	contentHeaders
	Code    fault.Code   `header:"x-ms-error-code"`
	Range   string       `header:"Content-Range"`
	Content wire.Content `body:"stream"`
}

var (
	webReads = newReader[webRead]()
	webPages = wire.CompileResults[webPage]()
)

func (c *call) readWebsite() error {
	if c.req.Method != http.MethodGet && c.req.Method != http.MethodHead {
		return fault.UnsupportedHTTPVerb
	}
	if c.Accounts(c.req.Account) == nil {
		return fault.WebContentNotFound
	}
	above, err := c.loadParents(c.ctx())
	if errors.Is(err, fault.ContainerNotFound) {
		return fault.WebContentNotFound
	}
	if err != nil {
		return err
	}
	if above.properties == nil || !above.properties.Website.Serves() {
		return fault.WebContentNotFound
	}
	a, err := webReads.read(c)
	if err != nil {
		return err
	}
	var page *webPage
	err = c.DB.View(c.ctx(), func(r kv.Reader) (err error) {
		s := &txn{call: c, r: r, container: above.container, now: blob.TimeOf(r.Now())}
		page, err = s.page(above.properties.Website, a)
		return err
	})
	if err != nil {
		return err
	}
	return webPages.Write(c.req, c.op.Status, page)
}

// page returns what the site shows for the path of the request: a document, or else the error
// document, to which conditions and ranges do not apply.
func (s *txn) page(site *blob.StaticWebsite, a *webRead) (*webPage, error) {
	for _, name := range site.Documents(s.req.Blob) {
		if err := s.find(name); err != nil {
			return nil, err
		}
		if s.blob != nil {
			if err := s.checkConditions(s.blob.Validators(), false); err != nil {
				return nil, err
			}
			return s.show(a.Range)
		}
	}
	if err := s.find(site.ErrorDocument()); err != nil {
		if _, refused := fault.Of(err); !refused {
			return nil, err
		}
		s.blob = nil // the error document can't be shown
	}
	if s.blob == nil {
		return nil, fault.WebContentNotFound
	}
	page, err := s.show(wire.Range{})
	if err == nil {
		page.Status, page.Code = fault.WebContentNotFound.Status(), fault.WebContentNotFound
	}
	return page, err
}

// find loads the current state of a blob that can be shown; nil if there is none.
func (s *txn) find(name string) (err error) {
	s.blob = nil
	if blob.CheckBlobName(s.req.Container, name) != nil {
		return nil
	}
	b, err := meta.Blob(s.r, s.container.Generation, name)
	switch {
	case b == nil || err != nil || b.Uncommitted || b.Expired(s.now):
		return err
	case b.KeyHash != nil:
		return fault.BlobUsesCustomerSpecifiedEncryption
	}
	s.blob = b
	return checkArchived(b, s.now)
}

// show returns the loaded blob, or a range of it.
func (s *txn) show(r wire.Range) (*webPage, error) {
	page := &webPage{validators: validatorsOf(s.blob.Validators()), contentHeaders: contentHeadersOf(&s.blob.HTTP)}
	if s.req.Method == http.MethodHead {
		r = wire.Range{}
	}
	off, n, err := r.Clamp(s.blob.Size)
	if err != nil {
		return nil, err
	}
	if !r.IsZero() {
		page.Status, page.Range, page.ContentMD5 = http.StatusPartialContent, wire.ContentRange(off, n, s.blob.Size), nil
	}
	page.Content, err = s.open(s.blob, off, n)
	return page, err
}
