package blob

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"github.com/leasehold/leasehold/internal/fault"
)

// The measures of page blobs, in bytes.
const (
	PageSize     = 512
	MaxPageWrite = 4 << 20 // of one Put Page
	MaxPageBlob  = 8 << 40
)

// PageRange is the bytes from Start up to, but not including, End. Ranges on the wire name their
// last byte instead.
type PageRange struct{ Start, End int64 }

// Len returns the number of bytes in the range.
func (r PageRange) Len() int64 { return r.End - r.Start }

// Overlap returns the bytes that lie in both ranges; its length is not positive if there are none.
func (r PageRange) Overlap(other PageRange) PageRange {
	return PageRange{max(r.Start, other.Start), min(r.End, other.End)}
}

// Widen returns the range of all pages that r touches.
func (r PageRange) Widen() PageRange {
	end := min(r.End, math.MaxInt64-PageSize)
	return PageRange{r.Start &^ (PageSize - 1), (end + PageSize - 1) &^ (PageSize - 1)}
}

// CheckPages refuses a write of bytes that are not whole pages within a blob of the given size:
// InvalidPageRange.
func CheckPages(r PageRange, size int64) error {
	if r.Start < 0 || r.Start >= r.End || r.End > size || (r.Start|r.End)%PageSize != 0 {
		return fault.InvalidPageRange
	}
	return nil
}

// ValidPageBlobSize reports whether a page blob may have this size.
func ValidPageBlobSize(size int64) bool {
	return 0 <= size && size <= MaxPageBlob && size%PageSize == 0
}

// PageExtent is a run of pages that one write has filled, or that was cleared after it was written.
// The extents of a page blob don't overlap; what lies between them is zero, as is what was cleared.
// A snapshot has the extents that the blob had then.
type PageExtent struct {
	_     struct{} `cbor:",toarray"`
	Start int64    // offset of its first byte in the blob
	Stamp uint64   // of the write; no two writes to a blob share one
	Chunk Chunk    // its bytes; without an object where it was cleared
}

// Cleared reports whether the extent is zero. It is kept for differences, which tell of pages that
// were written and cleared again.
func (e PageExtent) Cleared() bool { return e.Chunk.Object == (ObjectID{}) }

// Range returns the bytes of the blob that the extent fills.
func (e PageExtent) Range() PageRange { return PageRange{e.Start, e.Start + e.Chunk.Length} }

// Cut returns the part of the extent that lies in r. ok is false if there is none.
func (e PageExtent) Cut(r PageRange) (part PageExtent, ok bool) {
	r = r.Overlap(e.Range())
	if r.Len() <= 0 {
		return PageExtent{}, false
	}
	if !e.Cleared() {
		e.Chunk.Offset += r.Start - e.Start
	}
	e.Chunk.Length = r.Len()
	e.Start = r.Start
	return e, true
}

// PageEdit is a change to the extents of a blob: all of Remove go, then all of Insert come. Both
// are in ascending order.
type PageEdit struct{ Remove, Insert []PageExtent }

// WritePages returns the edit that lays a new extent over those in old, which are in ascending
// order and hold at least all that it touches.
func WritePages(old []PageExtent, w PageExtent) PageEdit {
	return ReplacePages(old, []PageRange{w.Range()}, []PageExtent{w})
}

// ClearPages returns the edit that makes the bytes of a range zero. What was written or cleared
// since a stamp stays known as cleared, by an extent with the stamp of the edit. old is as for
// [WritePages].
func ClearPages(old []PageExtent, r PageRange, since, stamp uint64) PageEdit {
	var cleared []PageExtent
	for _, x := range old {
		part, ok := x.Cut(r)
		if !ok || x.Stamp <= since {
			continue
		}
		if last := len(cleared) - 1; last >= 0 && cleared[last].Range().End == part.Start {
			cleared[last].Chunk.Length += part.Chunk.Length
			continue
		}
		cleared = append(cleared, PageExtent{Start: part.Start, Stamp: stamp, Chunk: Chunk{Length: part.Chunk.Length}})
	}
	return ReplacePages(old, []PageRange{r}, cleared)
}

