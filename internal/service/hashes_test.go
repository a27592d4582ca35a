package service_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/minio/crc64nvme"
)

func crcOf(data string) string {
	return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, crc64nvme.Checksum([]byte(data))))
}

func md5Of(data string) string {
	sum := md5.Sum([]byte(data))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// TestBlobMD5GuardsPutBlob uploads with x-ms-blob-content-md5, which is verified like Content-MD5
// and decides in its place where both are sent (docs/reference/conditions-and-errors.md 4.1).
func TestBlobMD5GuardsPutBlob(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	right, wrong := md5Of("hello"), md5Of("other")
	put := func(status int, code string, headers ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/b", []byte("hello"), append(headers, "x-ms-blob-type", "BlockBlob")...)
	}
	refused := put(400, "Md5Mismatch", "x-ms-blob-content-md5", wrong)
	e := unmarshal[struct{ UserSpecifiedMd5, ServerCalculatedMd5 string }](t, refused)
	if e.UserSpecifiedMd5 != wrong || e.ServerCalculatedMd5 != right {
		t.Errorf("the refusal says %+v", *e)
	}
	put(400, "Md5Mismatch", "x-ms-blob-content-md5", wrong, "Content-MD5", right)
	s.want(404, "BlobNotFound", "HEAD", "/box/b", nil)
	put(201, "", "x-ms-blob-content-md5", right, "Content-MD5", wrong)
	if got := s.want(200, "", "HEAD", "/box/b", nil).get("Content-MD5"); got != right {
		t.Errorf("stored %q, want %q", got, right)
	}
	put(201, "", "x-ms-blob-content-md5", "")
	put(400, "InvalidMd5", "x-ms-blob-content-md5", "AAAA")

	// What makes no blob of a body stores the value as it comes.
	for _, any := range []string{wrong, "AAAA", base64ID("more than the sixteen bytes that an MD5 has")} {
		s.want(200, "", "PUT", "/box/b?comp=properties", nil, "x-ms-blob-content-md5", any)
		if got := s.want(200, "", "GET", "/box/b", nil).get("Content-MD5"); got != any {
			t.Errorf("Set Blob Properties stored %q, want %q", got, any)
		}
	}
}

// TestAnsweredHashes looks at the hashes in the answers to what stores a body
// (docs/reference/conditions-and-errors.md 4.1).
func TestAnsweredHashes(t *testing.T) {
	s := newCopies(t)
	page, source := strings.Repeat("p", 512), s.source("/box/short", "r")
	s.want(201, "", "PUT", "/box/page", []byte(page), "x-ms-blob-type", "BlockBlob")
	pages := s.source("/box/page", "r")
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")
	s.want(201, "", "PUT", "/box/blocks?comp=block&blockid="+base64ID("a"), []byte("hello"))
	list := "<BlockList><Latest>" + base64ID("a") + "</Latest></BlockList>"
	const none, md5, crc, both = "", "md5", "crc", "both"
	for _, c := range []struct {
		name, target, body, hashed string
		headers                    []string
		at                         [4]string // 2018-11-09, 2026-04-06; with an MD5 also 2026-04-06 and 2026-10-06
		guard                      string
	}{
		{"Put Blob", "/box/b", "hello", "hello", []string{"x-ms-blob-type", "BlockBlob"}, [4]string{md5, both, both, both}, "Content-MD5"},
		{"Put Block", "/box/b?comp=block&blockid=" + base64ID("a"), "hello", "hello", nil, [4]string{md5, crc, md5, both}, "Content-MD5"},
		{"Put Block List", "/box/blocks?comp=blocklist", list, list, nil, [4]string{md5, crc, md5, both}, "Content-MD5"},
		{"Append Block", "/box/log?comp=appendblock", "hello", "hello", nil, [4]string{md5, crc, md5, both}, "Content-MD5"},
		{"Put Page", "/box/disk?comp=page", page, page, []string{"x-ms-page-write", "update", "x-ms-range", "bytes=0-511"}, [4]string{md5, crc, md5, both}, "Content-MD5"},
		{"Put Blob From URL", "/box/b", "", "hello", []string{"x-ms-blob-type", "BlockBlob", "x-ms-copy-source", source}, [4]string{md5, crc, both, both}, "x-ms-source-content-md5"},
		{"Put Block From URL", "/box/b?comp=block&blockid=" + base64ID("a"), "", "hello", []string{"x-ms-copy-source", source}, [4]string{md5, crc, md5, both}, "x-ms-source-content-md5"},
		{"Append Block From URL", "/box/log?comp=appendblock", "", "hello", []string{"x-ms-copy-source", source}, [4]string{md5, crc, md5, both}, "x-ms-source-content-md5"},
		{"Put Page From URL", "/box/disk?comp=page", "", page, []string{"x-ms-page-write", "update", "x-ms-range", "bytes=0-511", "x-ms-source-range", "bytes=0-511", "x-ms-copy-source", pages}, [4]string{md5, crc, md5, both}, "x-ms-source-content-md5"},
	} {
		for i, version := range []string{"2018-11-09", "2026-04-06", "2026-04-06", "2026-10-06"} {
			headers := append([]string{"x-ms-version", version}, c.headers...)
			if i >= 2 {
				headers = append(headers, c.guard, md5Of(c.hashed))
			}
			a := s.want(201, "", "PUT", c.target, []byte(c.body), headers...)
			gotMD5, gotCRC := a.get("Content-MD5"), a.get("x-ms-content-crc64")
			want := c.at[i]
			if wantMD5 := want == md5 || want == both; wantMD5 != (gotMD5 == md5Of(c.hashed)) || !wantMD5 && gotMD5 != none {
				t.Errorf("%s, %d: Content-MD5 %q, want %s", c.name, i, gotMD5, want)
			}
			if wantCRC := want == crc || want == both; wantCRC != (gotCRC == crcOf(c.hashed)) || !wantCRC && gotCRC != none {
				t.Errorf("%s, %d: x-ms-content-crc64 %q, want %s", c.name, i, gotCRC, want)
			}
		}
	}
}

// TestWrongHashBeforeExistence uploads damaged bodies over a blob that must not be there: whatever
// the length, the client learns of the damage.
func TestWrongHashBeforeExistence(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b", []byte("kept"), "x-ms-blob-type", "BlockBlob")
	for _, n := range []int{5, 300 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), n)
		only := []string{"x-ms-blob-type", "BlockBlob", "If-None-Match", "*"}
		s.want(400, "Md5Mismatch", "PUT", "/box/b", body, append(only, "Content-MD5", md5Of("other"))...)
		s.want(400, "Md5Mismatch", "PUT", "/box/b", body, append(only, "x-ms-blob-content-md5", md5Of("other"))...)
		s.want(400, "Crc64Mismatch", "PUT", "/box/b", body, append(only, "x-ms-content-crc64", crcOf("other"))...)
		s.want(409, "BlobAlreadyExists", "PUT", "/box/b", body, append(only, "Content-MD5", md5Of(string(body)))...)
		s.want(409, "BlobAlreadyExists", "PUT", "/box/b", body, only...)
	}
	if got := s.want(200, "", "GET", "/box/b", nil); string(got.body) != "kept" {
		t.Errorf("the blob holds %q", got.body)
	}
}

// TestBlockIDsInLists commits lists with IDs that no block can have.
func TestBlockIDsInLists(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/b?comp=block&blockid="+base64ID("a"), []byte("hello"))
	for _, id := range []string{"AA", "A", "", " ", "&#233;", "not base64", base64ID(strings.Repeat("a", 65))} {
		for _, element := range []string{"Latest", "Committed", "Uncommitted"} {
			s.want(400, "InvalidBlockId", "PUT", "/box/b?comp=blocklist", []byte("<BlockList><"+element+">"+id+"</"+element+"></BlockList>"))
		}
	}
	s.want(400, "InvalidBlockList", "PUT", "/box/b?comp=blocklist", []byte("<BlockList><Latest>"+base64ID("b")+"</Latest></BlockList>"))
	s.want(201, "", "PUT", "/box/b?comp=blocklist", []byte("<BlockList><Latest> "+base64ID("a")+"\n</Latest></BlockList>"))
}
