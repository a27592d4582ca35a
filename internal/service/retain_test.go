package service_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/service"
)

const day = 24 * time.Hour

// retain switches soft delete of blobs on, for some days; 0 switches it off.
func (s *store) retain(days int) {
	s.t.Helper()
	policy := "<Enabled>false</Enabled>"
	if days > 0 {
		policy = fmt.Sprintf("<Enabled>true</Enabled><Days>%d</Days><AllowPermanentDelete>true</AllowPermanentDelete>", days)
	}
	s.set("<DeleteRetentionPolicy>" + policy + "</DeleteRetentionPolicy>")
}

// versioning switches versioning on or off.
func (s *store) versioning(on bool) {
	s.Features = func(string) service.Features { return service.Features{Versioning: on} }
}

const everything = "include=snapshots,versions,deleted,uncommittedblobs"

func TestSoftDelete(t *testing.T) {
	s := newStore(t)
	s.box()
	s.retain(7)
	put := s.put("a", 1, "x-ms-meta-k", "v")
	snap := s.snapshot("a")
	s.step(time.Minute)
	if d := s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include"); d.get("x-ms-delete-type-permanent") != "false" {
		t.Errorf("deleted: %v", d.header)
	}
	s.wantList("", "")
	s.wantList("include=snapshots", "")
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)
	s.want(404, "BlobNotFound", "GET", "/box/a?snapshot="+snap, nil)
	s.want(404, "BlobNotFound", "DELETE", "/box/a", nil)
	s.want(404, "BlobNotFound", "DELETE", "/box/a?snapshot="+snap, nil)
	s.step(time.Hour)
	for _, i := range s.wantList("include=snapshots,deleted", "a:deleted-snapshot:1 a:deleted-base:1") {
		if i.LeaseState != "" || i.DeletedTime != "Tue, 03 Mar 2026 08:01:00 GMT" || i.Remaining == nil || *i.Remaining != 6 {
			t.Errorf("listed as %+v", i)
		}
	}
	s.wantList("include=deleted", "a:deleted-base:1")
	s.wantList("include=deleted&delimiter=/", "a:deleted-base:1")

	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	got := s.want(200, "", "GET", "/box/a", nil)
	if string(got.body) != "x" || got.get("x-ms-meta-k") != "v" || got.get("ETag") != put.get("ETag") {
		t.Errorf("undeleted: %q %v", got.body, got.header)
	}
	s.want(200, "", "GET", "/box/a?snapshot="+snap, nil)
	s.wantList(everything, "a:snapshot:1 a:base:1")
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	s.want(404, "BlobNotFound", "PUT", "/box/none?comp=undelete", nil)
	s.want(404, "ContainerNotFound", "PUT", "/none/a?comp=undelete", nil)
	s.want(400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=undelete&snapshot="+snap, nil)

	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only")
	s.wantList(everything, "a:deleted-snapshot:1 a:base:1")
	s.want(202, "", "DELETE", "/box/a", nil)
	s.step(7*day - 2*time.Hour)
	s.sweep()
	s.wantList(everything, "a:deleted-snapshot:1 a:deleted-base:1")
	s.step(time.Minute)
	s.sweep()
	s.wantList(everything, "")
	s.want(404, "BlobNotFound", "PUT", "/box/a?comp=undelete", nil)
	s.sweep()
	if n := s.stored(); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

// TestRetentionEndsOnTime: what was soft-deleted is gone when its time is over, also while
// the sweeper has not come.
func TestRetentionEndsOnTime(t *testing.T) {
	s := newStore(t).with(service.Features{ContainerRetention: 1})
	s.box()
	s.retain(1)
	s.put("a", 1)
	snap := s.snapshot("a")
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.put("b", 1)
	s.snapshot("b")
	s.want(202, "", "DELETE", "/box/b", nil, "x-ms-delete-snapshots", "only")
	s.want(201, "", "PUT", "/bin?restype=container", nil)
	s.want(202, "", "DELETE", "/bin?restype=container", nil)
	bin := s.wantContainers("include=deleted", "-bin", "box")[0]
	s.step(day - time.Second)
	s.wantList(everything, "a:deleted-snapshot:1 a:deleted-base:1 b:deleted-snapshot:1 b:base:1")
	s.step(2 * time.Second)
	s.wantList(everything, "b:base:1")
	s.wantContainers("include=deleted", "box")
	s.want(404, "BlobNotFound", "PUT", "/box/a?comp=undelete", nil)
	s.want(404, "BlobNotFound", "DELETE", "/box/a?deletetype=permanent&snapshot="+snap, nil)
	s.want(200, "", "PUT", "/box/b?comp=undelete", nil)
	s.wantList(everything, "b:base:1")
	s.want(404, "ContainerNotFound", "PUT", "/bin?restype=container&comp=undelete", nil,
		"x-ms-deleted-container-name", "bin", "x-ms-deleted-container-version", bin.Version)
	s.sweep()
	s.sweep()
	if left := s.stored(); left != 1 {
		t.Errorf("%d objects are left, want that of b", left)
	}
}

func TestOverwritesAreSoftDeletedSnapshots(t *testing.T) {
	s := newStore(t)
	s.box()
	s.retain(1)
	s.put("a", 1)
	s.put("a", 2)
	s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID("b"), []byte("bbb"))
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("b")+"</Latest></BlockList>"))
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("b")+"</Latest><Latest>"+base64ID("b")+"</Latest></BlockList>"))
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil, "x-ms-meta-k", "v")
	s.want(200, "", "PUT", "/box/a?comp=properties", nil, "x-ms-blob-content-type", "a/b")
	s.wantList("include=deleted", "a:base:6")
	s.wantList(everything, "a:deleted-snapshot:1 a:deleted-snapshot:2 a:deleted-snapshot:3 a:base:6")

	// What is soft-deleted does not count among the snapshots, and becomes one again.
	s.want(202, "", "DELETE", "/box/a", nil)
	s.wantList(everything, "a:deleted-snapshot:1 a:deleted-snapshot:2 a:deleted-snapshot:3 a:deleted-base:6")
	s.put("a", 4)
	s.wantList(everything, "a:deleted-snapshot:1 a:deleted-snapshot:2 a:deleted-snapshot:3 a:deleted-snapshot:6 a:base:4")
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	items := s.wantList(everything, "a:snapshot:1 a:snapshot:2 a:snapshot:3 a:snapshot:6 a:base:4")
	for i, want := range []string{"x", "xx", "bbb", "bbbbbb"} {
		if got := s.want(200, "", "GET", "/box/a?snapshot="+items[i].Snapshot, nil); string(got.body) != want {
			t.Errorf("snapshot %d holds %q", i, got.body)
		}
	}
	s.want(409, "SnapshotsPresent", "DELETE", "/box/a", nil)
	s.retain(0)
	if d := s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include"); d.get("x-ms-delete-type-permanent") != "true" {
		t.Errorf("deleted: %v", d.header)
	}
	s.sweep()
	if n := s.stored(); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

