package service_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/test/sheet"
)

const protectionSheet = "testdata/protection.md"

// guardedState is a store with the blob a, of which one state is to be protected.
type guardedState struct {
	*store
	state string // the query that names the state
	etag  string
}

// newProtected makes the state, and protects it as a column of the sheet says.
func newProtected(t *testing.T, state, protection string) *guardedState {
	f := service.Features{Immutability: true, Expiry: true, Versioning: state == "version"}
	p := &guardedState{store: newStore(t).with(f)}
	p.box()
	switch state {
	case "append":
		p.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "AppendBlob")
	case "page":
		p.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024")
	default:
		p.state = p.made(state)
	}
	p.etag = p.head().get("ETag")
	p.protect(protection)
	return p
}

// made makes the blob, and returns the query that names the state.
func (p *guardedState) made(state string) string {
	put := p.put("a", 10)
	switch state {
	case "snapshot":
		return "snapshot=" + p.snapshot("a")
	case "version":
		p.put("a", 20)
		return "versionid=" + put.get("x-ms-version-id")
	}
	return ""
}

func (p *guardedState) protect(protection string) {
	p.t.Helper()
	until, mode := time.Hour, "Unlocked"
	switch protection {
	case "none":
		return
	case "locked":
		mode = "Locked"
	case "over":
		until = 2 * time.Second
	}
	if strings.Contains(protection, "hold") {
		p.want(200, "", "PUT", "/box/a?comp=legalhold&"+p.state, nil, "x-ms-legal-hold", "true")
	}
	if protection != "hold" {
		p.want(200, "", "PUT", "/box/a?comp=immutabilityPolicies&"+p.state, nil, "x-ms-immutability-policy-mode", mode,
			"x-ms-immutability-policy-until-date", p.Now().Add(until).Format(http.TimeFormat))
	}
	if protection == "over" {
		p.step(3 * time.Second)
	}
}

func (p *guardedState) head() *answer { return p.do("HEAD", "/box/a?"+p.state, nil) }

// ask sends the request of a way and returns its answer; nil if it is not a request.
func (p *guardedState) ask(way string) *answer {
	plain, block := []byte("new"), []string{"x-ms-blob-type", "BlockBlob"}
	list := []byte("<BlockList><Uncommitted>" + base64ID("a") + "</Uncommitted></BlockList>")
	other := func() string { p.put("other", 5); return p.source("/box/other", "r") }
	page := []string{"x-ms-page-write", "update", "Range", "bytes=0-511"}
	switch way {
	case "Put Blob", "Put Blob, versioning", "Put Blob, soft delete":
		return p.do("PUT", "/box/a", plain, block...)
	case "Put Blob of another type":
		return p.do("PUT", "/box/a", nil, "x-ms-blob-type", "AppendBlob")
	case "Put Blob From URL":
		return p.do("PUT", "/box/a", nil, append(block, "x-ms-copy-source", other())...)
	case "Put Block":
		return p.do("PUT", "/box/a?comp=block&blockid="+base64ID("a"), plain)
	case "Put Block List":
		return p.do("PUT", "/box/a?comp=blocklist", list)
	case "Append Block":
		return p.do("PUT", "/box/a?comp=appendblock", plain)
	case "Seal Append Blob":
		return p.do("PUT", "/box/a?comp=seal", nil)
	case "Put Page":
		return p.do("PUT", "/box/a?comp=page", make([]byte, 512), page...)
	case "Clear Pages":
		return p.do("PUT", "/box/a?comp=page", nil, "x-ms-page-write", "clear", "Range", "bytes=0-511")
	case "Resize":
		return p.do("PUT", "/box/a?comp=properties", nil, "x-ms-blob-content-length", "512")
	case "Set Blob Metadata":
		return p.do("PUT", "/box/a?comp=metadata", nil, "x-ms-meta-a", "b")
	case "Set Blob Properties":
		return p.do("PUT", "/box/a?comp=properties", nil, "x-ms-blob-content-type", "text/html")
	case "Copy Blob":
		return p.do("PUT", "/box/a", nil, "x-ms-copy-source", other())
	case "Copy Blob From URL":
		return p.do("PUT", "/box/a", nil, "x-ms-copy-source", other(), "x-ms-requires-sync", "true")
	case "Copy Blob onto itself":
		return p.do("PUT", "/box/a", nil, "x-ms-copy-source", p.source("/box/a", "r"))
	case "Snapshot Blob":
		return p.do("PUT", "/box/a?comp=snapshot", nil)
	}
	return p.askEnd(way)
}

