package service_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
)

// TestBlockListOfUncommittedBlob asks for the committed blocks of a blob that has none: an empty
// list, and nothing that tells of a committed blob (docs/reference/operations.md 4.4).
func TestBlockListOfUncommittedBlob(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b?comp=block&blockid="+base64ID("a"), []byte("hello"))
	for _, which := range []string{"", "&blocklisttype=committed"} {
		a := s.want(200, "", "GET", "/box/b?comp=blocklist"+which, nil)
		if !bytes.Contains(a.body, []byte("<BlockList><CommittedBlocks></CommittedBlocks></BlockList>")) {
			t.Errorf("%q lists %s", which, a.body)
		}
		if a.get("ETag")+a.get("Last-Modified")+a.get("x-ms-blob-content-length") != "" {
			t.Errorf("%q tells of a blob: %v", which, a.header)
		}
	}
	for _, which := range []string{"uncommitted", "all"} {
		a := s.want(200, "", "GET", "/box/b?comp=blocklist&blocklisttype="+which, nil)
		if a.get("ETag")+a.get("Last-Modified") != "" || a.get("x-ms-blob-content-length") != "0" || !bytes.Contains(a.body, []byte("<Size>5</Size>")) {
			t.Errorf("%s: %v %s", which, a.header, a.body)
		}
	}
	s.want(201, "", "PUT", "/box/b?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("a")+"</Latest></BlockList>"))
	if a := s.want(200, "", "GET", "/box/b?comp=blocklist", nil); a.get("ETag") == "" || a.get("x-ms-blob-content-length") != "5" {
		t.Errorf("committed: %v", a.header)
	}
	s.want(404, "BlobNotFound", "GET", "/box/none?comp=blocklist", nil)
}

// TestHeadOfSoftDeletedState looks for snapshots and versions that are kept only to be restored:
// HEAD tells so, and nothing else does.
func TestHeadOfSoftDeletedState(t *testing.T) {
	s := newStore(t).with(service.Features{Versioning: true})
	s.box()
	s.retain(7)
	snapshot := "/box/a?snapshot="
	version := "/box/a?versionid=" + s.put("a", 1).get("x-ms-version-id")
	s.put("a", 2)
	snapshot += s.want(201, "", "PUT", "/box/a?comp=snapshot", nil).get("x-ms-snapshot")
	for _, state := range []string{snapshot, version} {
		if a := s.want(200, "", "HEAD", state, nil); a.get("x-ms-is-soft-deleted") != "" {
			t.Errorf("%s: %v", state, a.header)
		}
		s.want(202, "", "DELETE", state, nil)
		if a := s.want(404, "BlobNotFound", "HEAD", state, nil); a.get("x-ms-is-soft-deleted") != "true" {
			t.Errorf("%s: %v", state, a.header)
		}
		if a := s.want(404, "BlobNotFound", "GET", state, nil); a.get("x-ms-is-soft-deleted") != "" {
			t.Errorf("GET %s: %v", state, a.header)
		}
	}
	if a := s.want(404, "BlobNotFound", "HEAD", "/box/a?snapshot=2026-03-03T07:00:00.0000000Z", nil); a.get("x-ms-is-soft-deleted") != "" {
		t.Errorf("a snapshot that never was: %v", a.header)
	}
	s.step(8 * 24 * time.Hour)
	for _, state := range []string{snapshot, version} {
		if a := s.want(404, "BlobNotFound", "HEAD", state, nil); a.get("x-ms-is-soft-deleted") != "" {
			t.Errorf("%s is over: %v", state, a.header)
		}
	}
}

// TestClearPagesOffTheGrid clears what is no whole pages, whichever header says so: the refusal
// names Range and repeats what was understood.
func TestClearPagesOffTheGrid(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024")
	for _, header := range []string{"Range", "x-ms-range"} {
		for _, r := range []string{"bytes=0-510", "bytes=1-512", "bytes=0-"} {
			a := s.want(400, "InvalidHeaderValue", "PUT", "/box/disk?comp=page", nil, "x-ms-page-write", "clear", header, r)
			if e := unmarshal[errorBody](t, a); e.HeaderName != "Range" || e.HeaderValue != r {
				t.Errorf("%s: %s names %s with %s", header, r, e.HeaderName, e.HeaderValue)
			}
		}
	}
	s.want(416, "InvalidPageRange", "PUT", "/box/disk?comp=page", nil, "x-ms-page-write", "clear", "x-ms-range", "bytes=1024-1535")
}

// TestEncryptedOfSnapshot takes snapshots with and without metadata: only those with metadata say
// that the service encrypted something.
func TestEncryptedOfSnapshot(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", nil, "x-ms-blob-type", "BlockBlob", "x-ms-meta-k", "v")
	if got := s.want(201, "", "PUT", "/box/b?comp=snapshot", nil).get("x-ms-request-server-encrypted"); got != "false" {
		t.Errorf("without metadata %q", got)
	}
	if got := s.want(201, "", "PUT", "/box/b?comp=snapshot", nil, "x-ms-meta-k", "w").get("x-ms-request-server-encrypted"); got != "true" {
		t.Errorf("with metadata %q", got)
	}
}

// TestPageBlobsHaveNoTier reads and lists a page blob for which no tier was set.
func TestPageBlobsHaveNoTier(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")
	for _, method := range []string{"GET", "HEAD"} {
		if a := s.want(200, "", method, "/box/disk", nil); a.get("x-ms-access-tier")+a.get("x-ms-access-tier-inferred") != "" {
			t.Errorf("%s: %v", method, a.header)
		}
	}
	if a := s.want(200, "", "GET", "/box?restype=container&comp=list", nil); bytes.Contains(a.body, []byte("AccessTier")) {
		t.Errorf("listed %s", a.body)
	}
	s = s.with(service.Features{PageTiers: true}) // like a premium account
	if a := s.want(200, "", "HEAD", "/box/disk", nil); a.get("x-ms-access-tier") != "P4" || a.get("x-ms-access-tier-inferred") != "true" {
		t.Errorf("with tiers: %v", a.header)
	}
	if a := s.want(200, "", "GET", "/box?restype=container&comp=list", nil); !bytes.Contains(a.body, []byte("<AccessTier>P4</AccessTier><AccessTierInferred>true")) {
		t.Errorf("listed with tiers %s", a.body)
	}
}

// TestRecordedSentences holds error texts to the recordings, with their misspelling.
func TestRecordedSentences(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.want(200, "", "PUT", "/box/log?comp=seal", nil)
	for sentence, a := range map[string]*answer{
		"The specifed resource name contains invalid characters.": s.want(400, "InvalidResourceName", "GET", "/Box?restype=container", nil),
		"The blob is sealed and its contents cannot be modified.": s.want(409, "BlobIsSealed", "PUT", "/box/log?comp=appendblock", []byte("x")),
		"Only authentication scheme Bearer is supported":          s.want(403, "AuthenticationFailed", "POST", "/?restype=service&comp=userdelegationkey", []byte("<KeyInfo/>")),
	} {
		if !bytes.Contains(a.body, []byte(">"+sentence)) {
			t.Errorf("%s lacks %q", a.body, sentence)
		}
	}
}

// TestDiffOfPagesClearedAgain asks for the difference to a snapshot after which pages were written
// and cleared again: it tells of them (docs/reference/operations.md 7.5).
func TestDiffOfPagesClearedAgain(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "8192")
	page := func(kind, r string, body []byte) {
		t.Helper()
		s.want(201, "", "PUT", "/box/disk?comp=page", body, "x-ms-page-write", kind, "x-ms-range", r)
	}
	diff := func(query, want string) {
		t.Helper()
		a := s.want(200, "", "GET", "/box/disk?comp=pagelist"+query, nil)
		if !bytes.HasSuffix(a.body, []byte("<PageList>"+want+"</PageList>")) {
			t.Errorf("%q: %s, want %s", query, a.body, want)
		}
	}
	page("update", "bytes=0-511", make([]byte, 512))
	first := s.want(201, "", "PUT", "/box/disk?comp=snapshot", nil).get("x-ms-snapshot")
	page("update", "bytes=1024-2047", make([]byte, 1024))
	page("clear", "bytes=0-8191", nil)
	const cleared = "<ClearRange><Start>0</Start><End>511</End></ClearRange><ClearRange><Start>1024</Start><End>2047</End></ClearRange>"
	diff("&prevsnapshot="+first, cleared)
	diff("", "")
	second := s.want(201, "", "PUT", "/box/disk?comp=snapshot", nil).get("x-ms-snapshot")
	diff("&prevsnapshot="+second, "")
	diff("&prevsnapshot="+first+"&snapshot="+second, cleared)
	page("update", "bytes=1536-2047", bytes.Repeat([]byte("x"), 512))
	diff("&prevsnapshot="+second, "<PageRange><Start>1536</Start><End>2047</End></PageRange>")
	diff("", "<PageRange><Start>1536</Start><End>2047</End></PageRange>")
	want := make([]byte, 8192)
	copy(want[1536:], bytes.Repeat([]byte("x"), 512))
	if got := s.want(200, "", "GET", "/box/disk", nil); !bytes.Equal(got.body, want) {
		t.Error("the pages are not what was written")
	}
	s.copy(202, "", "/box/copy", here+"/box/disk")
	if got := s.want(200, "", "GET", "/box/copy", nil); !bytes.Equal(got.body, want) {
		t.Error("the copy is not what was copied")
	}
	s.want(202, "", "DELETE", "/box/disk", nil, "x-ms-delete-snapshots", "include")
	s.sweep()
}