func TestBlobOfAnotherTypeEndsRetention(t *testing.T) {
	s := newStore(t)
	s.box()
	s.retain(1)
	s.put("a", 1)
	s.put("a", 2)
	s.want(202, "", "DELETE", "/box/a", nil)
	s.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "AppendBlob")
	s.wantList(everything, "a:base:0")

	s.versioning(true)
	s.put("b", 1)
	s.want(202, "", "DELETE", "/box/b", nil)
	s.want(409, "InvalidBlobType", "PUT", "/box/b", nil, "x-ms-blob-type", "AppendBlob")
	s.wantList("prefix=b&"+everything, "b:version:1")
}

func TestPermanentDelete(t *testing.T) {
	s := newStore(t)
	s.box()
	s.retain(7)
	s.put("a", 1)
	snap := s.snapshot("a")
	forGood := "/box/a?deletetype=Permanent&snapshot=" + snap // as the Go SDK writes it
	s.want(409, "BlobSnapshotNotSoftDeleted", "DELETE", forGood, nil)
	s.want(409, "BlobOperationNotSupported", "DELETE", "/box/a?deletetype=permanent", nil)
	s.want(400, "InvalidQueryParameterValue", "DELETE", "/box/a?deletetype=later&snapshot="+snap, nil)
	s.want(202, "", "DELETE", "/box/a?snapshot="+snap, nil)
	s.set("<DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy>")
	s.want(409, "BlobOperationNotSupported", "DELETE", forGood, nil)
	s.retain(7)
	s.wantList(everything, "a:deleted-snapshot:1 a:base:1")
	for _, letters := range []string{"d", "x", "rwdx"} {
		s.want(403, "AuthorizationPermissionMismatch", "DELETE", forGood+"&"+s.sas("box", letters), nil)
	}
	s.want(403, "AuthorizationPermissionMismatch", "DELETE", "/box/a?"+s.sas("box", "y"), nil)
	if d := s.want(202, "", "DELETE", forGood+"&"+s.sas("box", "y"), nil); d.get("x-ms-delete-type-permanent") != "true" {
		t.Errorf("deleted: %v", d.header)
	}
	s.want(404, "BlobNotFound", "DELETE", forGood, nil)
	s.wantList(everything, "a:base:1")
}

