package service_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"testing"
)

func TestPutBlobFromURL(t *testing.T) {
	s := newCopies(t)
	sum := md5.Sum(content(100 << 10))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	put := func(status int, code, to, from string, headers ...string) *answer {
		t.Helper()
		return s.copy(status, code, to, from, append([]string{"x-ms-blob-type", "BlockBlob"}, headers...)...)
	}
	for _, to := range []string{"/box/dest", "/other/dest"} {
		a := put(201, "", to, s.source("/box/long", "r"), "x-ms-source-content-md5", hash)
		if a.get("Content-MD5") != hash || a.get("x-ms-copy-id") != "" {
			t.Errorf("answered %v", a.header)
		}
		s.sameBytes("/box/long", to)
	}
	put(201, "", "/box/dest", s.source("/box/short", "r"))
	got := s.want(200, "", "HEAD", "/box/dest", nil)
	if got.get("Content-Type") != "text/plain" || got.get("x-ms-meta-k") != "" || got.get("x-ms-tag-count") != "" || got.get("x-ms-copy-id") != "" {
		t.Errorf("the blob has %v", got.header)
	}
	put(201, "", "/box/dest", s.source("/box/short", "rt"), "x-ms-copy-source-tag-option", "COPY", "x-ms-copy-source-blob-properties", "false", "x-ms-meta-m", "1")
	got = s.want(200, "", "HEAD", "/box/dest", nil)
	if got.get("Content-Type") != "application/octet-stream" || got.get("x-ms-meta-m") != "1" || got.get("x-ms-tag-count") != "1" {
		t.Errorf("the blob has %v", got.header)
	}
	put(201, "", "/box/dest", s.source("/box/short", "r"), "x-ms-blob-content-type", "text/html", "x-ms-tags", "x=1&y=2")
	got = s.want(200, "", "HEAD", "/box/dest", nil)
	if got.get("Content-Type") != "text/html" || got.get("x-ms-tag-count") != "2" {
		t.Errorf("the blob has %v", got.header)
	}
	etag := s.want(200, "", "HEAD", "/box/short", nil).get("ETag")
	put(409, "CannotVerifyCopySource", "/box/dest", here+"/box/short")
	put(403, "CannotVerifyCopySource", "/box/dest", here+"/box/short", "x-ms-copy-source-authorization", "Bearer word")
	put(404, "CannotVerifyCopySource", "/box/dest", s.source("/box/none", "r"))
	put(412, "SourceConditionNotMet", "/box/dest", s.source("/box/short", "r"), "x-ms-source-if-match", "a")
	a := put(304, "CannotVerifyCopySource", "/box/dest", s.source("/box/short", "r"), "x-ms-source-if-none-match", etag)
	if a.get("x-ms-copy-source-status-code") != "304" || a.get("x-ms-copy-source-error-code") != "ConditionNotMet" || len(a.body) > 0 {
		t.Errorf("answered %v %s", a.header, a.body)
	}
	put(400, "Md5Mismatch", "/box/dest", s.source("/box/short", "r"), "x-ms-source-content-md5", hash)
	put(400, "BothUserTagsAndSourceTagsCopyPresentException", "/box/dest", s.source("/box/short", "rt"), "x-ms-copy-source-tag-option", "COPY", "x-ms-tags", "a=b")
	put(409, "BlobAlreadyExists", "/box/dest", s.source("/box/short", "r"), "If-None-Match", "*")
	s.want(400, "InvalidHeaderValue", "PUT", "/box/dest", []byte("body"), "x-ms-blob-type", "BlockBlob", "x-ms-copy-source", s.source("/box/short", "r"))
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	put(409, "InvalidBlobType", "/box/log", s.source("/box/short", "r"))
	put(201, "", "/box/dest", s.source("/box/log", "r"))
	if got := s.want(200, "", "HEAD", "/box/dest", nil); got.get("Content-Length") != "0" || got.get("x-ms-blob-type") != "BlockBlob" {
		t.Errorf("the blob has %v", got.header)
	}
}

