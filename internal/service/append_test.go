package service_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"testing"
)

func TestAppendBlob(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	appendTo := func(status int, code string, body []byte, headers ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/log?comp=appendblock", body, headers...)
	}
	appendTo(404, "BlobNotFound", []byte("x"))
	s.want(400, "InvalidHeaderValue", "PUT", "/box/log", []byte("x"), "x-ms-blob-type", "AppendBlob")
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob", "x-ms-blob-content-type", "text/plain")
	appendTo(400, "InvalidHeaderValue", nil)
	appendTo(400, "InvalidHeaderValue", []byte("x"), "x-ms-blob-condition-appendpos", "-1")
	if a := appendTo(201, "", []byte("one,")); a.get("x-ms-blob-append-offset") != "0" || a.get("x-ms-blob-committed-block-count") != "1" {
		t.Errorf("first append answered %v", a.header)
	}
	appendTo(412, "AppendPositionConditionNotMet", []byte("two,"), "x-ms-blob-condition-appendpos", "0")
	appendTo(412, "MaxBlobSizeConditionNotMet", []byte("two,"), "x-ms-blob-condition-maxsize", "7")
	appendTo(400, "Md5Mismatch", []byte("two,"), "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
	big := bytes.Repeat([]byte("z"), 40<<10)
	if a := appendTo(201, "", big, "x-ms-blob-condition-appendpos", "4"); a.get("x-ms-blob-append-offset") != "4" {
		t.Errorf("second append answered %v", a.header)
	}
	appendTo(201, "", []byte("end"))
	got := s.want(200, "", "GET", "/box/log", nil)
	if want := "one," + string(big) + "end"; string(got.body) != want {
		t.Errorf("read %d bytes, want %d", len(got.body), len(want))
	}
	if got := s.want(206, "", "GET", "/box/log", nil, "Range", "bytes=2-5"); string(got.body) != "e,zz" {
		t.Errorf("range %q", got.body)
	}
	if h := s.want(200, "", "HEAD", "/box/log", nil); h.get("x-ms-blob-committed-block-count") != "3" || h.get("Content-Type") != "text/plain" {
		t.Errorf("properties %v", h.header)
	}
	s.want(200, "", "PUT", "/box/log?comp=seal", nil)
	s.want(200, "", "PUT", "/box/log?comp=seal", nil)
	appendTo(409, "BlobIsSealed", []byte("x"))
	s.want(409, "InvalidBlobType", "PUT", "/box/log", []byte("x"), "x-ms-blob-type", "BlockBlob")
	s.want(409, "InvalidBlobType", "PUT", "/box/log?comp=block&blockid="+base64ID("a"), []byte("x"))
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	if got := s.want(200, "", "GET", "/box/log", nil); len(got.body) != 0 {
		t.Errorf("a new append blob has %d bytes", len(got.body))
	}
}

// TestHashesOfTheAnswer holds which hashes an answer has to the version of the request.
func TestHashesOfTheAnswer(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	body := []byte("block")
	sum := md5.Sum(body)
	guard := base64.StdEncoding.EncodeToString(sum[:])
	target := "/box/a?comp=block&blockid=" + base64ID("b1")
	for _, tc := range []struct {
		version  string
		guarded  bool
		md5, crc bool
	}{
		{"2026-10-06", true, true, true},
		{"2026-06-06", true, true, false},
		{"2026-10-06", false, false, true},
	} {
		headers := []string{"x-ms-version", tc.version}
		if tc.guarded {
			headers = append(headers, "Content-MD5", guard)
		}
		a := s.want(201, "", "PUT", target, body, headers...)
		if (a.get("Content-MD5") == guard) != tc.md5 || (a.get("x-ms-content-crc64") != "") != tc.crc {
			t.Errorf("%+v was answered with %v", tc, a.header)
		}
	}
}