// askEnd is ask for the ways that end a state, or try to.
func (p *guardedState) askEnd(way string) *answer {
	minute := []string{"x-ms-expiry-option", "RelativeToNow", "x-ms-expiry-time", strconv.FormatInt(time.Minute.Milliseconds(), 10)}
	switch way {
	case "Delete Blob", "Delete Blob, versioning", "Delete Blob, soft delete", "Delete Blob without a word about snapshots":
		return p.do("DELETE", "/box/a", nil)
	case "Delete Blob, in a batch":
		return p.alone(p.inBatch("DELETE", "/box/a"))
	case "Delete Blob with snapshots", "Delete Blob with snapshots, soft delete":
		return p.do("DELETE", "/box/a", nil, "x-ms-delete-snapshots", "include")
	case "Delete Blob with snapshots, in a batch":
		return p.alone(p.inBatch("DELETE", "/box/a", "x-ms-delete-snapshots", "include"))
	case "Delete only the snapshots":
		return p.do("DELETE", "/box/a", nil, "x-ms-delete-snapshots", "only")
	case "Delete the snapshot", "Delete the snapshot, soft delete", "Delete the version", "Delete the version, soft delete":
		return p.do("DELETE", "/box/a?"+p.state, nil)
	case "Delete the snapshot for good":
		return p.do("DELETE", "/box/a?deletetype=permanent&"+p.state, nil)
	case "Retention of a deleted base":
		p.want(202, "", "DELETE", "/box/a", nil)
		p.sweepAfter(3 * 24 * time.Hour)
		return nil
	case "Put Blob of another type over a deleted base":
		p.want(202, "", "DELETE", "/box/a", nil)
		return p.do("PUT", "/box/a", nil, "x-ms-blob-type", "AppendBlob")
	case "Undelete Blob":
		return p.do("PUT", "/box/a?comp=undelete", nil)
	case "Set Blob Tier":
		return p.do("PUT", "/box/a?comp=tier&"+p.state, nil, "x-ms-access-tier", "Archive")
	case "Set Blob Tags":
		return p.do("PUT", "/box/a?comp=tags", tagsXML("k", "v"))
	case "Set Blob Expiry", "Expiry of the base":
		a := p.do("PUT", "/box/a?comp=expiry", nil, minute...)
		p.sweepAfter(2 * time.Minute)
		return a
	case "Expiry that was set before": // by prepare
		p.sweepAfter(2 * time.Minute)
		return nil
	case "Lease Blob, break and release":
		p.lease(201, "", "/box/a", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
		p.lease(202, "", "/box/a", "break", "x-ms-lease-break-period", "0")
		return p.lease(200, "", "/box/a", "release", "x-ms-lease-id", idA)
	case "Delete Container":
		return p.do("DELETE", "/box?restype=container", nil)
	case "Time":
		p.sweepAfter(366 * 24 * time.Hour)
		return nil
	}
	p.t.Fatalf("%s has the way %q, which the test does not know", protectionSheet, way)
	return nil
}

// alone sends a batch of one request and returns the answer to that.
func (p *guardedState) alone(request string) *answer {
	status, code, _ := strings.Cut(p.batch("/?comp=batch", request)[0], " ")
	n, err := strconv.Atoi(status)
	if err != nil {
		p.t.Fatal(err)
	}
	return &answer{status: n, header: http.Header{"x-ms-error-code": {code}}}
}

// prepare sets what a way needs before the state is protected, or besides.
func (p *guardedState) prepare(way string) {
	switch {
	case strings.Contains(way, "versioning"):
		p.with(service.Features{Immutability: true, Expiry: true, Versioning: true})
	case strings.Contains(way, "soft delete"), strings.HasPrefix(way, "Retention"), strings.HasPrefix(way, "Undelete"), strings.HasSuffix(way, "for good"):
		p.retain(1)
	}
}

// TestProtection tries every way of testdata/protection.md against every kind of protection.
func TestProtection(t *testing.T) {
	ways := sheet.Read(t, protectionSheet, "ways")
	for _, row := range ways.Rows {
		way, state := row[0], row[1]
		for i, protection := range ways.Columns[2:] {
			t.Run(way+"/"+state+"/"+protection, func(t *testing.T) { tryProtection(t, way, state, protection, row[2+i]) })
		}
	}
}

func tryProtection(t *testing.T, way, state, protection, want string) {
	var p *guardedState
	if way == "Expiry that was set before" {
		p = newProtected(t, state, "none")
		p.expireIn("/box/a", time.Minute)
		p.etag = p.head().get("ETag")
		p.protect(protection)
	} else {
		p = newProtected(t, state, protection)
	}
	p.prepare(way)
	if way == "Put Block List" && want == "ends" {
		p.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID("a"), []byte("x"))
	}
	a := p.ask(way)
	p.judge(a, want, protection)
	p.sweepAfter(10 * time.Minute)
	after := p.head()
	if stays := after.status == 200 && after.get("ETag") == p.etag; stays != (want != "ends") {
		t.Errorf("the state is answered %d, its ETag was %s and is %s, want: %s", after.status, p.etag, after.get("ETag"), want)
	}
}

// judge holds the answer of a way against a cell of the sheet.
func (p *guardedState) judge(a *answer, want, protection string) {
	p.t.Helper()
	code := want
	switch {
	case want == "ends" || want == "stays":
		if a != nil && a.status >= 300 {
			p.t.Errorf("answered %d %s", a.status, a.code())
		}
		return
	case want == "refused" && strings.Contains(protection, "hold"):
		code = "BlobImmutableDueToLegalHold"
	case want == "refused":
		code = "BlobImmutableDueToPolicy"
	}
	if a == nil || a.status != 409 || a.code() != code {
		p.t.Errorf("answered %+v, want 409 %s", a, code)
	}
}
