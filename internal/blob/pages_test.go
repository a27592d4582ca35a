package blob

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/fault"
)

// pages returns an extent of n pages that begins at page start, at an offset of its object that
// tells where it is.
func pages(start, n int64, stamp uint64) PageExtent {
	return PageExtent{Start: start * PageSize, Stamp: stamp, Chunk: Chunk{Object: ObjectID{byte(stamp)}, Length: n * PageSize}}
}

func pageRange(start, end int64) PageRange { return PageRange{start * PageSize, end * PageSize} }

func each(extents []PageExtent) Extents {
	return func(yield func(PageExtent, error) bool) {
		for _, x := range extents {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// apply performs an edit on a list of extents, and fails if the edit does not fit it or leaves
// overlaps.
func apply(t interface{ Fatalf(string, ...any) }, extents []PageExtent, e PageEdit) []PageExtent {
	rest := slices.Clone(extents)
	for _, x := range e.Remove {
		i := slices.Index(rest, x)
		if i < 0 {
			t.Fatalf("removes %+v, which is not there", x)
		}
		rest = slices.Delete(rest, i, i+1)
	}
	rest = append(rest, e.Insert...)
	slices.SortFunc(rest, func(a, b PageExtent) int { return int(a.Start - b.Start) })
	for i := range rest {
		if rest[i].Chunk.Length <= 0 || i > 0 && rest[i-1].Range().End > rest[i].Start {
			t.Fatalf("leaves %s", show(rest))
		}
	}
	return rest
}

// show writes extents as page ranges with stamp and page offset in the object.
func show(extents []PageExtent) string {
	var parts []string
	for _, x := range extents {
		r := x.Range()
		parts = append(parts, fmt.Sprintf("%d-%d:%d+%d", r.Start/PageSize, r.End/PageSize, x.Stamp, x.Chunk.Offset/PageSize))
	}
	return strings.Join(parts, " ")
}

func TestPageEdits(t *testing.T) {
	old := []PageExtent{pages(0, 4, 1), pages(6, 2, 2), pages(8, 4, 3)}
	tests := []struct {
		name string
		edit PageEdit
		want string
		refs map[ObjectID]int
	}{
		{"write into a gap", WritePages(old, pages(4, 2, 9)), "0-4:1+0 4-6:9+0 6-8:2+0 8-12:3+0", map[ObjectID]int{{9}: 1}},
		{"write behind all", WritePages(old, pages(20, 1, 9)), "0-4:1+0 6-8:2+0 8-12:3+0 20-21:9+0", map[ObjectID]int{{9}: 1}},
		{"write inside one", WritePages(old, pages(1, 2, 9)), "0-1:1+0 1-3:9+0 3-4:1+3 6-8:2+0 8-12:3+0", map[ObjectID]int{{1}: 1, {9}: 1}},
		{"write over one", WritePages(old, pages(6, 2, 9)), "0-4:1+0 6-8:9+0 8-12:3+0", map[ObjectID]int{{2}: -1, {9}: 1}},
		{"write over all", WritePages(old, pages(0, 12, 9)), "0-12:9+0", map[ObjectID]int{{1}: -1, {2}: -1, {3}: -1, {9}: 1}},
		{"write across", WritePages(old, pages(3, 6, 9)), "0-3:1+0 3-9:9+0 9-12:3+1", map[ObjectID]int{{2}: -1, {9}: 1}},
		{"clear inside one", ClearPages(old, pageRange(9, 10), math.MaxUint64, 9), "0-4:1+0 6-8:2+0 8-9:3+0 10-12:3+2", map[ObjectID]int{{3}: 1}},
		{"clear a gap", ClearPages(old, pageRange(4, 6), math.MaxUint64, 9), "0-4:1+0 6-8:2+0 8-12:3+0", map[ObjectID]int{}},
		{"clear what was written since", ClearPages(old, pageRange(3, 9), 1, 9), "0-3:1+0 6-9:9+0 9-12:3+1", map[ObjectID]int{{2}: -1}},
		{"clear all", ClearPages(old, pageRange(0, 100), math.MaxUint64, 9), "", map[ObjectID]int{{1}: -1, {2}: -1, {3}: -1}},
		{"truncate inside one", TruncatePages(old, 7*PageSize), "0-4:1+0 6-7:2+0", map[ObjectID]int{{3}: -1}},
		{"truncate at an edge", TruncatePages(old, 8*PageSize), "0-4:1+0 6-8:2+0", map[ObjectID]int{{3}: -1}},
		{"grow", TruncatePages(old, 100*PageSize), "0-4:1+0 6-8:2+0 8-12:3+0", map[ObjectID]int{}},
		{"truncate to nothing", TruncatePages(old, 0), "", map[ObjectID]int{{1}: -1, {2}: -1, {3}: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(apply(t, old, tt.edit)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := tt.edit.References(); fmt.Sprint(got) != fmt.Sprint(tt.refs) {
				t.Errorf("references change by %v, want %v", got, tt.refs)
			}
		})
	}
}

func TestCheckPages(t *testing.T) {
	const size = 4096
	for r, ok := range map[PageRange]bool{
		{0, 512}: true, {0, size}: true, {3584, size}: true,
		{0, 0}: false, {512, 0}: false, {-512, 512}: false, {0, 511}: false, {1, 512}: false, {256, 768}: false, {3584, 4608}: false, {size, size + 512}: false,
	} {
		if err := CheckPages(r, size); (err == nil) != ok || !ok && err != fault.InvalidPageRange {
			t.Errorf("%v: %v", r, err)
		}
	}
	for size, ok := range map[int64]bool{0: true, 512: true, MaxPageBlob: true, -512: false, 511: false, MaxPageBlob + 512: false} {
		if ValidPageBlobSize(size) != ok {
			t.Errorf("size %d", size)
		}
	}
	for r, want := range map[PageRange]PageRange{
		{0, 512}: {0, 512}, {1, 2}: {0, 512}, {511, 513}: {0, 1024}, {512, math.MaxInt64}: {512, math.MaxInt64 - 511},
	} {
		if got := r.Widen(); got != want {
			t.Errorf("%v: widened to %v", r, got)
		}
	}
}

// collect writes a list of changes in pages: w for written, c for cleared.
func collect(t *testing.T, changes iter.Seq2[PageChange, error]) string {
	t.Helper()
	var parts []string
	for c, err := range changes {
		if err != nil {
			t.Fatal(err)
		}
		kind := "w"
		if c.Cleared {
			kind = "c"
		}
		parts = append(parts, fmt.Sprintf("%s%d-%d", kind, c.Start/PageSize, c.End/PageSize))
	}
	return strings.Join(parts, " ")
}

func TestPageListAndDiff(t *testing.T) {
	before := []PageExtent{pages(0, 4, 1), pages(6, 2, 2), pages(8, 4, 3)}
	now := apply(t, before, WritePages(before, pages(2, 5, 7)))
	now = apply(t, now, ClearPages(now, pageRange(8, 10), math.MaxUint64, 9))
	now = apply(t, now, WritePages(now, pages(14, 1, 8)))
	all := pageRange(0, 100)
	if got := collect(t, PageList(each(before), all)); got != "w0-4 w6-12" {
		t.Errorf("the list before is %s", got)
	}
	if got := collect(t, PageList(each(now), all)); got != "w0-8 w10-12 w14-15" {
		t.Errorf("the list now is %s", got)
	}
	if got := collect(t, PageList(each(now), pageRange(1, 11))); got != "w1-8 w10-11" {
		t.Errorf("a part of the list is %s", got)
	}
	if got := collect(t, PageList(each(nil), all)); got != "" {
		t.Errorf("the list of nothing is %s", got)
	}
	if got := collect(t, PageDiff(each(now), each(before), all)); got != "w2-7 c8-10 w14-15" {
		t.Errorf("the difference is %s", got)
	}
	if got := collect(t, PageDiff(each(now), each(before), pageRange(6, 9))); got != "w6-7 c8-9" {
		t.Errorf("a part of the difference is %s", got)
	}
	if got := collect(t, PageDiff(each(now), each(now), all)); got != "" {
		t.Errorf("the difference to itself is %s", got)
	}
	again := apply(t, now, ClearPages(now, pageRange(4, 15), 3, 9))
	if got := collect(t, PageDiff(each(again), each(before), all)); got != "w2-4 c4-12 c14-15" {
		t.Errorf("the difference after clearing what was written since is %s", got)
	}
	if got := collect(t, PageList(each(again), all)); got != "w0-4" {
		t.Errorf("the list after clearing what was written since is %s", got)
	}
	if got := collect(t, PageDiff(each(apply(t, again, WritePages(again, pages(5, 2, 10)))), each(again), all)); got != "w5-7" {
		t.Errorf("the difference after writing there again is %s", got)
	}
	if got := collect(t, PageDiff(each(nil), each(before), all)); got != "c0-4 c6-12" {
		t.Errorf("the difference after clearing all is %s", got)
	}
}

func TestPageErrorsAreHandedOn(t *testing.T) {
	good := []PageExtent{pages(0, 1, 1), pages(4, 1, 2)}
	bad := func(yield func(PageExtent, error) bool) {
		if yield(good[0], nil) {
			yield(PageExtent{}, io.ErrUnexpectedEOF)
		}
	}
	all := pageRange(0, 100)
	last := func(changes iter.Seq2[PageChange, error]) (err error) {
		for _, err = range changes {
			if err != nil {
				break
			}
		}
		return err
	}
	for name, err := range map[string]error{
		"list": last(PageList(bad, all)), "diff, now": last(PageDiff(bad, each(good), all)), "diff, before": last(PageDiff(each(good), bad, all)),
	} {
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var err error
	for _, err = range PageRuns(bad, all) {
		if err != nil {
			break
		}
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("runs: %v", err)
	}
}

func TestPageIteratorsStop(t *testing.T) {
	extents := []PageExtent{pages(1, 1, 1), pages(3, 1, 2), pages(5, 1, 3)}
	read := 0
	counted := func(yield func(PageExtent, error) bool) {
		for x, err := range each(extents) {
			if read++; !yield(x, err) {
				return
			}
		}
	}
	for range PageList(counted, pageRange(0, 100)) {
		break
	}
	if read != 2 {
		t.Errorf("the first element of a list took %d extents", read)
	}
	for range PageDiff(each(extents), each(nil), pageRange(0, 100)) {
		break
	}
	for stop := range 3 {
		n := 0
		for range PageRuns(each(extents), pageRange(0, 100)) {
			if n++; n > stop {
				break
			}
		}
	}
	read = 0
	for range PageList(counted, pageRange(0, 2)) {
	}
	if read != 2 {
		t.Errorf("a list up to page 2 read %d extents", read)
	}
}

// TestPagesAgainstModel drives a blob of a few pages with random writes, and compares it with one
// stamp and one place for each page.
func TestPagesAgainstModel(t *testing.T) {
	const count = 24
	type page struct {
		stamp uint64
		place int64 // of its bytes in the object, in pages
		zero  bool  // cleared after it was written
	}
	type model [count]page
	rapid.Check(t, func(t *rapid.T) {
		var is, was model
		var extents, before []PageExtent
		var stamp uint64
		since := uint64(math.MaxUint64) // the first snapshot
		refs := map[ObjectID]int{}
		some := func() (start, end int64) {
			start = rapid.Int64Range(0, count-1).Draw(t, "start")
			return start, rapid.Int64Range(start+1, count).Draw(t, "end")
		}
		edit := func(e PageEdit) {
			extents = apply(t, extents, e)
			for id, n := range e.References() {
				refs[id] += n
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				start, end := some()
				stamp++
				edit(WritePages(extents, pages(start, end-start, stamp)))
				for i := start; i < end; i++ {
					is[i] = page{stamp: stamp, place: i - start}
				}
			},
			"clear": func(t *rapid.T) {
				start, end := some()
				stamp++
				edit(ClearPages(extents, pageRange(start, end), since, stamp))
				for i := start; i < end; i++ {
					if is[i].stamp <= since {
						is[i] = page{}
					} else {
						is[i] = page{stamp: stamp, zero: true}
					}
				}
			},
			"truncate": func(t *rapid.T) {
				size, _ := some()
				edit(TruncatePages(extents, size*PageSize))
				clear(is[size:])
			},
			"replace": func(t *rapid.T) {
				stamp++
				var changed []PageRange
				var with []PageExtent
				place := int64(0)
				for at := int64(0); at < count && len(changed) < 3; {
					start := rapid.Int64Range(at, count-1).Draw(t, "start")
					at = rapid.Int64Range(start+1, count).Draw(t, "end")
					changed = append(changed, pageRange(start, at))
					clear(is[start:at])
					if rapid.Bool().Draw(t, "cleared") {
						continue
					}
					x := pages(start, at-start, stamp)
					x.Chunk.Offset = place * PageSize
					with = append(with, x)
					for i := start; i < at; i, place = i+1, place+1 {
						is[i] = page{stamp: stamp, place: place}
					}
				}
				edit(ReplacePages(extents, changed, with))
			},
			"snapshot": func(t *rapid.T) {
				was, before = is, slices.Clone(extents)
				since = min(since, stamp)
			},
			"": func(t *rapid.T) {
				var got, then model
				var written, changed, cleared [count]bool
				start, end := some()
				for r, err := range PageRuns(each(extents), pageRange(0, count)) {
					for at := r.Start / PageSize; err == nil && at < r.End/PageSize; at++ {
						if r.Written {
							got[at] = page{stamp: uint64(r.Chunk.Object[0]), place: r.Chunk.Offset/PageSize + at - r.Start/PageSize}
						}
						then[at].stamp++ // seen once
					}
				}
				for c := range PageList(each(extents), pageRange(start, end)) {
					for at := c.Start / PageSize; at < c.End/PageSize; at++ {
						written[at] = true
					}
				}
				last := PageChange{}
				for c := range PageDiff(each(extents), each(before), pageRange(start, end)) {
					if c.Start < last.End || c.Start == last.End && c.Cleared == last.Cleared && last.Len() > 0 || c.Len() <= 0 {
						t.Fatalf("%v follows %v", c, last)
					}
					last = c
					for at := c.Start / PageSize; at < c.End/PageSize; at++ {
						changed[at], cleared[at] = !c.Cleared, c.Cleared
					}
				}
				for i := range int64(count) {
					in := start <= i && i < end
					filled, same := is[i].stamp != 0 && !is[i].zero, is[i].stamp == was[i].stamp
					emptied := is[i].zero && !same || is[i].stamp == 0 && was[i].stamp != 0 && !was[i].zero
					want := is[i]
					if !filled {
						want = page{}
					}
					if got[i] != want || then[i].stamp != 1 || written[i] != (in && filled) || changed[i] != (in && filled && !same) ||
						cleared[i] != (in && emptied) {
						t.Fatalf("page %d in %d-%d of %s, before %s", i, start, end, show(extents), show(before))
					}
				}
				checkReferences(t, extents, refs)
			},
		})
	})
}

func checkReferences(t *rapid.T, extents []PageExtent, refs map[ObjectID]int) {
	count := map[ObjectID]int{}
	for _, x := range extents {
		count[x.Chunk.Object]++
	}
	for id, n := range refs {
		if count[id] != n {
			t.Fatalf("%d extents lie in %x, counted %d", count[id], id[:1], n)
		}
	}
}

func TestPageRunsOfBytes(t *testing.T) {
	var got []string
	for r, err := range PageRuns(each([]PageExtent{pages(1, 1, 5)}), PageRange{500, 1030}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d-%d %v %d+%d", r.Start, r.End, r.Written, r.Chunk.Offset, r.Chunk.Length))
	}
	want := []string{"500-512 false 0+0", "512-1024 true 0+512", "1024-1030 false 0+0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for r := range PageRuns(each([]PageExtent{pages(1, 1, 5)}), PageRange{600, 610}) {
		if r.Chunk.Offset != 88 || r.Chunk.Length != 10 || r.PageRange != (PageRange{600, 610}) {
			t.Errorf("ten bytes are %+v", r)
		}
	}
}

func TestSequence(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	tests := []struct {
		action  string
		current int64
		number  *int64
		want    int64
		err     error
	}{
		{"max", 5, n(7), 7, nil},
		{"max", 5, n(3), 5, nil},
		{"update", 5, n(3), 3, nil},
		{"Update", 5, n(0), 0, nil},
		{"increment", 5, nil, 6, nil},
		{"increment", math.MaxInt64, nil, math.MaxInt64, fault.SequenceNumberIncrementTooLarge},
		{"increment", 5, n(6), 5, fault.InvalidHeaderValue},
		{"max", 5, nil, 5, fault.MissingRequiredHeader},
		{"update", 5, nil, 5, fault.MissingRequiredHeader},
		{"update", 5, n(-1), 5, fault.InvalidHeaderValue},
		{"reset", 5, n(1), 5, fault.InvalidHeaderValue},
		{"", 5, nil, 5, fault.InvalidHeaderValue},
	}
	for _, tt := range tests {
		got, err := NextSequence(tt.current, tt.action, tt.number)
		if got != tt.want || (err == nil) != (tt.err == nil) || err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: got %d, %v", tt.action, got, err)
		}
	}
	for _, tt := range []struct {
		c    SequenceConditions
		want error
	}{
		{SequenceConditions{}, nil},
		{SequenceConditions{AtMost: n(5)}, nil}, {SequenceConditions{AtMost: n(4)}, fault.SequenceNumberConditionNotMet},
		{SequenceConditions{Below: n(6)}, nil}, {SequenceConditions{Below: n(5)}, fault.SequenceNumberConditionNotMet},
		{SequenceConditions{Equal: n(5)}, nil}, {SequenceConditions{Equal: n(6)}, fault.SequenceNumberConditionNotMet},
		{SequenceConditions{Equal: n(5), AtMost: n(4)}, fault.SequenceNumberConditionNotMet},
		{SequenceConditions{AtMost: n(-1)}, fault.InvalidInput}, {SequenceConditions{Below: n(-1)}, fault.InvalidInput},
		{SequenceConditions{Equal: n(-1), AtMost: n(4)}, fault.InvalidInput},
	} {
		if err := tt.c.Check(5); err != tt.want {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}

func BenchmarkPageDiff(b *testing.B) {
	var before []PageExtent
	for i := range int64(1000) {
		before = append(before, pages(2*i, 1, uint64(i+1)))
	}
	now := slices.Clone(before)
	now[500].Stamp = 5000
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range PageDiff(each(now), each(before), pageRange(0, 4000)) {
			n++
		}
		if n != 1 {
			b.Fatal(n)
		}
	}
}
