package service_test

import (
	"bytes"
	"strings"
	"testing"
)

// TestEmptyChoosingHeaders sends the headers that choose between operations without a value:
// nobody can tell what their sender wanted, so that nothing is done.
func TestEmptyChoosingHeaders(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("kept"), "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")
	source := s.source("/box/b", "r")
	for _, c := range []struct {
		target, empty string
		headers       []string
	}{
		{"/box/b", "x-ms-copy-source", []string{"x-ms-blob-type", "BlockBlob"}},
		{"/box/log", "x-ms-copy-source", []string{"x-ms-blob-type", "AppendBlob"}},
		{"/box/disk", "x-ms-copy-source", []string{"x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512"}},
		{"/box/b?comp=block&blockid=" + base64ID("a"), "x-ms-copy-source", nil},
		{"/box/log?comp=appendblock", "x-ms-copy-source", nil},
		{"/box/disk?comp=page", "x-ms-copy-source", []string{"x-ms-page-write", "clear", "x-ms-range", "bytes=0-511"}},
		{"/box/disk?comp=page", "x-ms-page-write", []string{"x-ms-range", "bytes=0-511"}},
		{"/box/b", "x-ms-blob-type", []string{"x-ms-copy-source", source}},
		{"/box/b", "x-ms-requires-sync", []string{"x-ms-copy-source", source}},
		{"/box/b?comp=lease", "x-ms-lease-action", nil},
		{"/box?restype=container&comp=lease", "x-ms-lease-action", nil},
		{"/box/b?comp=copy&copyid=" + idA, "x-ms-copy-action", nil},
	} {
		before := s.want(200, "", "GET", "/box?restype=container&comp=list&include=uncommittedblobs,copy", nil).body
		a := s.do("PUT", c.target, nil, append(c.headers, c.empty, "")...)
		if a.status != 400 || a.code() != "InvalidHeaderValue" || !bytes.Contains(a.body, []byte("<HeaderName>"+c.empty+"</HeaderName>")) {
			t.Errorf("%s with an empty %s: %d %s\n%s", c.target, c.empty, a.status, a.code(), a.body)
		}
		if after := s.want(200, "", "GET", "/box?restype=container&comp=list&include=uncommittedblobs,copy", nil).body; !bytes.Equal(before, after) {
			t.Errorf("%s with an empty %s changed\n%s\nto\n%s", c.target, c.empty, before, after)
		}
	}
	if got := s.want(200, "", "GET", "/box/b", nil); string(got.body) != "kept" {
		t.Errorf("the blob holds %q", got.body)
	}
}

// TestEmptyVersionIsNoVersion deletes with an empty versionid or deletetype, which is as if there
// were none: the rights to delete versions, and for good, do not reach the blob itself.
func TestEmptyVersionIsNoVersion(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("kept"), "x-ms-blob-type", "BlockBlob")
	for _, empty := range []string{"versionid=", "versionid", "deletetype="} {
		s.want(403, "AuthorizationPermissionMismatch", "DELETE", "/box/b?"+empty+"&"+s.sas("box", "xy"), nil)
	}
	s.want(200, "", "HEAD", "/box/b", nil)
	s.want(202, "", "DELETE", "/box/b?versionid=&deletetype=&"+s.sas("box", "d"), nil)
}

// TestContainerNames sends every operation to containers whose names cannot exist. Only Get
// Account Information passes over names.
func TestContainerNames(t *testing.T) {
	codes := map[string]string{
		"Box": "InvalidResourceName", "a--b": "InvalidResourceName", "a_b": "InvalidResourceName", "-ab": "InvalidResourceName",
		"$root2": "InvalidResourceName", "ab": "OutOfRangeInput", strings.Repeat("a", 64): "OutOfRangeInput",
	}
	for _, sample := range samples() {
		t.Run(sample.name, func(t *testing.T) {
			f := &fieldTrial{sample: sample, t: t, store: sample.store(t)}
			f.remake()
			for name, code := range codes {
				a := f.ask
				first := strings.IndexAny(a.target[1:], "/?") + 1
				if !strings.HasPrefix(a.target, f.place.box) || a.method == "OPTIONS" {
					return // an operation on the service, or on behalf of another
				}
				a.target = "/" + name + a.target[first:]
				if f.op.On.AnyLevel {
					if got := f.place.send(a); got.status != 200 {
						t.Errorf("%s: %d %s", name, got.status, got.code())
					}
					continue
				}
				f.refuses(name, a, coded(code))
				if a.method == "GET" {
					a.method = "HEAD"
					if got := f.place.send(a); got.code() != code && got.code() != "UnsupportedHttpVerb" && got.code() != "InvalidQueryParameterValue" {
						t.Errorf("HEAD %s: %d %s", name, got.status, got.code())
					}
				}
			}
		})
	}
	s := newStore(t)
	s.want(404, "ContainerNotFound", "HEAD", "/$blobchangefeed?restype=container", nil)
	s.want(404, "ContainerNotFound", "HEAD", "/$MetricsHourPrimaryTransactionsBlob/a", nil)
	s.want(400, "InvalidResourceName", "PUT", "/$blobchangefeed?restype=container", nil)
}