func TestVersions(t *testing.T) {
	s := newStore(t)
	s.box()
	s.versioning(true)
	var versions []string
	for n := 1; n <= 3; n++ {
		put := s.put("a", n)
		versions = append(versions, put.get("x-ms-version-id"))
		head := s.want(200, "", "HEAD", "/box/a", nil)
		if head.get("x-ms-version-id") != versions[n-1] || head.get("x-ms-is-current-version") != "true" || head.get("ETag") != put.get("ETag") {
			t.Errorf("current version: %v", head.header)
		}
	}
	meta := s.want(200, "", "PUT", "/box/a?comp=metadata", nil, "x-ms-meta-k", "v").get("x-ms-version-id")
	s.want(200, "", "PUT", "/box/a?comp=properties", nil, "x-ms-blob-content-type", "a/b")
	list := "a:version:1 a:version:2 a:version:3 a:current:3"
	for i, item := range s.wantList("include=versions", list) {
		if want := append(versions, meta)[i]; item.VersionID != want {
			t.Errorf("version %d is %s, want %s", i, item.VersionID, want)
		}
	}
	s.wantList("include=versions&delimiter=/", list)
	// Every current blob names its version, whatever is asked for (docs/reference/operations.md 6).
	for _, query := range []string{"", "delimiter=/", "include=metadata"} {
		if items := s.wantList(query, "a:current:3"); items[0].VersionID != meta {
			t.Errorf("%q: version %q, want %q", query, items[0].VersionID, meta)
		}
	}
	if old := s.want(200, "", "GET", "/box?restype=container&comp=list", nil, "x-ms-version", "2019-07-07"); bytes.Contains(old.body, []byte("VersionId")) {
		t.Errorf("versions are told to a client that does not know them: %s", old.body)
	}
	got := s.want(200, "", "GET", "/box/a?versionid="+versions[1], nil)
	if string(got.body) != "xx" || got.get("x-ms-version-id") != versions[1] || got.get("x-ms-is-current-version") != "" || got.get("x-ms-lease-state") != "" {
		t.Errorf("version: %q %v", got.body, got.header)
	}
	if got := s.want(200, "", "HEAD", "/box/a?versionid="+meta, nil); got.get("x-ms-lease-state")+got.get("x-ms-lease-status") != "" ||
		got.get("x-ms-is-current-version") != "true" {
		t.Errorf("current version by its ID: %v", got.header)
	}
	s.want(400, "InvalidQueryParameterValue", "PUT", "/box/a?comp=metadata&versionid="+versions[1], nil)
	s.want(403, "OperationNotAllowedOnRootBlob", "DELETE", "/box/a?versionid="+meta, nil)
	s.want(400, "InvalidOperation", "DELETE", "/box/a?versionid="+versions[0], nil, "x-ms-delete-snapshots", "include")

	snap := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil)
	if v := snap.get("x-ms-version-id"); v == "" || v == meta {
		t.Errorf("a snapshot made version %q", v)
	}
	s.wantList("include=versions,snapshots", "a:version:1 a:version:2 a:version:3 a:version:3 a:snapshot:3 a:current:3")
	s.want(409, "SnapshotsPresent", "DELETE", "/box/a", nil)
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.wantList("include=versions,snapshots", "a:version:1 a:version:2 a:version:3 a:version:3 a:version:3")
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)
	s.want(200, "", "GET", "/box/a?versionid="+versions[2], nil)
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)

	if d := s.want(202, "", "DELETE", "/box/a?versionid="+versions[0], nil); d.get("x-ms-delete-type-permanent") != "true" {
		t.Errorf("deleted: %v", d.header)
	}
	s.retain(1)
	if d := s.want(202, "", "DELETE", "/box/a?versionid="+versions[1], nil); d.get("x-ms-delete-type-permanent") != "false" {
		t.Errorf("deleted: %v", d.header)
	}
	s.wantList("include=versions", "a:version:3 a:version:3 a:version:3")
	s.wantList("include=versions,deleted", "a:deleted-version:2 a:version:3 a:version:3 a:version:3")
	s.wantList("include=deleted", "")
	s.want(404, "BlobNotFound", "GET", "/box/a?versionid="+versions[1], nil)
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	s.want(200, "", "GET", "/box/a?versionid="+versions[1], nil)
	s.put("a", 9)
	s.wantList(everything, "a:version:2 a:version:3 a:version:3 a:version:3 a:current:9")
}