// TruncatePages returns the edit for a new size of the blob: it removes the extents behind the new
// end. old is as for [WritePages].
func TruncatePages(old []PageExtent, size int64) PageEdit {
	return ReplacePages(old, []PageRange{{size, math.MaxInt64}}, nil)
}

// ReplacePages returns the edit that makes the bytes of some ranges zero and lays new extents
// there. The ranges don't overlap, the new extents lie within them, and all are in ascending order.
// old is as for [WritePages].
func ReplacePages(old []PageExtent, changed []PageRange, with []PageExtent) (e PageEdit) {
	for _, x := range old {
		whole, left := x.Range(), x.Start
		first, _ := slices.BinarySearchFunc(changed, x.Start, func(r PageRange, start int64) int { return cmp.Compare(r.End, start+1) })
		for _, r := range changed[first:] {
			if r.Start >= whole.End {
				break
			}
			if part, ok := x.Cut(PageRange{left, r.Start}); ok {
				e.Insert = append(e.Insert, part)
			}
			left = max(left, r.End)
		}
		if left == x.Start {
			continue
		}
		e.Remove = append(e.Remove, x)
		if part, ok := x.Cut(PageRange{left, math.MaxInt64}); ok {
			e.Insert = append(e.Insert, part)
		}
	}
	e.Insert = append(e.Insert, with...)
	slices.SortFunc(e.Insert, func(a, b PageExtent) int { return cmp.Compare(a.Start, b.Start) })
	return e
}

// References returns by how much the number of extents of the blob that lie in an object changes
// with the edit; objects for which it does not change are left out. An object may be released when
// its number falls to 0, and not before: the parts of a split extent still lie in one object.
func (e PageEdit) References() map[ObjectID]int {
	changes := make(map[ObjectID]int)
	for i := range e.Insert {
		changes[e.Insert[i].Chunk.Object]++
	}
	for i := range e.Remove {
		changes[e.Remove[i].Chunk.Object]--
	}
	delete(changes, ObjectID{}) // of what was cleared
	for id, n := range changes {
		if n == 0 {
			delete(changes, id)
		}
	}
	return changes
}

// Extents yields extents in ascending order, or an error, which is the last it yields. It may begin
// before the bytes in question; it is not read beyond them.
type Extents = iter.Seq2[PageExtent, error]

// PageRun is a part of a page blob: bytes of a chunk, or zeros.
type PageRun struct {
	PageRange
	Chunk Chunk // has no meaning unless Written
	// Written is set if the run lies in a chunk; otherwise it is zero.
	Written bool
}

// PageRuns yields the runs that make up the bytes of a range, without gaps. The range need not be
// aligned.
func PageRuns(extents Extents, within PageRange) iter.Seq2[PageRun, error] {
	return func(yield func(PageRun, error) bool) {
		at := within.Start
		for x, err := range clipped(extents, within) {
			if err != nil {
				yield(PageRun{}, err)
				return
			}
			if x.Cleared() {
				continue
			}
			if x.Start > at && !yield(PageRun{PageRange: PageRange{at, x.Start}}, nil) {
				return
			}
			if !yield(PageRun{x.Range(), x.Chunk, true}, nil) {
				return
			}
			at = x.Range().End
		}
		if at < within.End {
			yield(PageRun{PageRange: PageRange{at, within.End}}, nil)
		}
	}
}

// clipped yields the parts of extents that lie in a range.
func clipped(extents Extents, within PageRange) Extents {
	return func(yield func(PageExtent, error) bool) {
		for x, err := range extents {
			if err != nil {
				yield(PageExtent{}, err)
				return
			}
			if x.Start >= within.End {
				return
			}
			if part, ok := x.Cut(within); ok && !yield(part, nil) {
				return
			}
		}
	}
}
