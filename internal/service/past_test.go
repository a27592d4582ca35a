package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/kv"
)

// item is one entry of a listing, as far as the tests look at it.
type item struct {
	Name            string
	Snapshot        string
	VersionID       string `xml:"VersionId"`
	Current         bool   `xml:"IsCurrentVersion"`
	Deleted         bool
	HasVersionsOnly bool
	Size            int    `xml:"Properties>Content-Length"`
	LeaseState      string `xml:"Properties>LeaseState"`
	DeletedTime     string `xml:"Properties>DeletedTime"`
	Remaining       *int   `xml:"Properties>RemainingRetentionDays"`
}

// brief describes an entry in a word: its name, what it is, and its size.
func (i item) brief() string {
	kind := "base"
	switch {
	case i.HasVersionsOnly:
		kind = "ghost"
	case i.Snapshot != "":
		kind = "snapshot"
	case i.Current:
		kind = "current"
	case i.VersionID != "":
		kind = "version"
	}
	if i.Deleted {
		kind = "deleted-" + kind
	}
	return fmt.Sprintf("%s:%s:%d", i.Name, kind, i.Size)
}

// list returns all entries of a listing, gathered from pages of one entry, and checks
// that one page with all of them says the same.
func (s *store) list(query string) []item {
	s.t.Helper()
	type page struct {
		Blobs    []item   `xml:"Blobs>Blob"`
		Prefixes []string `xml:"Blobs>BlobPrefix>Name"`
		Next     string   `xml:"NextMarker"`
	}
	target := "/box?restype=container&comp=list&" + query
	whole := unmarshal[page](s.t, s.want(200, "", "GET", target, nil))
	var all []item
	var prefixes []string
	for marker := ""; ; {
		p := unmarshal[page](s.t, s.want(200, "", "GET", target+"&maxresults=1&marker="+marker, nil))
		all, prefixes = append(all, p.Blobs...), append(prefixes, p.Prefixes...)
		if len(p.Blobs)+len(p.Prefixes) != 1 && len(all)+len(prefixes) > 0 {
			s.t.Fatalf("a page of one entry has %d blobs and %d prefixes", len(p.Blobs), len(p.Prefixes))
		}
		if marker = p.Next; marker == "" {
			break
		}
	}
	if a, b := fmt.Sprint(briefs(all), prefixes), fmt.Sprint(briefs(whole.Blobs), whole.Prefixes); a != b {
		s.t.Fatalf("%s: page by page %s, at once %s", query, a, b)
	}
	for _, prefix := range prefixes {
		all = append(all, item{Name: prefix})
	}
	return all
}

func briefs(items []item) string {
	var out []string
	for _, i := range items {
		out = append(out, i.brief())
	}
	return strings.Join(out, " ")
}

func (s *store) wantList(query, want string) []item {
	s.t.Helper()
	got := s.list(query)
	if briefs(got) != want {
		s.t.Fatalf("%s:\n got %s\nwant %s", query, briefs(got), want)
	}
	return got
}

func (s *store) box() {
	s.t.Helper()
	s.want(201, "", "PUT", "/box?restype=container", nil)
}

// put writes a blob of n bytes.
func (s *store) put(name string, n int, headers ...string) *answer {
	s.t.Helper()
	return s.want(201, "", "PUT", "/box/"+name, []byte(strings.Repeat("x", n)), append([]string{"x-ms-blob-type", "BlockBlob"}, headers...)...)
}

// snapshot takes a snapshot and returns its ID.
func (s *store) snapshot(name string, headers ...string) string {
	s.t.Helper()
	return s.want(201, "", "PUT", "/box/"+name+"?comp=snapshot", nil, headers...).get("x-ms-snapshot")
}