// TestVersioningIsSwitched looks at states that were written while versioning was off.
func TestVersioningIsSwitched(t *testing.T) {
	s := newStore(t)
	s.box()
	s.put("a", 1)
	created := "2026-03-03T08:00:00"
	s.step(time.Minute)
	s.versioning(true)
	if v := s.want(200, "", "PUT", "/box/a?comp=metadata", nil).get("x-ms-version-id"); !strings.HasPrefix(v, "2026-03-03T08:01:00") {
		t.Errorf("version %s", v)
	}
	if items := s.wantList("include=versions", "a:version:1 a:current:1"); !strings.HasPrefix(items[0].VersionID, created) {
		t.Errorf("a blob from before has version %s", items[0].VersionID)
	}
	s.versioning(false)
	if v := s.put("a", 2).get("x-ms-version-id"); v != "" {
		t.Errorf("version %s while versioning is off", v)
	}
	s.put("a", 3)
	s.wantList("include=versions", "a:version:1 a:version:1 a:base:3")
	s.versioning(true)
	s.put("a", 4)
	s.wantList("include=versions", "a:version:1 a:version:1 a:version:3 a:current:4")
	s.versioning(false)
	s.want(202, "", "DELETE", "/box/a", nil)
	s.wantList("include=versions", "a:version:1 a:version:1 a:version:3 a:version:4")
}

