package service_test

import (
	"crypto/md5"
	"encoding/base64"
	"testing"
)

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
