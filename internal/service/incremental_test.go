package service_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// disk makes a page blob of 16 pages, the first of which is written.
func (s *store) disk(blob string) {
	s.t.Helper()
	s.want(201, "", "PUT", blob, nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "8192", "x-ms-meta-k", "v", "x-ms-blob-content-type", "disk/test")
	s.page(blob, 0, 1, 'a')
}

// page fills n pages with a letter, or clears them if it is 0.
func (s *store) page(blob string, first, n int, letter byte) {
	s.t.Helper()
	how, body := "update", bytes.Repeat([]byte{letter}, n*512)
	if letter == 0 {
		how, body = "clear", nil
	}
	s.want(201, "", "PUT", blob+"?comp=page", body, "x-ms-page-write", how, "x-ms-range", fmt.Sprintf("bytes=%d-%d", first*512, (first+n)*512-1))
}

// later takes a snapshot some time after whatever was before.
func (s *store) later(blob string) string {
	s.t.Helper()
	s.step(time.Second)
	return s.want(201, "", "PUT", blob+"?comp=snapshot", nil).get("x-ms-snapshot")
}

// increment copies a snapshot, and returns the snapshot that it became.
func (s *store) increment(to, from, snapshot string, headers ...string) string {
	s.t.Helper()
	s.step(time.Second)
	a := s.copy(202, "", to+"?comp=incrementalcopy", here+from+"?snapshot="+snapshot, headers...)
	if a.get("x-ms-copy-status") != "pending" || len(a.get("x-ms-copy-id")) != 36 || a.get("ETag") == "" || a.get("Last-Modified") == "" {
		s.t.Errorf("the copy answered %v", a.header)
	}
	got := s.want(200, "", "HEAD", to, nil)
	if got.get("x-ms-copy-status") != "success" || got.get("x-ms-copy-id") != a.get("x-ms-copy-id") || got.get("ETag") != a.get("ETag") ||
		got.get("x-ms-incremental-copy") != "true" || got.get("x-ms-copy-source") != here+from+"?snapshot="+strings.ReplaceAll(snapshot, ":", "%3A") {
		s.t.Errorf("the destination has %v", got.header)
	}
	return got.get("x-ms-copy-destination-snapshot")
}

func TestIncrementalCopy(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	s.page("/box/disk", 4, 2, 'b')
	first := s.later("/box/disk")
	copy1 := s.increment("/other/disk", "/box/disk", first)
	s.page("/box/disk", 5, 3, 'c')
	s.page("/box/disk", 0, 1, 0)
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-blob-content-length", "16384")
	s.page("/box/disk", 31, 1, 'd')
	s.want(200, "", "PUT", "/box/disk?comp=metadata", nil, "x-ms-meta-k", "w")
	second := s.later("/box/disk")
	copy2 := s.increment("/other/disk", "/box/disk", second)
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-blob-content-length", "3072")
	third := s.later("/box/disk")
	copy3 := s.increment("/other/disk", "/box/disk", third)
	for i, pair := range [][2]string{{first, copy1}, {second, copy2}, {third, copy3}} {
		s.sameBytes("/box/disk?snapshot="+pair[0], "/other/disk?snapshot="+pair[1])
		from, got := s.want(200, "", "HEAD", "/box/disk?snapshot="+pair[0], nil), s.want(200, "", "HEAD", "/other/disk?snapshot="+pair[1], nil)
		for _, h := range []string{"Content-Length", "Content-Type", "x-ms-meta-k", "x-ms-blob-sequence-number"} {
			if from.get(h) != got.get(h) {
				t.Errorf("snapshot %d: %s is %q, in the source %q", i, h, got.get(h), from.get(h))
			}
		}
		if got.get("x-ms-copy-destination-snapshot") != pair[1] || got.get("x-ms-incremental-copy") != "true" {
			t.Errorf("snapshot %d has %v", i, got.header)
		}
	}
	diff := "/disk?comp=pagelist&prevsnapshot="
	want, got := s.want(200, "", "GET", "/box"+diff+first+"&snapshot="+second, nil), s.want(200, "", "GET", "/other"+diff+copy1+"&snapshot="+copy2, nil)
	if !bytes.Equal(want.body, got.body) {
		t.Errorf("the copies differ by %s\nthe source by %s", got.body, want.body)
	}
	// Each side lives without the other.
	s.want(202, "", "DELETE", "/box/disk", nil, "x-ms-delete-snapshots", "include")
	s.sweep()
	if got := s.want(200, "", "GET", "/other/disk?snapshot="+copy2, nil); len(got.body) != 16384 || got.body[31*512] != 'd' || got.body[5*512] != 'c' {
		t.Error("a copy lost pages with its source")
	}
	s.want(202, "", "DELETE", "/other/disk?snapshot="+copy2, nil)
	s.want(409, "SnapshotsPresent", "DELETE", "/other/disk", nil)
	s.want(202, "", "DELETE", "/other/disk", nil, "x-ms-delete-snapshots", "include")
	s.sweep()
	s.want(404, "BlobNotFound", "HEAD", "/other/disk", nil)
}