func TestSnapshot(t *testing.T) {
	s := newStore(t)
	s.box()
	put := s.put("a", 1, "x-ms-meta-k", "v", "x-ms-blob-content-type", "text/plain")
	taken := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil)
	if taken.get("ETag") != put.get("ETag") || taken.get("Last-Modified") != put.get("Last-Modified") {
		t.Errorf("the snapshot has another version than its base: %v", taken.header)
	}
	first := taken.get("x-ms-snapshot")
	s.step(time.Minute)
	second := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil, "x-ms-meta-other", "w")
	if second.get("ETag") == put.get("ETag") {
		t.Error("a snapshot with metadata of its own has the ETag of its base")
	}
	s.step(time.Minute)
	s.put("a", 3)

	got := s.want(200, "", "GET", "/box/a?snapshot="+first, nil)
	if string(got.body) != "x" || got.get("x-ms-meta-k") != "v" || got.get("Content-Type") != "text/plain" || got.get("ETag") != put.get("ETag") {
		t.Errorf("read of the snapshot: %q %v", got.body, got.header)
	}
	for _, name := range []string{"x-ms-lease-state", "x-ms-lease-status", "x-ms-is-current-version", "x-ms-version-id"} {
		if got.get(name) != "" {
			t.Errorf("a snapshot has %s", name)
		}
	}
	at := "/box/a?snapshot=" + second.get("x-ms-snapshot")
	head := s.want(200, "", "HEAD", at, nil)
	if head.get("x-ms-meta-other") != "w" || head.get("x-ms-meta-k") != "" || head.get("Content-Length") != "1" {
		t.Errorf("properties of the snapshot: %v", head.header)
	}
	if m := s.want(200, "", "GET", at+"&comp=metadata", nil); m.get("x-ms-meta-other") != "w" {
		t.Errorf("metadata of the snapshot: %v", m.header)
	}
	s.want(304, "ConditionNotMet", "GET", "/box/a?snapshot="+first, nil, "If-None-Match", put.get("ETag"))
	if base := s.want(200, "", "GET", "/box/a", nil); string(base.body) != "xxx" {
		t.Errorf("base %q", base.body)
	}

	s.wantList("include=snapshots", "a:snapshot:1 a:snapshot:1 a:base:3")
	s.wantList("", "a:base:3")
	s.want(409, "SnapshotsPresent", "DELETE", "/box/a", nil)
	s.want(202, "", "DELETE", "/box/a?snapshot="+first, nil)
	s.want(404, "BlobNotFound", "GET", "/box/a?snapshot="+first, nil)
	s.want(404, "BlobNotFound", "DELETE", "/box/a?snapshot="+first, nil)
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only")
	s.wantList("include=snapshots", "a:base:3")
	s.snapshot("a")
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.wantList("include=snapshots,uncommittedblobs", "")
}

func TestSnapshotErrors(t *testing.T) {
	s := newStore(t)
	s.box()
	put := s.put("a", 1)
	s.want(201, "", "PUT", "/box/u?comp=block&blockid="+base64ID("b"), []byte("x"))
	snap := s.snapshot("a")
	const never = "2021-01-01T01:01:01.0000000Z"
	for _, c := range []struct {
		status         int
		code           string
		method, target string
		headers        []string
	}{
		{404, "BlobNotFound", "PUT", "/box/none?comp=snapshot", nil},
		{404, "BlobNotFound", "PUT", "/box/u?comp=snapshot", nil},
		{404, "ContainerNotFound", "PUT", "/none/a?comp=snapshot", nil},
		{412, "ConditionNotMet", "PUT", "/box/a?comp=snapshot", []string{"If-Match", `"0x8D0000000000000"`}},
		{412, "ConditionNotMet", "PUT", "/box/a?comp=snapshot", []string{"If-None-Match", put.get("ETag")}},
		{412, "LeaseNotPresentWithBlobOperation", "PUT", "/box/a?comp=snapshot", []string{"x-ms-lease-id", idA}},
		{400, "InvalidHeaderValue", "PUT", "/box/a?comp=snapshot", []string{"x-ms-lease-id", "word"}},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=snapshot&snapshot=" + snap, nil},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=snapshot&versionid=" + snap, nil},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=metadata&snapshot=" + snap, nil},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=properties&snapshot=" + snap, nil},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=lease&snapshot=" + snap, []string{"x-ms-lease-action", "acquire", "x-ms-lease-duration", "15"}},
		{400, "InvalidQueryParameterValue", "PUT", "/box/a?snapshot=" + snap, []string{"x-ms-blob-type", "BlockBlob"}},
		{400, "InvalidQueryParameterValue", "GET", "/box/a?snapshot=yesterday", nil},
		{400, "InvalidQueryParameterValue", "GET", "/box/a?snapshot=2021-01-01T01:01:01.000000Z", nil},
		{400, "InvalidQueryParameterValue", "GET", "/box/a?snapshot=" + snap + "&versionid=" + snap, nil},
		{404, "BlobNotFound", "GET", "/box/a?snapshot=" + never, nil},
		{404, "BlobNotFound", "GET", "/box/a?versionid=" + snap, nil},
		{404, "BlobNotFound", "HEAD", "/box/none?snapshot=" + snap, nil},
		{400, "InvalidHeaderValue", "DELETE", "/box/a", []string{"x-ms-delete-snapshots", "all"}},
		{400, "InvalidOperation", "DELETE", "/box/a?snapshot=" + snap, []string{"x-ms-delete-snapshots", "include"}},
		{400, "InvalidOperation", "DELETE", "/box/a?snapshot=" + snap, []string{"x-ms-delete-snapshots", "only"}},
		{412, "ConditionNotMet", "DELETE", "/box/a?snapshot=" + snap, []string{"If-Match", `"0x8D0000000000000"`}},
		{404, "BlobNotFound", "DELETE", "/box/none", []string{"x-ms-delete-snapshots", "only"}},
	} {
		s.want(c.status, c.code, c.method, c.target, nil, c.headers...)
	}
	s.want(400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=block&snapshot="+snap+"&blockid="+base64ID("b"), []byte("x"))
	s.want(400, "InvalidQueryParameterValue", "GET", "/box?restype=container&comp=list&delimiter=/&include=snapshots", nil)
	s.wantList("include=snapshots", "a:snapshot:1 a:base:1")
}

