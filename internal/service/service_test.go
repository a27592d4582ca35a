package service_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

const (
	idA = "11111111-1111-1111-1111-111111111111"
	idB = "22222222-2222-2222-2222-222222222222"
)

func TestLeaseOfABlob(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(409, "ContainerAlreadyExists", "PUT", "/box?restype=container", nil)
	put := s.want(201, "", "PUT", "/box/a", []byte("hello"), "x-ms-blob-type", "BlockBlob", "x-ms-meta-k", "v")

	lease := func(status int, code, action string, more ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/a?comp=lease", nil, append([]string{"x-ms-lease-action", action}, more...)...)
	}
	lease(400, "MissingRequiredHeader", "acquire")
	lease(400, "InvalidHeaderValue", "acquire", "x-ms-lease-duration", "14")
	a := lease(201, "", "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idA)
	if a.get("x-ms-lease-id") != idA || a.get("ETag") != put.get("ETag") {
		t.Errorf("acquire answered %v", a.header)
	}
	lease(409, "LeaseAlreadyPresent", "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", idB)
	s.want(412, "LeaseIdMissing", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob")
	s.want(412, "LeaseIdMismatchWithBlobOperation", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-lease-id", idB)
	s.want(400, "InvalidHeaderValue", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-lease-id", "word")
	s.want(201, "", "PUT", "/box/a", []byte("y"), "x-ms-blob-type", "BlockBlob", "x-ms-lease-id", idA, "If-None-Match", "*")
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-lease-state") != "leased" || head.get("x-ms-lease-duration") != "fixed" || head.get("Content-Length") != "1" {
		t.Errorf("properties %v", head.header)
	}
	s.step(16 * time.Second)
	lease(200, "", "renew", "x-ms-lease-id", idA)
	lease(200, "", "release", "x-ms-lease-id", idA)
	lease(409, "LeaseNotPresentWithLeaseOperation", "break")
	lease(201, "", "acquire", "x-ms-lease-duration", "-1")
	if b := lease(202, "", "break"); b.get("x-ms-lease-time") != "0" {
		t.Errorf("break answered %v", b.header)
	}
	s.want(202, "", "DELETE", "/box/a", nil)
	s.want(404, "BlobNotFound", "HEAD", "/box/a", nil)
}

func TestBlocks(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	big := bytes.Repeat([]byte("0123456789abcdef"), 4<<10) // 64 KiB, a segment
	s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID("b1"), big)
	s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID("b2"), []byte("tail"))
	s.want(400, "InvalidBlobOrBlock", "PUT", "/box/a?comp=block&blockid="+base64ID("long"), []byte("x"))
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)
	list := "<BlockList><Latest>" + base64ID("b1") + "</Latest><Uncommitted>" + base64ID("b2") + "</Uncommitted></BlockList>"
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte(list))
	got := s.want(200, "", "GET", "/box/a", nil)
	if !bytes.Equal(got.body, append(big, "tail"...)) {
		t.Errorf("read %d bytes", len(got.body))
	}
	got = s.want(206, "", "GET", "/box/a", nil, "x-ms-range", "bytes=65534-65537")
	if string(got.body) != "efta" || got.get("Content-Range") != "bytes 65534-65537/65540" {
		t.Errorf("range %q %s", got.body, got.get("Content-Range"))
	}
	s.want(416, "InvalidRange", "GET", "/box/a", nil, "x-ms-range", "bytes=65540-")
	s.want(400, "InvalidBlockList", "PUT", "/box/a?comp=blocklist",
		[]byte("<BlockList><Uncommitted>"+base64ID("b2")+"</Uncommitted></BlockList>"))
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList><Committed>"+base64ID("b2")+"</Committed></BlockList>"))
	if got = s.want(200, "", "GET", "/box/a", nil); string(got.body) != "tail" {
		t.Errorf("recommitted %q", got.body)
	}
	type blocks struct {
		Committed []string `xml:"CommittedBlocks>Block>Name"`
	}
	if l := unmarshal[blocks](t, s.want(200, "", "GET", "/box/a?comp=blocklist", nil)); len(l.Committed) != 1 {
		t.Errorf("blocks %+v", l)
	}
}