func TestGhosts(t *testing.T) {
	s := newStore(t)
	s.box()
	s.versioning(true)
	for _, name := range []string{"a", "b/1", "b/2", "c"} {
		s.put(name, 1)
		s.put(name, 2)
	}
	s.wantList("include=deletedwithversions", "a:current:2 b/1:current:2 b/2:current:2 c:current:2")
	for _, name := range []string{"a", "b/1", "c"} {
		s.want(202, "", "DELETE", "/box/"+name, nil)
	}
	s.want(201, "", "PUT", "/box/c?comp=block&blockid="+base64ID("b"), []byte("bbb"))
	s.wantList("", "b/2:current:2")
	items := s.wantList("include=deletedwithversions", "a:ghost:2 b/1:ghost:2 b/2:current:2 c:ghost:2")
	if items[0].LeaseState != "available" {
		t.Errorf("a ghost is %q", items[0].LeaseState)
	}
	s.wantList("include=deletedwithversions,versions",
		"a:version:1 a:version:2 a:ghost:2 b/1:version:1 b/1:version:2 b/1:ghost:2 b/2:version:1 b/2:current:2 c:version:1 c:version:2 c:ghost:2")
	s.wantList("include=deletedwithversions,uncommittedblobs", "a:ghost:2 b/1:ghost:2 b/2:current:2 c:base:0")
	s.wantList("include=deletedwithversions&delimiter=/", "a:ghost:2 c:ghost:2 b/:base:0")
	s.want(202, "", "DELETE", "/box/b/2", nil)
	s.wantList("include=deletedwithversions&delimiter=/", "a:ghost:2 c:ghost:2 b/:base:0")
	s.wantList("delimiter=/", "")
	s.wantList("include=versions&delimiter=/&prefix=b/", "b/1:version:1 b/1:version:2 b/2:version:1 b/2:version:2")
}