// TestSnapshotsAndLeases holds snapshots to docs/reference/leases.md 4.1 and 4.2.
func TestSnapshotsAndLeases(t *testing.T) {
	s := newStore(t)
	s.box()
	s.put("a", 1)
	s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idA)
	first := s.snapshot("a")
	second := s.snapshot("a", "x-ms-lease-id", idA)
	s.want(412, "LeaseIdMismatchWithBlobOperation", "PUT", "/box/a?comp=snapshot", nil, "x-ms-lease-id", idB)
	for _, i := range s.wantList("include=snapshots", "a:snapshot:1 a:snapshot:1 a:base:1") {
		if (i.Snapshot == "") != (i.LeaseState == "leased") {
			t.Errorf("%s is listed as %q", i.brief(), i.LeaseState)
		}
	}
	s.want(200, "", "GET", "/box/a?snapshot="+first, nil, "x-ms-lease-id", idB)
	s.want(202, "", "DELETE", "/box/a?snapshot="+first, nil)
	s.want(400, "InvalidHeaderValue", "DELETE", "/box/a?snapshot="+second, nil, "x-ms-lease-id", "word")
	s.want(202, "", "DELETE", "/box/a?snapshot="+second, nil, "x-ms-lease-id", idB)
	s.snapshot("a")
	s.want(412, "LeaseIdMissing", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only")
	s.want(412, "LeaseIdMissing", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only", "x-ms-lease-id", idA)

	s.step(16 * time.Second)
	s.snapshot("a")
	s.want(200, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
	s.step(16 * time.Second)
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only")
	s.want(409, "LeaseIdMismatchWithLeaseOperation", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
}

// TestBlocksOfSnapshots commits, snapshots, recommits and deletes, and reads what each
// state holds.
func TestBlocksOfSnapshots(t *testing.T) {
	s := newStore(t)
	s.box()
	commit := func(ids string) {
		t.Helper()
		var list strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&list, "<Latest>%s</Latest>", base64ID(string(id)))
		}
		s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList>"+list.String()+"</BlockList>"))
	}
	for _, id := range "abcdefghijkl" {
		s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID(string(id)), []byte(string(id)))
	}
	states := map[string]string{}
	for _, ids := range []string{"abcdefghijkl", "aceg", "ge", "eeeeeeeeeeee", ""} {
		commit(ids)
		states[s.snapshot("a")] = ids
	}
	s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID("z"), []byte("z"))
	check := func() {
		t.Helper()
		for snap, ids := range states {
			if got := s.want(200, "", "GET", "/box/a?snapshot="+snap, nil); string(got.body) != ids {
				t.Errorf("snapshot %s holds %q, want %q", snap, got.body, ids)
			}
			type blocks struct {
				Committed   []string `xml:"CommittedBlocks>Block>Name"`
				Uncommitted []string `xml:"UncommittedBlocks>Block>Name"`
			}
			l := unmarshal[blocks](t, s.want(200, "", "GET", "/box/a?comp=blocklist&blocklisttype=all&snapshot="+snap, nil))
			if len(l.Committed) != len(ids) || len(l.Uncommitted) != 0 {
				t.Errorf("snapshot %s has blocks %+v", snap, l)
			}
		}
	}
	check()
	for snap := range states {
		s.want(202, "", "DELETE", "/box/a?snapshot="+snap, nil)
		delete(states, snap)
		s.sweep()
		check()
	}
	if left := s.stored(); left != 1 {
		t.Errorf("%d inline objects are left, want that of the uncommitted block", left)
	}
}

// sweep removes what is due, long after the last request.
func (s *store) sweep() {
	s.t.Helper()
	s.sweepAfter(time.Hour)
}

// sweepAfter removes what is due some time later.
func (s *store) sweepAfter(d time.Duration) {
	s.t.Helper()
	s.step(d)
	w := catalog.Sweeper{DB: s.DB, Segments: s.Segments, Grace: time.Minute}
	if err := w.Run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// keys returns the keys of the store that begin with one of some tags.
func (s *store) keys(tags ...string) (keys []string) {
	s.t.Helper()
	err := s.DB.View(s.t.Context(), func(r kv.Reader) error {
		for _, tag := range tags {
			for p, err := range r.Scan([]byte(tag), kv.PrefixEnd([]byte(tag))) {
				if err != nil {
					return err
				}
				keys = append(keys, string(p.Key))
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// stored counts the inline objects and segments that are there.
func (s *store) stored() int {
	s.t.Helper()
	n := len(s.keys("d"))
	for _, err := range s.Segments.List(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}