// TestRandomIncrementalCopies copies each of many random states.
func TestRandomIncrementalCopies(t *testing.T) {
	s := newCopies(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	s.disk("/box/disk")
	for range 25 {
		size := 1 + rnd.IntN(16)
		s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-blob-content-length", fmt.Sprint(size*512))
		for range rnd.IntN(4) {
			first := rnd.IntN(size)
			s.page("/box/disk", first, 1+rnd.IntN(size-first), byte(rnd.IntN(3))*'x')
		}
		taken := s.later("/box/disk")
		s.sameBytes("/box/disk?snapshot="+taken, "/box/copy?snapshot="+s.increment("/box/copy", "/box/disk", taken))
	}
}

func TestIncrementalCopyRefused(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	first := s.later("/box/disk")
	s.page("/box/disk", 1, 1, 'b')
	second := s.later("/box/disk")
	short := s.later("/box/short")
	const to = "/other/disk?comp=incrementalcopy"
	from := func(blob, snapshot string) string { return here + blob + "?snapshot=" + snapshot }
	s.want(400, "MissingRequiredHeader", "PUT", to, nil)
	s.copy(400, "InvalidHeaderValue", to, "disk")
	s.copy(400, "InvalidHeaderValue", to, from("/box/disk", "yesterday"))
	s.copy(409, "IncrementalCopySourceMustBeSnapshot", to, here+"/box/disk")
	s.copy(409, "IncrementalCopySourceMustBeSnapshot", to, here+"/box/disk?versionid="+first)
	s.copy(409, "InvalidSourceBlobUrl", to, "http://elsewhere.example/box/disk?snapshot="+first)
	s.copy(409, "InvalidSourceBlobType", to, from("/box/short", short))
	s.copy(404, "CannotVerifyCopySource", to, from("/box/disk", "2020-01-01T00:00:00.0000000Z"))
	s.copy(404, "CannotVerifyCopySource", to, from("/absent/disk", first))
	s.copy(400, "InvalidQueryParameterValue", to+"&snapshot="+first, from("/box/disk", first))
	s.copy(400, "InvalidResourceName", "/other/a%00?comp=incrementalcopy", from("/box/disk", first))
	s.copy(409, "InvalidBlobType", "/box/short?comp=incrementalcopy", from("/box/disk", first))
	s.disk("/other/own")
	s.copy(409, "IncrementalCopyBlobMismatch", "/other/own?comp=incrementalcopy", from("/box/disk", first))
	s.copy(412, "TargetConditionNotMet", to, from("/box/disk", first), "If-Match", "*")
	s.want(404, "BlobNotFound", "HEAD", "/other/disk", nil)

	s.increment("/other/disk", "/box/disk", second)
	tag := s.want(200, "", "HEAD", "/other/disk", nil).get("ETag")
	for _, snapshot := range []string{first, second} {
		s.copy(409, "IncrementalCopyOfEarlierSnapshotNotAllowed", to, from("/box/disk", snapshot))
		s.copy(409, "IncrementalCopyOfEralierVersionSnapshotNotAllowed", to, from("/box/disk", snapshot), "x-ms-version", "2026-02-06")
	}
	third := s.later("/box/disk")
	for _, condition := range [][2]string{{"If-Match", `"0x1"`}, {"If-None-Match", tag}, {"If-None-Match", "*"}, {"x-ms-if-tags", "a = '1'"},
		{"If-Modified-Since", "Wed, 04 Mar 2026 08:00:00 GMT"}, {"If-Unmodified-Since", "Mon, 02 Mar 2026 08:00:00 GMT"}} {
		s.copy(412, "TargetConditionNotMet", to, from("/box/disk", third), condition[0], condition[1])
	}
	s.disk("/box/twin")
	s.copy(409, "IncrementalCopyBlobMismatch", to, from("/box/twin", s.later("/box/twin")))
	s.want(202, "", "DELETE", "/box/disk?snapshot="+second, nil)
	s.copy(409, "PreviousSnapshotNotFound", to, from("/box/disk", third))
	s.disk("/box/disk")
	s.copy(409, "IncrementalCopyBlobMismatch", to, from("/box/disk", s.later("/box/disk")))
	if got := s.want(200, "", "HEAD", "/other/disk", nil); got.get("ETag") != tag {
		t.Error("what was refused has changed the destination")
	}
}

// TestIncrementalCopyRights is about who may copy, and what: reading the source and
// writing the destination are judged apart.
func TestIncrementalCopyRights(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	first := s.later("/box/disk")
	readable := s.source("/box/disk", "r") + "&snapshot=" + first
	s.copy(403, "CannotVerifyCopySource", "/other/disk?comp=incrementalcopy", s.source("/box/disk", "w")+"&snapshot="+first)
	s.copy(409, "CannotVerifyCopySource", "/other/disk?comp=incrementalcopy&"+s.sas("other", "c"), here+"/box/disk?snapshot="+first)
	s.copy(403, "AuthorizationPermissionMismatch", "/other/disk?comp=incrementalcopy&"+s.sas("other", "r"), readable)
	s.copy(202, "", "/other/disk?comp=incrementalcopy&"+s.sas("other", "c"), readable)
	readable = s.source("/box/disk", "r") + "&snapshot=" + s.later("/box/disk")
	s.copy(403, "UnauthorizedBlobOverwrite", "/other/disk?comp=incrementalcopy&"+s.sas("other", "c"), readable)
	s.copy(202, "", "/other/disk?comp=incrementalcopy&"+s.sas("other", "w"), readable)
}

// TestIncrementalCopyServesNothingElse tries all else on a destination.
func TestIncrementalCopyServesNothingElse(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	taken := s.increment("/box/copy", "/box/disk", s.later("/box/disk"))
	before := s.want(200, "", "HEAD", "/box/copy", nil)
	for _, r := range []struct {
		method, query string
		headers       []string
	}{
		{"GET", "", nil},
		{"GET", "?comp=metadata", nil},
		{"GET", "?comp=pagelist", nil},
		{"GET", "?comp=tags", nil},
		{"PUT", "", []string{"x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512"}},
		{"PUT", "", []string{"x-ms-copy-source", here + "/box/disk"}},
		{"PUT", "?comp=page", []string{"x-ms-page-write", "clear", "x-ms-range", "bytes=0-511"}},
		{"PUT", "?comp=metadata", []string{"x-ms-meta-k", "x"}},
		{"PUT", "?comp=properties", []string{"x-ms-blob-content-length", "512"}},
		{"PUT", "?comp=snapshot", nil},
		{"PUT", "?comp=lease", []string{"x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1"}},
		{"PUT", "?comp=lease", []string{"x-ms-lease-action", "break"}},
	} {
		s.want(409, "OperationNotAllowedOnIncrementalCopyBlob", r.method, "/box/copy"+r.query, nil, r.headers...)
	}
	s.copy(409, "CannotVerifyCopySource", "/other/copy", here+"/box/copy")
	s.want(409, "NoPendingCopyOperation", "PUT", "/box/copy?comp=copy&copyid="+before.get("x-ms-copy-id"), nil, "x-ms-copy-action", "abort")
	if after := s.want(200, "", "HEAD", "/box/copy", nil); after.get("ETag") != before.get("ETag") {
		t.Error("what was refused has changed the destination")
	}
	// Its snapshots are as any others.
	s.copy(202, "", "/other/copy", here+"/box/copy?snapshot="+taken)
	s.sameBytes("/other/copy", "/box/copy?snapshot="+taken)
	s.page("/other/copy", 3, 1, 'z')
	s.increment("/other/chain", "/box/copy", taken)
}

// TestIncrementalCopyOntoALease is about a destination that can be leased, because no copy
// has made it yet.
func TestIncrementalCopyOntoALease(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	first := s.later("/box/disk")
	s.want(201, "", "PUT", "/box/dest?comp=block&blockid="+base64ID("a"), []byte("x"))
	s.want(201, "", "PUT", "/box/dest?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	for _, headers := range [][]string{nil, {"x-ms-lease-id", idA}} {
		s.copy(412, "LeaseIdMissing", "/box/dest?comp=incrementalcopy", here+"/box/disk?snapshot="+first, headers...)
	}
	s.want(200, "", "PUT", "/box/dest?comp=lease", nil, "x-ms-lease-action", "release", "x-ms-lease-id", idA)
	s.increment("/box/dest", "/box/disk", first)
	s.want(200, "", "HEAD", "/box/dest", nil)
}

func TestIncrementalCopyListed(t *testing.T) {
	s := newCopies(t)
	s.disk("/box/disk")
	taken := s.increment("/other/copy", "/box/disk", s.later("/box/disk"))
	list := func(query string) string {
		t.Helper()
		return string(s.want(200, "", "GET", "/other?restype=container&comp=list"+query, nil).body)
	}
	if got := list(""); strings.Count(got, "<IncrementalCopy>true</IncrementalCopy>") != 1 || strings.Contains(got, taken) {
		t.Error(got)
	}
	got := list("&include=copy,snapshots")
	for _, element := range []string{"<CopyDestinationSnapshot>", "<DestinationSnapshot>", "<IncrementalCopy>true", "<CopyStatus>success"} {
		if strings.Count(got, element) != 2 {
			t.Errorf("no two %s in %s", element, got)
		}
	}
	if got := string(s.want(200, "", "GET", "/box?restype=container&comp=list&include=copy,snapshots", nil).body); strings.Contains(got, "Incremental") {
		t.Error(got)
	}
}