// TestSoftDeleteAndLeases holds soft delete to docs/reference/leases.md 4.4.
func TestSoftDeleteAndLeases(t *testing.T) {
	s := newStore(t)
	s.box()
	s.retain(7)
	acquire := func(id string) {
		t.Helper()
		s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", id)
	}
	state := func() string {
		t.Helper()
		return s.want(200, "", "HEAD", "/box/a", nil).get("x-ms-lease-state")
	}
	s.put("a", 1)
	acquire(idA)
	s.want(412, "LeaseIdMissing", "DELETE", "/box/a", nil)
	s.want(412, "LeaseIdMismatchWithBlobOperation", "DELETE", "/box/a", nil, "x-ms-lease-id", idB)
	if d := s.want(202, "", "DELETE", "/box/a", nil, "x-ms-lease-id", idA); d.get("x-ms-delete-type-permanent") != "false" {
		t.Errorf("deleted: %v", d.header)
	}
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	if got := state(); got != "available" {
		t.Errorf("undeleted: %s", got)
	}
	s.want(409, "LeaseIdMismatchWithLeaseOperation", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
	s.want(202, "", "DELETE", "/box/a", nil)
	s.put("a", 1)
	if got := state(); got != "available" {
		t.Errorf("made again: %s", got)
	}

	// Undelete asks for no lease and leaves one alone.
	acquire(idB)
	s.want(412, "LeaseIdMissing", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob")
	s.put("a", 2, "x-ms-lease-id", idB)
	s.want(200, "", "PUT", "/box/a?comp=undelete", nil)
	if got := state(); got != "leased" {
		t.Errorf("undeleted snapshots only: %s", got)
	}
	for _, i := range s.wantList(everything, "a:snapshot:1 a:snapshot:1 a:base:2") {
		if (i.Snapshot == "") != (i.LeaseState == "leased") {
			t.Errorf("%s is listed as %q", i.brief(), i.LeaseState)
		}
	}

	// With versioning the lease stays with the current version.
	s.versioning(true)
	s.put("a", 3, "x-ms-lease-id", idB)
	s.want(412, "LeaseIdMissing", "PUT", "/box/a?comp=metadata", nil)
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil, "x-ms-lease-id", idB)
	if got := state(); got != "leased" {
		t.Errorf("after a new version: %s", got)
	}
	s.want(412, "LeaseIdMissing", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.want(202, "", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include", "x-ms-lease-id", idB)
	s.put("a", 4)
	if got := state(); got != "available" {
		t.Errorf("made again over versions: %s", got)
	}

	// A blob that exists only as blocks keeps its lease when its deleted base comes back.
	s.versioning(false)
	s.put("u", 1)
	s.want(202, "", "DELETE", "/box/u", nil)
	s.want(201, "", "PUT", "/box/u?comp=block&blockid="+base64ID("b"), []byte("bbb"))
	s.want(201, "", "PUT", "/box/u?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	s.wantList("prefix=u&"+everything, "u:deleted-base:1 u:base:0")
	s.want(200, "", "PUT", "/box/u?comp=undelete", nil)
	s.want(412, "LeaseIdMissing", "DELETE", "/box/u", nil)
	s.want(201, "", "PUT", "/box/u?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("b")+"</Latest></BlockList>"), "x-ms-lease-id", idA)
	s.wantList("prefix=u&"+everything, "u:deleted-snapshot:1 u:base:3")
}

// TestUncommittedBlocksEnd looks at blocks that nobody commits.
func TestUncommittedBlocksEnd(t *testing.T) {
	s := newStore(t)
	s.box()
	block := func(name, id string) {
		t.Helper()
		s.want(201, "", "PUT", "/box/"+name+"?comp=block&blockid="+base64ID(id), []byte("bbb"))
	}
	s.put("base", 1)
	for _, name := range []string{"base", "gone", "added", "leased", "broken"} {
		block(name, "a")
	}
	for _, name := range []string{"leased", "broken"} {
		s.want(201, "", "PUT", "/box/"+name+"?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	}
	s.want(202, "", "PUT", "/box/broken?comp=lease", nil, "x-ms-lease-action", "break")
	s.step(6 * day)
	block("added", "b")
	s.sweep()
	s.wantList("include=uncommittedblobs", "added:base:0 base:base:1 broken:base:0 gone:base:0 leased:base:0")
	s.step(day)
	s.sweep()
	s.wantList("include=uncommittedblobs", "added:base:0 base:base:1 leased:base:0")
	s.step(6 * day)
	s.sweep()
	s.wantList("include=uncommittedblobs", "base:base:1 leased:base:0")
	s.want(202, "", "PUT", "/box/leased?comp=lease", nil, "x-ms-lease-action", "break")
	s.step(7 * day)
	s.sweep()
	s.wantList("include=uncommittedblobs", "base:base:1")
	if n := s.stored(); n != 1 {
		t.Errorf("%d objects are left, want that of the base", n)
	}
	if left := s.keys("l", "w"); len(left) != 0 {
		t.Errorf("index entries are left: %q", left)
	}
}

// TestTooManySnapshotsAtOnce has snapshots that one transaction can't rewrite: their records are
// made far larger than any, so that a few are enough. They can be deleted one by one.
func TestTooManySnapshotsAtOnce(t *testing.T) {
	db, err := pebble.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := newStoreOn(t, &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}, db, segments.New(nil))
	s.box()
	s.retain(7)
	s.put("a", 1)
	large := blob.Metadata{{Name: "k", Value: strings.Repeat("v", kv.MaxValue-1000)}}
	var names []string
	for i := range kv.MaxUpdate/kv.MaxValue + 2 { // an engine may take some more than it has to
		at := blob.Revision{Kind: blob.Snapshot, ID: blob.TimeOf(s.clock.Now().Add(-time.Duration(i+1) * time.Hour))}
		names = append(names, at.ID.Stamp())
		err := db.Update(t.Context(), []kv.Key{meta.ContainerKey(account, "box")}, func(tx kv.Tx) error {
			box, err := meta.Container(tx, account, "box")
			if err != nil {
				return err
			}
			return meta.PutRevision(tx, box.Generation, "a", at, &blob.Blob{Type: blob.BlockBlob, Metadata: large})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.want(409, "SnapshotCountExceeded", "DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	s.want(200, "", "HEAD", "/box/a", nil)
	for _, name := range names {
		s.want(202, "", "DELETE", "/box/a?snapshot="+name, nil)
	}
	s.want(202, "", "DELETE", "/box/a", nil)
	s.want(409, "SnapshotCountExceeded", "PUT", "/box/a?comp=undelete", nil)
	s.want(404, "BlobNotFound", "HEAD", "/box/a", nil)
}