// TestStagedBlocksGo stages a block beside a blob or in place of one, changes what is not content,
// and then the content in every way: the block and its reminder are gone.
func TestStagedBlocksGo(t *testing.T) {
	s := newStore(t)
	s.box()
	s.put("other", 1)
	for name, end := range map[string]func(path string){
		"put":    func(path string) { s.want(201, "", "PUT", path, []byte("x"), "x-ms-blob-type", "BlockBlob") },
		"copy":   func(path string) { s.copy(202, "", path, here+"/box/other") },
		"commit": func(path string) { s.want(201, "", "PUT", path+"?comp=blocklist", []byte("<BlockList/>")) },
		"delete": func(path string) {
			s.want(202, "", "DELETE", path, nil, "x-ms-delete-snapshots", "include")
			s.want(201, "", "PUT", path, nil, "x-ms-blob-type", "AppendBlob")
		},
	} {
		for _, committed := range []bool{true, false} {
			t.Run(fmt.Sprint(name, committed), func(t *testing.T) {
				path := fmt.Sprintf("/box/%s-%v", name, committed)
				if committed {
					s.put(path[len("/box/"):], 1)
				}
				s.want(201, "", "PUT", path+"?comp=block&blockid="+base64ID("b"), []byte("bbb"))
				s.want(201, "", "PUT", path+"?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15")
				s.step(time.Minute)
				if committed {
					s.want(200, "", "PUT", path+"?comp=metadata", nil, "x-ms-meta-a", "b")
					s.want(201, "", "PUT", path+"?comp=snapshot", nil)
				}
				end(path)
				if name != "delete" {
					got := s.want(200, "", "GET", path+"?comp=blocklist&blocklisttype=uncommitted", nil)
					if bytes.Contains(got.body, []byte("<Name>")) {
						t.Errorf("blocks are left: %s", got.body)
					}
				}
				if left := s.keys("w"); len(left) != 0 {
					t.Errorf("reminders are left: %q", left)
				}
			})
		}
	}
}

func TestListBlobs(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	for _, name := range []string{"a", "b/1", "b/2", "b0", "c/1"} {
		s.want(201, "", "PUT", "/box/"+name, nil, "x-ms-blob-type", "BlockBlob")
	}
	type page struct {
		Blobs    []string `xml:"Blobs>Blob>Name"`
		Prefixes []string `xml:"Blobs>BlobPrefix>Name"`
		Next     string   `xml:"NextMarker"`
	}
	marker, blobs, prefixes := "", []string(nil), []string(nil)
	for range 10 {
		p := unmarshal[page](t, s.want(200, "", "GET", "/box?restype=container&comp=list&delimiter=/&maxresults=1&marker="+marker, nil))
		blobs, prefixes = append(blobs, p.Blobs...), append(prefixes, p.Prefixes...)
		if marker = p.Next; marker == "" {
			break
		}
	}
	if got := blobs; len(got) != 2 || got[0] != "a" || got[1] != "b0" {
		t.Errorf("blobs %q", got)
	}
	if got := prefixes; len(got) != 2 || got[0] != "b/" || got[1] != "c/" {
		t.Errorf("prefixes %q", got)
	}
	from := unmarshal[page](t, s.want(200, "", "GET", "/box?restype=container&comp=list&startFrom=b/2", nil))
	if got := from.Blobs; len(got) != 3 || got[0] != "b/2" {
		t.Errorf("from b/2 on: %q", got)
	}
}

func TestContainerIsDeletedOnceOrTwice(t *testing.T) {
	s := newStore(t)
	s.want(404, "ContainerNotFound", "DELETE", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	s.want(404, "ContainerNotFound", "GET", "/box?restype=container", nil)
	s.step(31 * time.Second)
	s.want(404, "ContainerNotFound", "DELETE", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box?restype=container", nil)
}
