package service_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/wire"
)

// impossibleNames are paths below a container that name no blob that can be, with the code of the
// refusal.
var impossibleNames = map[string]string{
	"../x": "InvalidUri", "foo/../../../bar.txt": "InvalidUri", ".": "InvalidUri", "%2e%2E": "InvalidUri", "a%2F..%2F..": "InvalidUri", "...": "InvalidUri",
	strings.Repeat("n", 1025):           "InvalidUri",
	strings.Repeat("%F0%9F%8C%8D", 513): "InvalidUri", // two code units each
	strings.Repeat("s/", 254) + "s":     "InvalidUri",
	"a%01":                              "InvalidResourceName", "%7F": "InvalidResourceName", "%C2%81": "InvalidResourceName", "%C2%8D": "InvalidResourceName",
	"x%C2%8F": "InvalidResourceName", "%C2%90x": "InvalidResourceName", "%C2%9D": "InvalidResourceName",
	"%EE%80%80": "InvalidResourceName", "%EF%80%83": "InvalidResourceName", "%EF%A3%BF": "InvalidResourceName",
}

// TestImpossibleNamesAreRefusedByEveryOperation: no operation on a blob takes one for the name of a
// blob that is missing.
func TestImpossibleNamesAreRefusedByEveryOperation(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			st := s.store(t)
			p := s.at(st, 1)
			a := s.ask(p)
			op := p.row(a)
			if op.On.Level != wire.LevelBlob || op.On.AnyLevel {
				return
			}
			before := p.dump()
			for name, code := range impossibleNames {
				named := a
				named.target = strings.Replace(a.target, p.blob, p.box+"/"+name, 1)
				if named.target == a.target {
					named.target = p.box + "/" + name + a.target[strings.IndexByte(a.target+"?", '?'):]
				}
				if got := p.send(named); got.status != 400 || got.code() != code {
					t.Errorf("%.40s: %d %s, want 400 %s", name, got.status, got.code(), code)
				}
			}
			if p.dump() != before {
				t.Error("something changed")
			}
		})
	}
}

// TestDotsOfNames: a name with dot segments or dots at the end of a segment is stored, read and
// copied as the name that it stands for, and no listing shows another.
func TestDotsOfNames(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	names := map[string]string{
		"./key": "key", "a/./b": "a/b", "a/x/../c": "a/c", "folder/file.": "folder/file", "w./x..": "w/x", "%2E%2fenc": "enc", "t/u/%2e%2E/v": "t/v",
		"\u0080": "\u0080", "\uffff": "\uffff",
	}
	var listed []string
	for sent, stored := range names {
		s.want(201, "", "PUT", "/box/"+sent, []byte(sent), "x-ms-blob-type", "BlockBlob")
		if got := s.want(200, "", "GET", "/box/"+stored, nil); string(got.body) != sent {
			t.Errorf("%s holds %q", stored, got.body)
		}
		if got := s.want(200, "", "GET", "/box/"+sent, nil); string(got.body) != sent {
			t.Errorf("%s reads %q", sent, got.body)
		}
		listed = append(listed, stored)
	}
	s.want(202, "", "PUT", "/box/copy/./of.", nil, "x-ms-copy-source", here+"/box/a/nowhere/../b")
	s.want(200, "", "HEAD", "/box/copy/of", nil)
	s.want(201, "", "PUT", "/box/s/../staged?comp=block&blockid=AAAA", []byte("b"))
	s.want(201, "", "PUT", "/box/./staged?comp=blocklist", []byte("<BlockList><Latest>AAAA</Latest></BlockList>"))
	s.want(400, "InvalidHeaderValue", "PUT", "/box/two", nil, "x-ms-copy-source", here+"/box/../../b")
	s.want(400, "InvalidHeaderValue", "PUT", "/box/two", nil, "x-ms-copy-source", here+"/box/%7f")
	tier := s.inBatch("PUT", "/box/a/./b?comp=tier", "x-ms-access-tier", "Cool")
	leaves := s.inBatch("PUT", "/box/../../b?comp=tier", "x-ms-access-tier", "Cool")
	refused := s.inBatch("PUT", "/box/%7f?comp=tier", "x-ms-access-tier", "Cool")
	if got := s.batch("/?comp=batch", tier, leaves, refused); fmt.Sprint(got) != "[200 400 InvalidUri 400 InvalidResourceName]" {
		t.Errorf("%q", got)
	}
	all := s.want(200, "", "GET", "/box?restype=container&comp=list", nil)
	for _, name := range append(listed, "copy/of", "staged") {
		if !strings.Contains(string(all.body), "<Name>"+name+"</Name>") && name != "\uffff" {
			t.Errorf("%q is not listed in %s", name, all.body)
		}
	}
	for _, prefix := range []string{"./", "a/./", "folder/file."} { // what the service stores has no such prefix
		got := s.want(200, "", "GET", "/box?restype=container&comp=list&prefix="+prefix, nil)
		if strings.Contains(string(got.body), "<Name>") {
			t.Errorf("prefix %s lists %s", prefix, got.body)
		}
	}
}