func TestPutBlockFromURL(t *testing.T) {
	s := newCopies(t)
	long := content(100 << 10)
	part := md5.Sum(long[1000:50000])
	hash := base64.StdEncoding.EncodeToString(part[:])
	from := s.source("/box/long", "r")
	block := func(status int, code, id, from string, headers ...string) *answer {
		t.Helper()
		return s.copy(status, code, "/other/dest?comp=block&blockid="+base64ID(id), from, headers...)
	}
	if a := block(201, "", "1", from, "x-ms-source-range", "bytes=1000-49999", "x-ms-source-content-md5", hash); a.get("Content-MD5") != hash {
		t.Errorf("answered %v", a.header)
	}
	if a := block(201, "", "2", from, "x-ms-source-range", "bytes=102398-"); a.get("x-ms-content-crc64") == "" {
		t.Errorf("answered %v", a.header)
	}
	block(201, "", "3", s.source("/box/short", "r"))
	etag := s.want(200, "", "HEAD", "/box/long", nil).get("ETag")
	for _, c := range []struct {
		status  int
		code    string
		headers []string
	}{
		{416, "InvalidRange", []string{"x-ms-source-range", "bytes=102400-"}},
		{400, "InvalidHeaderValue", []string{"x-ms-source-range", "bytes=9-1"}},
		{400, "InvalidHeaderValue", []string{"x-ms-source-range", "all"}},
		{400, "Md5Mismatch", []string{"x-ms-source-content-md5", hash}},
		{400, "Crc64Mismatch", []string{"x-ms-source-content-crc64", "AAAAAAAAAAA="}},
		{400, "InvalidMd5", []string{"x-ms-source-content-md5", "AAAA"}},
		{400, "BothCrc64AndMd5HeaderPresent", []string{"x-ms-source-content-md5", hash, "x-ms-source-content-crc64", "AAAAAAAAAAA="}},
		{412, "CannotVerifyCopySource", []string{"x-ms-source-if-match", `"0x1"`}},
		{304, "CannotVerifyCopySource", []string{"x-ms-source-if-none-match", etag}},
		{412, "LeaseNotPresentWithBlobOperation", []string{"x-ms-lease-id", idA}},
		{413, "", []string{"x-ms-version", "2015-02-21", "x-ms-source-range", "bytes=0-"}},
	} {
		if c.status == 413 {
			s.want(201, "", "PUT", "/box/long", make([]byte, 5<<20), "x-ms-blob-type", "BlockBlob")
		}
		block(c.status, c.code, "4", from, c.headers...)
	}
	block(400, "InvalidBlobOrBlock", "12", from)
	block(409, "CannotVerifyCopySource", "4", here+"/box/long")
	block(404, "CannotVerifyCopySource", "4", s.source("/box/none", "r"))
	s.want(201, "", "PUT", "/box/long", nil, "x-ms-blob-type", "BlockBlob")
	block(400, "InvalidHeaderValue", "4", from)
	s.want(400, "InvalidQueryParameterValue", "PUT", "/other/dest?comp=block&blockid=!", nil, "x-ms-copy-source", from)
	list := "<BlockList><Latest>" + base64ID("1") + "</Latest><Latest>" + base64ID("2") + "</Latest><Latest>" + base64ID("3") + "</Latest></BlockList>"
	s.want(201, "", "PUT", "/other/dest?comp=blocklist", []byte(list))
	if got := s.want(200, "", "GET", "/other/dest", nil); !bytes.Equal(got.body, append(append(long[1000:50000:50000], long[102398:]...), "hello"...)) {
		t.Errorf("the blob has %d bytes", len(got.body))
	}
}

func TestAppendBlockFromURL(t *testing.T) {
	s := newCopies(t)
	s.want(201, "", "PUT", "/other/log", nil, "x-ms-blob-type", "AppendBlob")
	long, short := s.source("/box/long", "r"), s.source("/box/short", "r")
	to := "/other/log?comp=appendblock"
	if a := s.copy(201, "", to, short); a.get("x-ms-blob-append-offset") != "0" || a.get("x-ms-blob-committed-block-count") != "1" || a.get("x-ms-content-crc64") == "" {
		t.Errorf("answered %v", a.header)
	}
	if a := s.copy(201, "", to, long, "x-ms-source-range", "bytes=7-50006", "x-ms-blob-condition-appendpos", "5"); a.get("x-ms-blob-append-offset") != "5" {
		t.Errorf("answered %v", a.header)
	}
	s.copy(412, "AppendPositionConditionNotMet", to, short, "x-ms-blob-condition-appendpos", "5")
	s.copy(412, "MaxBlobSizeConditionNotMet", to, short, "x-ms-blob-condition-maxsize", "50007")
	s.copy(400, "InvalidHeaderValue", to, short, "x-ms-blob-condition-appendpos", "-1")
	s.copy(412, "ConditionNotMet", to, short, "If-Match", `"0x1"`)
	s.copy(400, "Md5Mismatch", to, short, "x-ms-source-content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")
	s.copy(403, "CannotVerifyCopySource", to, here+"/box/short", "x-ms-copy-source-authorization", "Bearer faketoken")
	s.copy(404, "BlobNotFound", "/other/none?comp=appendblock", short)
	s.copy(409, "InvalidBlobType", "/box/short?comp=appendblock", short)
	s.copy(413, "RequestBodyTooLarge", to, s.fiveMiB(), "x-ms-version", "2021-12-02")
	if got := s.want(200, "", "GET", "/other/log", nil); !bytes.Equal(got.body, append([]byte("hello"), content(100 << 10)[7:50007]...)) {
		t.Errorf("the blob has %d bytes", len(got.body))
	}
	s.want(200, "", "PUT", "/other/log?comp=seal", nil)
	s.copy(409, "BlobIsSealed", to, short)
}

// fiveMiB returns the URL of a blob that is too long for old versions.
func (s *store) fiveMiB() string {
	s.want(201, "", "PUT", "/box/five", make([]byte, 5<<20), "x-ms-blob-type", "BlockBlob")
	return s.source("/box/five", "r")
}
