package service_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// place is a container of its own with one blob in it, for a sample to work on.
type place struct {
	*store
	box  string // path of the container
	blob string // path of the blob
}

// ask is a request that is still to be sent.
type ask struct {
	method, target string
	body           []byte
	headers        []string
}

func (p *place) send(a ask, more ...string) *answer {
	p.t.Helper()
	return p.do(a.method, a.target, a.body, append(a.headers[:len(a.headers):len(a.headers)], more...)...)
}

// sample is a request of a kind that succeeds. What is tried with every operation is tried
// with variations of the samples.
type sample struct {
	name     string
	kind     string // of the blob that is there: block, append or page
	code     string // of the answer, for those that have no success
	features service.Features
	retain   bool               // with soft delete of blobs
	ask      func(p *place) ask // may prepare more
}

func (s *sample) store(t testing.TB) *store {
	st := newStore(t).with(s.features)
	st.remote = "127.0.0.1:1234"
	st.want(201, "", "PUT", "/sources?restype=container", nil)
	st.want(201, "", "PUT", "/sources/block", content(512), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=1")
	if s.retain {
		st.retain(7)
	}
	return st
}

// at makes the n-th place of a store.
func (s *sample) at(st *store, n int) *place {
	p := &place{st, fmt.Sprint("/box", n), fmt.Sprintf("/box%d/blob", n)}
	st.want(201, "", "PUT", p.box+"?restype=container", nil)
	p.fill(s.kind)
	return p
}

// fill makes the blob.
func (p *place) fill(kind string) {
	p.t.Helper()
	switch kind {
	case "uncommitted":
		p.want(201, "", "PUT", p.blob+"?comp=block&blockid=AAAA", []byte("hello"))
	case "append":
		p.want(201, "", "PUT", p.blob, nil, "x-ms-blob-type", "AppendBlob", "x-ms-tags", "a=1")
		p.want(201, "", "PUT", p.blob+"?comp=appendblock", []byte("hello"))
	case "page":
		p.want(201, "", "PUT", p.blob, nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024", "x-ms-tags", "a=1")
		p.want(201, "", "PUT", p.blob+"?comp=page", content(512), "x-ms-page-write", "update", "x-ms-range", "bytes=0-511")
	default:
		p.want(201, "", "PUT", p.blob, []byte("hello"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "a=1")
	}
}

func (p *place) snapshotID() string {
	p.t.Helper()
	return p.want(201, "", "PUT", p.blob+"?comp=snapshot", nil).get("x-ms-snapshot")
}

// previousVersion makes a version that is not the current one.
func (p *place) previousVersion() string {
	p.t.Helper()
	id := p.want(200, "", "HEAD", p.blob, nil).get("x-ms-version-id")
	p.want(200, "", "PUT", p.blob+"?comp=metadata", nil)
	return id
}

// acquired leases what target names to A, with no end.
func (p *place) acquired(target string) {
	p.t.Helper()
	p.want(201, "", "PUT", target, nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
}

// onTheBlob is a sample of a request to the blob.
func onTheBlob(method, query string, body []byte, headers ...string) func(*place) ask {
	return func(p *place) ask { return ask{method, p.blob + query, body, headers} }
}

// onTheBox is a sample of a request to the container.
func onTheBox(method, comp string, body []byte, headers ...string) func(*place) ask {
	return func(p *place) ask { return ask{method, p.box + "?restype=container" + comp, body, headers} }
}

func onTheService(method, query string, body []byte, headers ...string) func(*place) ask {
	return func(*place) ask { return ask{method, "/" + query, body, headers} }
}

// fromSource is a sample of a request to the blob that reads another blob.
func fromSource(query string, headers ...string) func(*place) ask {
	return func(p *place) ask {
		return ask{"PUT", p.blob + query, nil, append([]string{"x-ms-copy-source", p.source("/sources/block", "rt")}, headers...)}
	}
}

// leasing is a sample of a lease action on something that A has leased before.
func leasing(path func(*place) string, headers ...string) func(*place) ask {
	return func(p *place) ask {
		if headers[0] != "acquire" {
			p.acquired(path(p))
		}
		return ask{"PUT", path(p), nil, append([]string{"x-ms-lease-action"}, headers...)}
	}
}

func blobLease(p *place) string { return p.blob + "?comp=lease" }
func boxLease(p *place) string  { return p.box + "?restype=container&comp=lease" }

func inBatchOf(target func(*place) string) func(*place) ask {
	return func(p *place) ask {
		return ask{"POST", target(p), batchOf(p.inBatch("DELETE", p.blob)), []string{"Content-Type", "multipart/mixed; boundary=b"}}
	}
}

var (
	versioned = service.Features{Versioning: true}
	protected = service.Features{Immutability: true}
)

const tomorrow = "Wed, 04 Mar 2026 08:00:00 GMT"

// writeSamples are those that change the content of a blob, or make one.
func writeSamples() []sample {
	return []sample{
		{name: "Put Blob", ask: onTheBlob("PUT", "", []byte("text"), "x-ms-blob-type", "BlockBlob")},
		{name: "Put Blob, append", kind: "append", ask: onTheBlob("PUT", "", nil, "x-ms-blob-type", "AppendBlob")},
		{name: "Put Blob, page", kind: "page", ask: onTheBlob("PUT", "", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")},
		{name: "Put Blob From URL", ask: fromSource("", "x-ms-blob-type", "BlockBlob")},
		{name: "Put Block", ask: onTheBlob("PUT", "?comp=block&blockid=AAAA", []byte("text"))},
		{name: "Put Block From URL", ask: fromSource("?comp=block&blockid=AAAA")},
		{name: "Put Block List", ask: onTheBlob("PUT", "?comp=blocklist", []byte("<BlockList/>"))},
		{name: "Append Block", kind: "append", ask: onTheBlob("PUT", "?comp=appendblock", []byte("text"))},
		{name: "Append Block From URL", kind: "append", ask: fromSource("?comp=appendblock")},
		{name: "Seal Append Blob", kind: "append", ask: onTheBlob("PUT", "?comp=seal", nil)},
		{name: "Put Page", kind: "page", ask: onTheBlob("PUT", "?comp=page", content(512), "x-ms-page-write", "update", "x-ms-range", "bytes=0-511")},
		{name: "Put Page From URL", kind: "page", ask: fromSource("?comp=page", "x-ms-page-write", "update", "x-ms-range", "bytes=0-511", "x-ms-source-range", "bytes=0-511")},
		{name: "Clear Pages", kind: "page", ask: onTheBlob("PUT", "?comp=page", nil, "x-ms-page-write", "clear", "x-ms-range", "bytes=0-511")},
		{name: "Copy Blob", ask: fromSource("")},
		{name: "Incremental Copy Blob", kind: "page", ask: func(p *place) ask {
			from := p.source(p.blob, "r") + "&snapshot=" + p.snapshotID()
			return ask{"PUT", p.box + "/copy?comp=incrementalcopy", nil, []string{"x-ms-copy-source", from}}
		}},
		{name: "Copy Blob From URL", ask: fromSource("", "x-ms-requires-sync", "true")},
		{name: "Abort Copy Blob", code: "NoPendingCopyOperation", ask: onTheBlob("PUT", "?comp=copy&copyid="+idA, nil, "x-ms-copy-action", "abort")},
	}
}

// changeSamples are those that change something else about a blob, or delete it.
func changeSamples() []sample {
	return []sample{
		{name: "Set Blob Properties", ask: onTheBlob("PUT", "?comp=properties", nil, "x-ms-blob-content-type", "text/plain")},
		{name: "Resize", kind: "page", ask: onTheBlob("PUT", "?comp=properties", nil, "x-ms-blob-content-length", "512")},
		{name: "Update Sequence Number", kind: "page", ask: onTheBlob("PUT", "?comp=properties", nil, "x-ms-sequence-number-action", "update", "x-ms-blob-sequence-number", "7")},
		{name: "Set Blob Metadata", ask: onTheBlob("PUT", "?comp=metadata", nil, "x-ms-meta-k", "v")},
		{name: "Set Blob Tags", ask: onTheBlob("PUT", "?comp=tags", tagsXML("a", "1"))},
		{name: "Set Blob Tier", ask: onTheBlob("PUT", "?comp=tier", nil, "x-ms-access-tier", "Cool")},
		{name: "Set Blob Tier of a snapshot", ask: func(p *place) ask {
			return ask{"PUT", p.blob + "?comp=tier&snapshot=" + p.snapshotID(), nil, []string{"x-ms-access-tier", "Cool"}}
		}},
		{name: "Set Blob Tags of a version", features: versioned, ask: func(p *place) ask {
			return ask{"PUT", p.blob + "?comp=tags&versionid=" + p.previousVersion(), tagsXML("a", "1"), nil}
		}},
		{name: "Delete Blob", ask: onTheBlob("DELETE", "", nil)},
		{name: "Delete Blob, include snapshots", ask: func(p *place) ask {
			p.snapshotID()
			return ask{"DELETE", p.blob, nil, []string{"x-ms-delete-snapshots", "include"}}
		}},
		{name: "Delete Blob, only snapshots", ask: func(p *place) ask {
			p.snapshotID()
			return ask{"DELETE", p.blob, nil, []string{"x-ms-delete-snapshots", "only"}}
		}},
		{name: "Soft-delete Blob", retain: true, ask: onTheBlob("DELETE", "", nil)},
		{name: "Delete of a snapshot", ask: func(p *place) ask { return ask{"DELETE", p.blob + "?snapshot=" + p.snapshotID(), nil, nil} }},
		{name: "Delete of a version", features: versioned, ask: func(p *place) ask {
			return ask{"DELETE", p.blob + "?versionid=" + p.previousVersion(), nil, nil}
		}},
		{name: "Permanent delete of a snapshot", retain: true, ask: func(p *place) ask {
			target := p.blob + "?snapshot=" + p.snapshotID()
			p.want(202, "", "DELETE", target, nil)
			return ask{"DELETE", target + "&deletetype=permanent", nil, nil}
		}},
		{name: "Snapshot Blob", ask: onTheBlob("PUT", "?comp=snapshot", nil)},
		{name: "Undelete Blob", ask: onTheBlob("PUT", "?comp=undelete", nil)},
		{name: "Set Blob Expiry", features: service.Features{Expiry: true}, ask: onTheBlob("PUT", "?comp=expiry", nil, "x-ms-expiry-option", "NeverExpire")},
		{name: "Set Blob Immutability Policy", features: protected,
			ask: onTheBlob("PUT", "?comp=immutabilityPolicies", nil, "x-ms-immutability-policy-until-date", tomorrow)},
		{name: "Delete Blob Immutability Policy", features: protected, ask: onTheBlob("DELETE", "?comp=immutabilityPolicies", nil)},
		{name: "Set Blob Legal Hold", features: protected, ask: onTheBlob("PUT", "?comp=legalhold", nil, "x-ms-legal-hold", "false")},
	}
}

// readSamples are those that read a blob, and the lease actions.
func readSamples() []sample {
	return []sample{
		{name: "Get Blob", ask: onTheBlob("GET", "", nil)},
		{name: "Get Blob of a snapshot", ask: func(p *place) ask { return ask{"GET", p.blob + "?snapshot=" + p.snapshotID(), nil, nil} }},
		{name: "Get Blob of a version", features: versioned, ask: func(p *place) ask {
			return ask{"GET", p.blob + "?versionid=" + p.previousVersion(), nil, nil}
		}},
		{name: "Get Blob Properties", ask: onTheBlob("HEAD", "", nil)},
		{name: "Get Blob Metadata", ask: onTheBlob("GET", "?comp=metadata", nil)},
		{name: "Get Block List, committed", ask: onTheBlob("GET", "?comp=blocklist", nil)},
		{name: "Get Block List, uncommitted", ask: onTheBlob("GET", "?comp=blocklist&blocklisttype=uncommitted", nil)},
		{name: "Get Block List", ask: onTheBlob("GET", "?comp=blocklist&blocklisttype=all", nil)},
		{name: "Get Page Ranges", kind: "page", ask: onTheBlob("GET", "?comp=pagelist", nil)},
		{name: "Get Page Ranges, diff", kind: "page", ask: func(p *place) ask {
			return ask{"GET", p.blob + "?comp=pagelist&prevsnapshot=" + p.snapshotID(), nil, nil}
		}},
		{name: "Query Blob Contents", code: "FeatureNotSupported", ask: onTheBlob("POST", "?comp=query", nil)},
		{name: "Get Blob Tags", ask: onTheBlob("GET", "?comp=tags", nil)},
		{name: "Get Account Information of a blob", ask: onTheBlob("GET", "?restype=account&comp=properties", nil)},
		{name: "Preflight Blob Request", code: "CorsPreflightFailure", ask: onTheBlob("OPTIONS", "", nil, "Origin", "http://a.example", "Access-Control-Request-Method", "GET")},
		{name: "Lease Blob, acquire", ask: leasing(blobLease, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idA)},
		{name: "Lease Blob, renew", ask: leasing(blobLease, "renew", "x-ms-lease-id", idA)},
		{name: "Lease Blob, change", ask: leasing(blobLease, "change", "x-ms-lease-id", idA, "x-ms-proposed-lease-id", idB)},
		{name: "Lease Blob, release", ask: leasing(blobLease, "release", "x-ms-lease-id", idA)},
		{name: "Lease Blob, break", ask: leasing(blobLease, "break", "x-ms-lease-break-period", "0")},
	}
}

// containerSamples are those of containers.
func containerSamples() []sample {
	return []sample{
		{name: "Delete Container", ask: onTheBox("DELETE", "", nil)},
		{name: "Get Container Properties", ask: onTheBox("GET", "", nil)},
		{name: "Get Container Metadata", ask: onTheBox("GET", "&comp=metadata", nil)},
		{name: "Get Container ACL", ask: onTheBox("GET", "&comp=acl", nil)},
		{name: "Set Container Metadata", ask: onTheBox("PUT", "&comp=metadata", nil, "x-ms-meta-k", "v")},
		{name: "Set Container ACL", ask: onTheBox("PUT", "&comp=acl", policies("1"))},
		{name: "List Blobs", ask: onTheBox("GET", "&comp=list", nil)},
		{name: "Find Blobs by Tags in Container", ask: onTheBox("GET", "&comp=blobs&where=a%3D'1'", nil)},
		{name: "Submit Batch in a container", ask: inBatchOf(func(p *place) string { return p.box + "?restype=container&comp=batch" })},
		{name: "Create Container", ask: func(p *place) ask { return ask{"PUT", p.box + "-new?restype=container", nil, nil} }},
		{name: "Create Container that exists", code: "ContainerAlreadyExists", ask: onTheBox("PUT", "", nil)},
		{name: "Restore Container", features: service.Features{ContainerRetention: 7}, ask: func(p *place) ask {
			gone := p.box + "-gone?restype=container"
			p.want(201, "", "PUT", gone, nil)
			p.want(202, "", "DELETE", gone, nil)
			p.step(time.Minute)
			return ask{"PUT", gone + "&comp=undelete", nil, []string{"x-ms-deleted-container-name", p.box[1:] + "-gone", "x-ms-deleted-container-version", p.deletedVersion()}}
		}},
		{name: "Get Account Information of a container", ask: func(p *place) ask { return ask{"GET", p.box + "?restype=account&comp=properties", nil, nil} }},
		{name: "Lease Container, acquire", ask: leasing(boxLease, "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idA)},
		{name: "Lease Container, renew", ask: leasing(boxLease, "renew", "x-ms-lease-id", idA)},
		{name: "Lease Container, change", ask: leasing(boxLease, "change", "x-ms-lease-id", idA, "x-ms-proposed-lease-id", idB)},
		{name: "Lease Container, release", ask: leasing(boxLease, "release", "x-ms-lease-id", idA)},
		{name: "Lease Container, break", ask: leasing(boxLease, "break", "x-ms-lease-break-period", "0")},
	}
}

// deletedVersion returns the version of the container that was deleted last.
func (p *place) deletedVersion() (version string) {
	p.t.Helper()
	all := unmarshal[struct {
		Containers []containerItem `xml:"Containers>Container"`
	}](p.t, p.want(200, "", "GET", "/?comp=list&include=deleted", nil))
	for _, c := range all.Containers {
		version = max(version, c.Version)
	}
	return version
}

// serviceSamples are those of the service.
func serviceSamples() []sample {
	return []sample{
		{name: "List Containers", ask: onTheService("GET", "?comp=list", nil)},
		{name: "List leases", ask: onTheService("GET", "?comp=leases", nil)},
		{name: "Get Blob Service Properties", ask: onTheService("GET", "?restype=service&comp=properties", nil)},
		{name: "Set Blob Service Properties", ask: onTheService("PUT", "?restype=service&comp=properties", []byte("<StorageServiceProperties/>"))},
		{name: "Get Blob Service Stats", ask: func(*place) ask { return ask{"GET", "-secondary/?restype=service&comp=stats", nil, nil} }},
		{name: "Get User Delegation Key", ask: func(p *place) ask {
			return ask{"POST", "/?restype=service&comp=userdelegationkey", []byte("<KeyInfo><Expiry>" + p.inAnHour() + "</Expiry></KeyInfo>"),
				[]string{"Authorization", p.token()}}
		}},
		{name: "Get Account Information", ask: onTheService("GET", "?restype=account&comp=properties", nil)},
		{name: "Find Blobs by Tags", ask: onTheService("GET", "?comp=blobs&where=a%3D'1'", nil)},
		{name: "Submit Batch", ask: inBatchOf(func(*place) string { return "/?comp=batch" })},
		{name: "Submit Batch to the account as a container", ask: inBatchOf(func(*place) string { return "?restype=container&comp=batch" })},
		{name: "Restore Container without a name", code: "InvalidUri", ask: onTheService("PUT", "?restype=container&comp=undelete", nil,
			"x-ms-deleted-container-name", "gone", "x-ms-deleted-container-version", "01DC000000000000")},
	}
}

// issuerKey is made once: it takes its time.
var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// token lets the store trust an issuer, and returns a token of its.
func (p *place) token() string {
	k := issuerKey()
	trust := &service.Trust{
		DelegationSecret: []byte("a secret of the server"),
		Issuers:          []string{tokenIssuer},
		Tokens:           issuer{k},
		Access:           auth.NewAccess([]auth.Assignment{{Principal: "11111111-0000-0000-0000-000000000001", Issuer: tokenIssuer, Role: auth.RoleContributor}}, nil),
	}
	p.Trust = func() *service.Trust { return trust }
	return issuer{k}.token(p.t, p.store)
}

// samples returns all of them.
func samples() (all []sample) {
	for _, some := range [][]sample{writeSamples(), changeSamples(), readSamples(), containerSamples(), serviceSamples()} {
		all = append(all, some...)
	}
	return all
}

// rows finds the row of the table that a request belongs to.
var rows = wire.NewTable(service.Operations(), func(op *service.Operation) wire.Selector { return op.On })

func (p *place) row(a ask) *service.Operation {
	p.t.Helper()
	r, err := wire.NewRequest(httptest.NewRecorder(), p.request(a.method, a.target, a.body, a.headers...), p.Now(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	op, err := rows.Match(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return op
}

// succeeded tells whether an answer is what the sample gets on a good day.
func (s *sample) succeeded(op *service.Operation, a *answer) bool {
	if s.code != "" {
		return a.code() == s.code
	}
	return a.status == op.Status && a.code() == ""
}

// TestSamples makes sure that there is a sample for every row of the table of operations,
// and that all succeed.
func TestSamples(t *testing.T) {
	missing := map[string]bool{}
	for _, op := range service.Operations() {
		missing[op.Name+": "+request(op.On)] = true
	}
	for _, sample := range samples() {
		t.Run(sample.name, func(t *testing.T) {
			p := sample.at(sample.store(t), 0)
			ask := sample.ask(p)
			op := p.row(ask)
			delete(missing, op.Name+": "+request(op.On))
			if a := p.send(ask); !sample.succeeded(op, a) {
				t.Errorf("%s %s %q: %d %s\n%s", ask.method, ask.target, ask.headers, a.status, a.code(), a.body)
			}
		})
	}
	for row := range missing {
		t.Errorf("no sample for %s", row)
	}
}
