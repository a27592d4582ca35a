package blob

import (
	"iter"
	"math"
)

// PageChange is an element of a page list: pages that are written or, in a difference only, pages
// that are zero again.
type PageChange struct {
	PageRange
	Cleared bool
}

// PageList yields the written pages of a range, adjacent ones as one.
func PageList(extents Extents, within PageRange) iter.Seq2[PageChange, error] {
	return joined(func(yield func(PageChange, error) bool) {
		for x, err := range clipped(extents, within) {
			if err == nil && x.Cleared() {
				continue
			}
			if !yield(PageChange{PageRange: x.Range()}, err) {
				return
			}
		}
	})
}

// PageDiff yields the pages of a range that differ from an earlier snapshot: pages written since
// then, adjacent ones as one, and pages that are zero now and were written then or since. Pages
// written with what they held before count as written.
func PageDiff(now, before Extents, within PageRange) iter.Seq2[PageChange, error] {
	return joined(func(yield func(PageChange, error) bool) {
		is, was := newCursor(now, within), newCursor(before, within)
		defer is.stop()
		defer was.stop()
		for at := within.Start; ; {
			if err := is.seek(at); err != nil {
				yield(PageChange{}, err)
				return
			}
			if err := was.seek(at); err != nil {
				yield(PageChange{}, err)
				return
			}
			at = max(at, min(is.start, was.start))
			if at == math.MaxInt64 {
				return
			}
			known, held := is.start <= at, was.start <= at
			c := PageChange{PageRange{at, min(is.edge(at), was.edge(at))}, !known || is.cleared}
			same := known && held && is.stamp == was.stamp || !known && was.cleared
			if !same && !yield(c, nil) {
				return
			}
			at = c.End
		}
	})
}

// cursor walks over extents. Behind the last one, start is the greatest offset.
type cursor struct {
	next       func() (PageExtent, error, bool)
	stop       func()
	start, end int64
	stamp      uint64
	cleared    bool
}

func newCursor(extents Extents, within PageRange) *cursor {
	next, stop := iter.Pull2(clipped(extents, within))
	return &cursor{next: next, stop: stop}
}

// seek moves to the first extent that ends behind an offset.
func (c *cursor) seek(at int64) error {
	for c.end <= at && c.start != math.MaxInt64 {
		x, err, ok := c.next()
		if err != nil {
			return err
		}
		if !ok {
			c.start, c.end = math.MaxInt64, math.MaxInt64
			break
		}
		c.start, c.end, c.stamp, c.cleared = x.Start, x.Range().End, x.Stamp, x.Cleared()
	}
	return nil
}

// edge returns where the extent begins or ends next, seen from an offset.
func (c *cursor) edge(at int64) int64 {
	if c.start <= at {
		return c.end
	}
	return c.start
}

// joined yields changes of the same kind that follow each other without a gap as one.
func joined(changes iter.Seq2[PageChange, error]) iter.Seq2[PageChange, error] {
	return func(yield func(PageChange, error) bool) {
		var open PageChange
		for c, err := range changes {
			if err != nil {
				yield(PageChange{}, err)
				return
			}
			if c.Start == open.End && c.Cleared == open.Cleared && open.Len() > 0 {
				open.End = c.End
				continue
			}
			if open.Len() > 0 && !yield(open, nil) {
				return
			}
			open = c
		}
		if open.Len() > 0 {
			yield(open, nil)
		}
	}
}