// TestSignaturesOfNamesWithDots: a signature for a blob is good for the name as it was sent and as
// it is stored, and never leads out of what it was made for.
func TestSignaturesOfNamesWithDots(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	for _, name := range []string{"dir/in", "secret", "file"} {
		s.want(201, "", "PUT", "/box/"+name, []byte("x"), "x-ms-blob-type", "BlockBlob")
	}
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(resource, name string) string {
		in := auth.SAS{Version: "2020-12-06", Permissions: "r", Expiry: "2026-03-03T09:00:00Z", Resource: resource}
		return auth.SignServiceSAS(in, account, "box", name, k)
	}
	for _, tt := range []struct {
		path, query string
		status      int
	}{
		{"/box/file.", signed("b", "file."), 200},
		{"/box/file.", signed("b", "file"), 200},
		{"/box/./file", signed("b", "./file"), 200},
		{"/box/file", signed("b", "file."), 403},
		{"/box/dir/../secret", signed("b", "dir/../secret"), 200},
		{"/box/dir/./in", signed("d", "dir"), 200},
		{"/box/dir/../secret", signed("d", "dir"), 403},
		{"/box/x/../dir/in", signed("d", "dir"), 200},
		{"/box/secret", signed("b", "dir/../secret"), 403},
	} {
		if got := s.do("GET", tt.path+"?"+tt.query, nil); got.status != tt.status {
			t.Errorf("%s?%s: %d %s", tt.path, tt.query, got.status, got.body)
		}
	}
}

// TestCheckNamesBlobsThatCanNotBeNamed: a folder of an earlier version may have such blobs.
func TestCheckNamesBlobsThatCanNotBeNamed(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	bodies := segments.New(nil)
	s := newStoreOn(t, c, db, bodies)
	s.broken = true
	s.want(201, "", "PUT", "/box?restype=container", nil)
	var gen uint64
	err := db.View(context.Background(), func(r kv.Reader) error {
		box, err := meta.Container(r, account, "box")
		gen = box.Generation
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/../b", "fine.txt", "end."} {
		if err := db.Update(context.Background(), []kv.Key{meta.BlobKey(gen, name)}, func(tx kv.Tx) error {
			return meta.PutBlob(tx, gen, name, &blob.Blob{Type: blob.BlockBlob})
		}); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	checker := meta.Checker{DB: db, Segments: bodies, Report: func(f meta.Finding) {
		if f.Garbage || !f.Unreachable {
			t.Errorf("%+v", f)
		}
		told = append(told, f.Text)
	}}
	sum, err := checker.Run(context.Background())
	if err != nil || sum.Unreachable != 2 || sum.Damage+sum.Garbage != 0 || len(told) != 2 ||
		!strings.Contains(told[0], "acct/box/a/../b") || !strings.Contains(told[1], "acct/box/end.") {
		t.Errorf("%+v, %q, %v", sum, told, err)
	}
}
