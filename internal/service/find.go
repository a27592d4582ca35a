package service

import (
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// maxFindSteps is how many containers and entries of the index one page of a search may visit. A
// page that reaches it ends with a marker and may be short.
const maxFindSteps = 20_000

type findBlobs struct {
	page
	Where string `query:"where,required"`
}

// finder collects one page of a search: container by container, and in each in the order of the
// index.
type finder struct {
	*txn
	query    *blob.TagQuery
	best     blob.TagRange
	limit    int
	versions bool
	steps    int
	next     marker
	xml      []byte
}

func doFindBlobs(s *txn, a *findBlobs) (*listing, error) {
	query, err := blob.ParseWhere(a.Where, s.container != nil)
	if err != nil {
		return nil, err
	}
	limit, err := a.size()
	if err != nil {
		return nil, err
	}
	with, err := includes(s.req.Query, "versions")
	if err != nil {
		return nil, err
	}
	f := &finder{txn: s, query: query, best: query.Best(), limit: limit, versions: with["versions"]}
	f.xml = append(s.begin(&a.page, "Where", a.Where), "<Blobs>"...)
	if !query.Empty() {
		if err := f.run(string(a.Marker)); err != nil {
			return nil, err
		}
	}
	return finish(f.xml, "Blobs", f.next), nil
}

// run searches the containers from a marker on. A marker is the name of a container and, behind a
// zero byte, the position in its index.
func (f *finder) run(marker string) error {
	first, position, _ := strings.Cut(marker, "\x00")
	if f.container != nil {
		return f.search(f.req.Container, f.container, position)
	}
	if only := f.query.Container; only != "" {
		c, err := meta.Container(f.r, f.req.Account, only)
		if c == nil || err != nil {
			return err
		}
		return f.search(only, c, position)
	}
	for start := first; ; {
		name, c, err := f.containerFrom(start)
		if c == nil || err != nil {
			return err
		}
		at := ""
		if name == first {
			at = position
		}
		if f.spent(name, at) {
			return nil
		}
		if err := f.search(name, c, at); err != nil || f.next != "" {
			return err
		}
		start = name + "\x01" // behind all states of that name
	}
}

// containerFrom returns the first container at or behind a position, nil when there is none. It is
// not searched while others are walked, because scans do not nest.
func (f *finder) containerFrom(start string) (name string, c *blob.Container, err error) {
	err = meta.WalkContainers(f.r, f.req.Account, "", start, func(n string, found *blob.Container) (meta.Step, error) {
		name, c = n, found
		return meta.Stop, nil
	})
	return name, c, err
}

// spent counts one step, or notes that the next page begins with it.
func (f *finder) spent(container, position string) bool {
	if f.steps++; f.steps <= maxFindSteps && f.limit > 0 {
		return false
	}
	f.next = marker(container + "\x00" + position)
	return true
}

func (f *finder) search(name string, c *blob.Container, position string) error {
	return meta.WalkTags(f.r, c.Generation, f.best, position, func(t *meta.Tagged) (meta.Step, error) {
		if f.spent(name, t.Position) {
			return meta.Stop, nil
		}
		b, err := f.load(c, t)
		if err != nil {
			return meta.Stop, err
		}
		if b != nil && f.query.Match(name, b.Tags) {
			f.add(name, t, b)
		}
		return meta.Next, nil
	})
}

// load returns the record that an entry of the index points to; nil if it is not shown.
func (f *finder) load(c *blob.Container, t *meta.Tagged) (*blob.Blob, error) {
	var b *blob.Blob
	var err error
	switch {
	case t.Version == 0:
		b, err = meta.Blob(f.r, c.Generation, t.Name)
	case f.versions:
		at := blob.Revision{Kind: blob.PreviousVersion, ID: t.Version}
		b, err = meta.Revision(f.r, c.Generation, t.Name, at)
	}
	if b == nil || b.Deleted != 0 || b.Expired(f.now) {
		return nil, err
	}
	return b, err
}

func (f *finder) add(container string, t *meta.Tagged, b *blob.Blob) {
	f.limit--
	x := append(f.xml, "<Blob>"...)
	x = wire.AppendXMLName(x, t.Name, f.req.Version)
	if f.versions && b.VersionID != 0 {
		x = wire.AppendXMLElement(x, "VersionId", b.VersionID.Stamp())
		if t.Version == 0 {
			x = append(x, "<IsCurrentVersion>true</IsCurrentVersion>"...)
		}
	}
	x = wire.AppendXMLElement(x, "ContainerName", container)
	x = appendTags(x, f.query.Named(b.Tags))
	f.xml = append(x, "</Blob>"...)
}
