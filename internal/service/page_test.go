package service_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

type pageList struct {
	Ranges []struct{ Start, End int64 } `xml:"PageRange"`
	Next   string                       `xml:"NextMarker"`
}

func TestPageBlob(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	create := func(status int, code string, headers ...string) {
		t.Helper()
		s.want(status, code, "PUT", "/box/disk", nil, append([]string{"x-ms-blob-type", "PageBlob"}, headers...)...)
	}
	create(400, "MissingRequiredHeader")
	create(400, "InvalidHeaderValue", "x-ms-blob-content-length", "1000")
	create(201, "", "x-ms-blob-content-length", "65536", "x-ms-blob-sequence-number", "7")
	write := func(status int, code, pages string, body []byte, headers ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/disk?comp=page", body,
			append([]string{"x-ms-page-write", "update", "x-ms-range", pages}, headers...)...)
	}
	page := bytes.Repeat([]byte("p"), 512)
	write(416, "InvalidPageRange", "bytes=1-512", page)
	write(400, "InvalidHeaderValue", "bytes=0-1023", page)
	write(416, "InvalidPageRange", "bytes=65536-66047", page)
	write(412, "SequenceNumberConditionNotMet", "bytes=0-511", page, "x-ms-if-sequence-number-lt", "7")
	write(400, "InvalidInput", "bytes=0-511", page, "x-ms-if-sequence-number-eq", "-1")
	write(413, "RequestBodyTooLarge", "bytes=0-4194815", make([]byte, 4<<20+512))
	if a := write(201, "", "bytes=512-1023", page, "x-ms-if-sequence-number-le", "7"); a.get("x-ms-blob-sequence-number") != "7" {
		t.Errorf("write answered %v", a.header)
	}
	write(201, "", "bytes=2048-2559", page)
	got := s.want(200, "", "GET", "/box/disk", nil)
	want := make([]byte, 65536)
	copy(want[512:], page)
	copy(want[2048:], page)
	if !bytes.Equal(got.body, want) {
		t.Error("the pages are not what was written")
	}
	l := unmarshal[pageList](t, s.want(200, "", "GET", "/box/disk?comp=pagelist&maxresults=1", nil))
	if len(l.Ranges) != 1 || l.Ranges[0].Start != 512 || l.Ranges[0].End != 1023 || l.Next == "" {
		t.Errorf("first page of ranges %+v", l)
	}
	last := s.want(200, "", "GET", "/box/disk?comp=pagelist&marker="+l.Next, nil)
	l = unmarshal[pageList](t, last)
	if bytes.Contains(last.body, []byte("NextMarker")) {
		t.Errorf("a reader that takes every child for a range fails on %s", last.body)
	}
	if len(l.Ranges) != 1 || l.Ranges[0].Start != 2048 || l.Next != "" {
		t.Errorf("second page of ranges %+v", l)
	}
	s.want(201, "", "PUT", "/box/disk?comp=page", nil, "x-ms-page-write", "clear", "x-ms-range", "bytes=0-1023")
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-blob-content-length", "2048")
	if got := s.want(200, "", "GET", "/box/disk", nil); len(got.body) != 2048 || bytes.Contains(got.body, []byte("p")) {
		t.Errorf("after clearing and shrinking %d bytes are left, some not zero", len(got.body))
	}
	a := s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-sequence-number-action", "increment")
	if a.get("x-ms-blob-sequence-number") != "8" {
		t.Errorf("increment answered %v", a.header)
	}
	s.want(409, "InvalidBlobType", "GET", "/box/disk?comp=blocklist", nil)
	s.want(202, "", "DELETE", "/box/disk", nil)
}

// TestRandomPages compares a page blob with an array of bytes under random writes,
// clears and reads.
func TestRandomPages(t *testing.T) {
	s := newStore(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	const pages = 256
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", fmt.Sprint(pages*512))
	want := make([]byte, pages*512)
	for i := range 300 {
		first := rnd.IntN(pages)
		n := 1 + rnd.IntN(min(pages-first, 100))
		span := want[first*512 : (first+n)*512]
		r := fmt.Sprintf("bytes=%d-%d", first*512, (first+n)*512-1)
		if rnd.IntN(3) == 0 {
			clear(span)
			s.want(201, "", "PUT", "/box/disk?comp=page", nil, "x-ms-page-write", "clear", "x-ms-range", r)
		} else {
			copy(span, bytes.Repeat([]byte{byte(i)}, len(span)))
			s.want(201, "", "PUT", "/box/disk?comp=page", span, "x-ms-page-write", "update", "x-ms-range", r)
		}
		from := rnd.IntN(len(want))
		to := from + 1 + rnd.IntN(len(want)-from)
		got := s.want(206, "", "GET", "/box/disk", nil, "x-ms-range", fmt.Sprintf("bytes=%d-%d", from, to-1))
		if !bytes.Equal(got.body, want[from:to]) {
			t.Fatalf("step %d: bytes %d to %d differ", i, from, to)
		}
	}
}

func TestPageDiff(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	create := func() {
		s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "8192")
	}
	create()
	page := bytes.Repeat([]byte("p"), 512)
	write := func(first int) {
		t.Helper()
		s.want(201, "", "PUT", "/box/disk?comp=page", page, "x-ms-page-write", "update",
			"x-ms-range", fmt.Sprintf("bytes=%d-%d", first, first+511))
	}
	write(0)
	write(1024)
	first := s.want(201, "", "PUT", "/box/disk?comp=snapshot", nil).get("x-ms-snapshot")
	write(4096)
	s.want(201, "", "PUT", "/box/disk?comp=page", nil, "x-ms-page-write", "clear", "x-ms-range", "bytes=1024-1535")
	second := s.want(201, "", "PUT", "/box/disk?comp=snapshot", nil).get("x-ms-snapshot")
	write(0)
	diff := func(query string) string {
		t.Helper()
		a := s.want(200, "", "GET", "/box/disk?comp=pagelist&"+query, nil)
		d := unmarshal[struct {
			Pages  []struct{ Start, End int64 } `xml:"PageRange"`
			Clears []struct{ Start, End int64 } `xml:"ClearRange"`
		}](t, a)
		return fmt.Sprint(d.Pages, d.Clears)
	}
	if got, want := diff("prevsnapshot="+first), "[{0 511} {4096 4607}] [{1024 1535}]"; got != want {
		t.Errorf("since the first snapshot: %s, want %s", got, want)
	}
	if got, want := diff("prevsnapshot="+first+"&snapshot="+second), "[{4096 4607}] [{1024 1535}]"; got != want {
		t.Errorf("between the snapshots: %s, want %s", got, want)
	}
	if got := s.want(200, "", "GET", "/box/disk?snapshot="+first, nil); !bytes.Equal(got.body[1024:1536], page) {
		t.Error("the snapshot lost a page that the blob cleared")
	}
	s.want(400, "PreviousSnapshotCannotBeNewer", "GET", "/box/disk?comp=pagelist&prevsnapshot="+second+"&snapshot="+first, nil)
	s.want(409, "PreviousSnapshotNotFound", "GET", "/box/disk?comp=pagelist&prevsnapshot=2020-01-01T00:00:00.0000000Z", nil)
	create()
	s.want(409, "BlobOverwritten", "GET", "/box/disk?comp=pagelist&prevsnapshot="+first, nil)
}
