package service_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv"
)

const here = "http://127.0.0.1:10000/" + account

// source returns the URL of a blob with a signature for the given permissions.
func (s *store) source(blob, permissions string) string {
	s.t.Helper()
	k, err := auth.ParseKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	now := s.clock.Now()
	return here + blob + "?" + auth.SignAccountSAS(auth.SAS{
		Version: "2022-11-02", Services: "b", Types: "co", Permissions: permissions,
		Start: auth.FormatTime(now.Add(-time.Hour)), Expiry: auth.FormatTime(now.Add(time.Hour)),
	}, account, k)
}

// content returns n bytes that are not the same at any two offsets that matter.
func content(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i*7 + i>>8)
	}
	return out
}

// newCopies returns a store with the containers box and other, and in box the blobs
// short, long and blocks (which has blocks in the store and in a segment).
func newCopies(t testing.TB) *store {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/other?restype=container", nil)
	s.want(201, "", "PUT", "/box/short", []byte("hello"), "x-ms-blob-type", "BlockBlob",
		"x-ms-meta-k", "v", "x-ms-blob-content-type", "text/plain", "x-ms-tags", "a=1")
	s.want(201, "", "PUT", "/box/long", content(100<<10), "x-ms-blob-type", "BlockBlob")
	list := "<BlockList>"
	for i := range 12 {
		id := base64ID(fmt.Sprintf("b%02d", i))
		size := 3
		if i == 4 {
			size = 40 << 10
		}
		s.want(201, "", "PUT", "/box/blocks?comp=block&blockid="+id, bytes.Repeat([]byte{byte('a' + i)}, size))
		list += "<Latest>" + id + "</Latest>"
	}
	s.want(201, "", "PUT", "/box/blocks?comp=blocklist", []byte(list+"</BlockList>"))
	return s
}

func (s *store) copy(status int, code, to, from string, headers ...string) *answer {
	s.t.Helper()
	return s.want(status, code, "PUT", to, nil, append([]string{"x-ms-copy-source", from}, headers...)...)
}

// sameBytes fails unless two blobs have the same content.
func (s *store) sameBytes(a, b string) {
	s.t.Helper()
	one, two := s.want(200, "", "GET", a, nil), s.want(200, "", "GET", b, nil)
	if !bytes.Equal(one.body, two.body) {
		s.t.Errorf("%s has %d bytes, %s %d others", a, len(one.body), b, len(two.body))
	}
}

func TestCopyOfABlob(t *testing.T) {
	for _, name := range []string{"/short", "/long", "/blocks"} {
		for _, to := range []string{"/box/copy", "/other/copy"} {
			t.Run(strings.Trim(to+name, "/"), func(t *testing.T) {
				s := newCopies(t)
				a := s.copy(202, "", to, here+"/box"+name)
				if a.get("x-ms-copy-status") != "success" || len(a.get("x-ms-copy-id")) != 36 || a.get("ETag") == "" {
					t.Errorf("copy answered %v", a.header)
				}
				s.sameBytes("/box"+name, to)
				from, got := s.want(200, "", "HEAD", "/box"+name, nil), s.want(200, "", "HEAD", to, nil)
				for _, h := range []string{"Content-Type", "Content-MD5", "x-ms-meta-k", "Content-Length", "x-ms-blob-type"} {
					if from.get(h) != got.get(h) {
						t.Errorf("%s is %q, in the source %q", h, got.get(h), from.get(h))
					}
				}
				if got.get("x-ms-copy-source") != here+"/box"+name || got.get("x-ms-copy-id") != a.get("x-ms-copy-id") ||
					got.get("x-ms-copy-progress") != got.get("Content-Length")+"/"+got.get("Content-Length") ||
					got.get("x-ms-copy-completion-time") == "" || got.get("x-ms-tag-count") != "" {
					t.Errorf("the copy has %v", got.header)
				}
				// Neither needs the other.
				s.want(202, "", "DELETE", "/box"+name, nil)
				s.sweep()
				if kept := s.want(200, "", "GET", to, nil); kept.get("Content-Length") != got.get("Content-Length") {
					t.Errorf("%s bytes are left", kept.get("Content-Length"))
				}
				s.want(202, "", "DELETE", to, nil)
				s.sweep()
				s.want(404, "BlobNotFound", "GET", to, nil)
			})
		}
	}
}

func TestCopyKeepsTheBlockList(t *testing.T) {
	s := newCopies(t)
	s.copy(202, "", "/other/copy", here+"/box/blocks")
	from, got := s.want(200, "", "GET", "/box/blocks?comp=blocklist", nil), s.want(200, "", "GET", "/other/copy?comp=blocklist", nil)
	if !bytes.Equal(from.body, got.body) {
		t.Errorf("the copy has %s", got.body)
	}
	s.want(201, "", "PUT", "/other/copy?comp=blocklist", []byte("<BlockList><Committed>"+base64ID("b11")+"</Committed><Committed>"+base64ID("b02")+"</Committed></BlockList>"))
	s.want(202, "", "DELETE", "/box/blocks", nil)
	s.sweep()
	if got := s.want(200, "", "GET", "/other/copy", nil); string(got.body) != "lllccc" {
		t.Errorf("recommitted %q", got.body)
	}
}

func TestCopyOverABlob(t *testing.T) {
	s := newCopies(t)
	s.want(201, "", "PUT", "/box/dest", []byte("old"), "x-ms-blob-type", "BlockBlob", "x-ms-meta-old", "1")
	snapshot := s.want(201, "", "PUT", "/box/dest?comp=snapshot", nil).get("x-ms-snapshot")
	s.want(201, "", "PUT", "/box/dest?comp=block&blockid="+base64ID("x"), []byte("staged"))
	before := s.want(200, "", "HEAD", "/box/dest", nil)
	after := s.copy(202, "", "/box/dest", here+"/box/long", "x-ms-meta-new", "2", "x-ms-tags", "b=2", "If-Match", before.get("ETag"))
	if after.get("ETag") == before.get("ETag") {
		t.Error("the ETag is the same")
	}
	s.sameBytes("/box/long", "/box/dest")
	got := s.want(200, "", "HEAD", "/box/dest", nil)
	if got.get("x-ms-meta-new") != "2" || got.get("x-ms-meta-old") != "" || got.get("x-ms-tag-count") != "1" {
		t.Errorf("the copy has %v", got.header)
	}
	if old := s.want(200, "", "GET", "/box/dest?snapshot="+snapshot, nil); string(old.body) != "old" {
		t.Errorf("the snapshot has %q", old.body)
	}
	if l := s.want(200, "", "GET", "/box/dest?comp=blocklist&blocklisttype=uncommitted", nil); bytes.Contains(l.body, []byte("<Block>")) {
		t.Errorf("blocks are left: %s", l.body)
	}
	// A snapshot is restored by copying it over its base.
	s.copy(202, "", "/box/dest", here+"/box/dest?snapshot="+snapshot)
	if now := s.want(200, "", "GET", "/box/dest", nil); string(now.body) != "old" {
		t.Errorf("restored %q", now.body)
	}
	s.copy(202, "", "/box/dest", here+"/box/dest", "x-ms-meta-self", "3")
	s.sweep()
	if now := s.want(200, "", "GET", "/box/dest", nil); string(now.body) != "old" || now.get("x-ms-meta-self") != "3" {
		t.Errorf("copied over itself: %q %v", now.body, now.header)
	}
	s.want(200, "", "PUT", "/box/dest?comp=metadata", nil)
	if now := s.want(200, "", "HEAD", "/box/dest", nil); now.get("x-ms-copy-id") != "" {
		t.Error("Set Metadata keeps what tells of the copy")
	}
	if list := s.want(200, "", "GET", "/box?restype=container&comp=list&include=copy", nil); bytes.Contains(list.body, []byte("CopyId")) {
		t.Errorf("listed %s", list.body)
	}
	s.copy(202, "", "/box/dest", here+"/box/short")
	if list := s.want(200, "", "GET", "/box?restype=container&comp=list&include=copy", nil); !bytes.Contains(list.body,
		[]byte("<CopySource>"+here+"/box/short</CopySource><CopyStatus>success</CopyStatus><CopyProgress>5/5</CopyProgress><CopyCompletionTime>")) {
		t.Errorf("listed %s", list.body)
	}
}

func TestCopyRefused(t *testing.T) {
	s := newCopies(t)
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.want(201, "", "PUT", "/box/dest", []byte("kept"), "x-ms-blob-type", "BlockBlob")
	etag := s.want(200, "", "HEAD", "/box/short", nil).get("ETag")
	local, sas := here+"/box/short", s.source("/box/short", "r")
	const sync = "x-ms-requires-sync"
	for _, c := range []struct {
		status   int
		code, to string
		from     string
		headers  []string
	}{
		{400, "InvalidHeaderValue", "/box/dest", "word", nil},
		{400, "InvalidHeaderValue", "/box/dest", "ftp://127.0.0.1/a/b", nil},
		{400, "InvalidHeaderValue", "/box/dest", "http://u:p@127.0.0.1:10000/acct/box/short", nil},
		{400, "InvalidHeaderValue", "/box/dest", here, nil},
		{400, "InvalidHeaderValue", "/box/dest", local + "?snapshot=word", nil},
		{400, "InvalidHeaderValue", "/box/dest", local + "?x=" + strings.Repeat("x", 2048), nil},
		{400, "InvalidHeaderValue", "/box/dest", sas, []string{sync, "true", "x-ms-copy-source-authorization", "Basic x"}},
		{400, "InvalidHeaderValue", "/box/dest", sas, []string{sync, "true", "x-ms-copy-source-tag-option", "MOVE"}},
		{400, "BothUserTagsAndSourceTagsCopyPresentException", "/box/dest", sas, []string{sync, "true", "x-ms-copy-source-tag-option", "COPY", "x-ms-tags", "a=b"}},
		{400, "InvalidHeaderValue", "/box/dest", local, []string{"x-ms-seal-blob", "true"}},
		{400, "Md5Mismatch", "/box/dest", sas, []string{sync, "true", "x-ms-source-content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="}},
		{404, "ContainerNotFound", "/none/dest", local, nil},
		{404, "BlobNotFound", "/box/dest", here + "/box/none", nil},
		{404, "BlobNotFound", "/box/dest", here + "/none/short", nil},
		{404, "CannotVerifyCopySource", "/box/dest", s.source("/box/none", "r"), []string{sync, "true"}},
		{404, "CannotVerifyCopySource", "/box/dest", "http://127.0.0.1:10000/nobody/box/short", nil},
		{409, "CannotVerifyCopySource", "/box/dest", local, []string{sync, "true"}}, // no public access in this account
		{403, "CannotVerifyCopySource", "/box/dest", local, []string{sync, "true", "x-ms-copy-source-authorization", "Bearer x"}},
		{403, "CannotVerifyCopySource", "/box/dest", sas + "x", []string{sync, "true"}},
		{403, "CannotVerifyCopySource", "/box/dest", s.source("/box/short", "w"), nil},
		{403, "CannotVerifyCopySource", "/box/dest", sas, []string{sync, "true", "x-ms-copy-source-tag-option", "COPY"}},
		{412, "SourceConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-match", "a"}},
		{412, "SourceConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-none-match", etag}},
		{304, "CannotVerifyCopySource", "/box/dest", sas, []string{sync, "true", "x-ms-source-if-none-match", etag}},
		{412, "CannotVerifyCopySource", "/box/dest", sas, []string{sync, "true", "x-ms-source-if-match", "a"}},
		{412, "SourceConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-modified-since", s.clock.Now().Format(time.RFC1123)[:25] + " GMT"}},
		{412, "SourceConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-unmodified-since", "Mon, 02 Mar 2026 08:00:00 GMT"}},
		{412, "ConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-tags", "a='2'"}},
		{412, "ConditionNotMet", "/box/dest", local, []string{"x-ms-source-if-tags", "a='2'", "x-ms-version", "2021-08-06"}},
		{412, "ConditionNotMet", "/box/dest", local, []string{"If-Match", `"0x1"`}},
		{412, "ConditionNotMet", "/box/dest", local, []string{"If-Match", `"0x1"`, "x-ms-version", "2024-11-04"}},
		{412, "TargetConditionNotMet", "/box/dest", local, []string{"If-Match", `"0x1"`, "x-ms-version", "2024-08-04"}},
		{412, "ConditionNotMet", "/box/dest", sas, []string{"If-Match", `"0x1"`, "x-ms-version", "2024-08-04", sync, "true"}},
		{412, "TargetConditionNotMet", "/box/dest", sas, []string{"If-Match", `"0x1"`, "x-ms-version", "2024-08-04", "x-ms-blob-type", "BlockBlob"}},
		{409, "BlobAlreadyExists", "/box/dest", local, []string{"If-None-Match", "*"}},
		{409, "InvalidBlobType", "/box/log", local, nil},
		{409, "InvalidBlobType", "/box/dest", here + "/box/log", nil},
		{409, "InvalidSourceBlobType", "/box/fresh", s.source("/box/log", "r"), []string{sync, "true"}},
		{412, "LeaseNotPresentWithBlobOperation", "/box/dest", local, []string{"x-ms-lease-id", idA}},
	} {
		s.copy(c.status, c.code, c.to, c.from, c.headers...)
	}
	if got := s.want(200, "", "GET", "/box/dest", nil); string(got.body) != "kept" {
		t.Errorf("a refused copy left %q", got.body)
	}
	s.want(404, "BlobNotFound", "HEAD", "/box/fresh", nil)
	a := s.copy(404, "BlobNotFound", "/box/dest", here+"/box/none")
	if a.get("x-ms-copy-source-status-code") != "" || bytes.Contains(a.body, []byte("CopySource")) {
		t.Errorf("a missing source of the account is told as %v %s", a.header, a.body)
	}
	a = s.copy(304, "CannotVerifyCopySource", "/box/dest", sas, sync, "true", "x-ms-source-if-none-match", etag)
	if a.get("x-ms-copy-source-status-code") != "304" || a.get("x-ms-copy-source-error-code") != "ConditionNotMet" || len(a.body) > 0 {
		t.Errorf("an unmet condition of the source is told as %v %s", a.header, a.body)
	}
	a = s.copy(404, "CannotVerifyCopySource", "/box/dest", s.source("/box/none", "r"), sync, "true")
	if a.get("x-ms-copy-source-status-code") != "404" || a.get("x-ms-copy-source-error-code") != "BlobNotFound" ||
		!bytes.Contains(a.body, []byte("<CopySourceErrorCode>BlobNotFound</CopySourceErrorCode>")) || !bytes.Contains(a.body, []byte("not exist")) {
		t.Errorf("the failure of the source is told as %v %s", a.header, a.body)
	}
}

func TestSynchronousCopy(t *testing.T) {
	s := newCopies(t)
	sum := md5.Sum(content(100 << 10))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	for _, to := range []string{"/box/copy", "/other/copy"} {
		a := s.copy(202, "", to, s.source("/box/long", "r"), "x-ms-requires-sync", "true", "x-ms-source-content-md5", hash)
		if a.get("x-ms-copy-status") != "success" || a.get("Content-MD5") != hash {
			t.Errorf("copy answered %v", a.header)
		}
		s.sameBytes("/box/long", to)
	}
	got := s.want(200, "", "HEAD", "/box/copy", nil)
	if source := got.get("x-ms-copy-source"); source != here+"/box/long" {
		t.Errorf("the copy shows the source as %s", source)
	}
	s.copy(202, "", "/other/copy", s.source("/box/short", "rt"), "x-ms-requires-sync", "true", "x-ms-copy-source-tag-option", "COPY")
	if got := s.want(200, "", "HEAD", "/other/copy", nil); got.get("x-ms-tag-count") != "1" {
		t.Errorf("the copy has %v", got.header)
	}
	// Sources are known by every name of the server.
	name := "/" + account + "/box/short?" + strings.SplitN(s.source("/box/short", "r"), "?", 2)[1]
	for _, host := range []string{"http://localhost:10000" + name, "http://[::1]:10000" + name, "https://127.0.0.1:10000" + name,
		"https://" + account + ".blob.core.windows.net" + strings.TrimPrefix(name, "/"+account)} {
		s.copy(202, "", "/box/alias", host, "x-ms-requires-sync", "true")
	}
}

// TestCopyAndLeases is section 4.3 of the reference of leases.
func TestCopyAndLeases(t *testing.T) {
	s := newCopies(t)
	lease := func(blob, duration string) {
		s.want(201, "", "PUT", blob+"?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", duration, "x-ms-proposed-lease-id", idA)
	}
	s.want(201, "", "PUT", "/box/dest", nil, "x-ms-blob-type", "BlockBlob")
	lease("/box/short", "-1")
	lease("/box/dest", "60")
	from, withSAS := here+"/box/short", s.source("/box/short", "r")
	s.copy(412, "LeaseIdMissing", "/box/dest", from)
	s.copy(412, "LeaseIdMismatchWithBlobOperation", "/box/dest", from, "x-ms-lease-id", idB)
	s.copy(412, "InfiniteLeaseDurationRequired", "/box/dest", from, "x-ms-lease-id", idA)
	s.copy(202, "", "/box/dest", withSAS, "x-ms-lease-id", idA, "x-ms-requires-sync", "true")
	s.copy(201, "", "/box/dest", withSAS, "x-ms-lease-id", idA, "x-ms-blob-type", "BlockBlob")
	if h := s.want(200, "", "HEAD", "/box/dest", nil); h.get("x-ms-lease-state") != "leased" || h.get("x-ms-lease-duration") != "fixed" {
		t.Errorf("the destination has %v", h.header)
	}
	s.want(200, "", "PUT", "/box/dest?comp=lease", nil, "x-ms-lease-action", "release", "x-ms-lease-id", idA)
	lease("/box/dest", "-1")
	s.copy(202, "", "/box/dest", from, "x-ms-lease-id", idA, "x-ms-source-lease-id", idB)
	if h := s.want(200, "", "HEAD", "/box/dest", nil); h.get("x-ms-lease-state") != "leased" || h.get("Content-Length") != "5" {
		t.Errorf("the destination has %v", h.header)
	}
	s.want(202, "", "PUT", "/box/dest?comp=lease", nil, "x-ms-lease-action", "break", "x-ms-lease-break-period", "30")
	s.copy(202, "", "/box/dest", from, "x-ms-lease-id", idA)
	s.step(31 * time.Second)
	s.copy(202, "", "/box/dest", from)
	s.want(409, "LeaseIdMismatchWithLeaseOperation", "PUT", "/box/dest?comp=lease", nil, "x-ms-lease-action", "renew", "x-ms-lease-id", idA)
}

func TestAbortCopy(t *testing.T) {
	s := newCopies(t)
	id := s.copy(202, "", "/box/dest", here+"/box/short").get("x-ms-copy-id")
	abort := func(status int, code, blob, id string, headers ...string) {
		t.Helper()
		s.want(status, code, "PUT", blob+"?comp=copy&copyid="+url.QueryEscape(id), nil, append([]string{"x-ms-copy-action", "abort"}, headers...)...)
	}
	abort(409, "NoPendingCopyOperation", "/box/dest", id)
	abort(400, "InvalidQueryParameterValue", "/box/dest", "copynotstarted")
	abort(400, "InvalidQueryParameterValue", "/box/none", "copynotstarted")
	abort(404, "BlobNotFound", "/box/none", id)
	abort(412, "LeaseNotPresentWithBlobOperation", "/box/dest", id, "x-ms-lease-id", idA)
	s.want(400, "MissingRequiredQueryParameter", "PUT", "/box/dest?comp=copy", nil, "x-ms-copy-action", "abort")
	s.want(400, "MissingRequiredHeader", "PUT", "/box/dest?comp=copy&copyid="+id, nil)
	s.want(400, "InvalidHeaderValue", "PUT", "/box/dest?comp=copy&copyid="+id, nil, "x-ms-copy-action", "stop")
	s.want(400, "MissingRequiredHeader", "PUT", "/box/dest", nil)
}

func TestCopyOfAnAppendBlob(t *testing.T) {
	s := newCopies(t)
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.copy(202, "", "/box/empty", here+"/box/log", "x-ms-seal-blob", "true")
	s.want(409, "BlobIsSealed", "PUT", "/box/empty?comp=appendblock", []byte("x"))
	s.want(201, "", "PUT", "/box/log?comp=appendblock", []byte("one,"))
	s.want(201, "", "PUT", "/box/log?comp=appendblock", content(40<<10))
	s.want(200, "", "PUT", "/box/log?comp=seal", nil)
	s.copy(202, "", "/other/sealed", here+"/box/log")
	s.want(409, "BlobIsSealed", "PUT", "/other/sealed?comp=appendblock", []byte("x"))
	s.copy(202, "", "/other/open", here+"/box/log", "x-ms-seal-blob", "false")
	s.sameBytes("/box/log", "/other/open")
	if a := s.want(201, "", "PUT", "/other/open?comp=appendblock", []byte("end")); a.get("x-ms-blob-committed-block-count") != "3" {
		t.Errorf("append answered %v", a.header)
	}
	if h := s.want(206, "", "GET", "/other/open", nil, "Range", "bytes=40963-"); string(h.body[len(h.body)-3:]) != "end" || h.get("x-ms-copy-id") != "" {
		t.Errorf("appended %q %v", h.body, h.header)
	}
	s.want(202, "", "DELETE", "/box/log", nil)
	s.sweep()
	s.sameBytes("/other/sealed", "/other/sealed")
}

func TestCopyOfAPageBlob(t *testing.T) {
	s := newCopies(t)
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1048576", "x-ms-blob-sequence-number", "7")
	page := func(blob string, start, n int, headers ...string) *answer {
		t.Helper()
		return s.want(201, "", "PUT", blob+"?comp=page", content(n), append([]string{"x-ms-page-write", "update",
			"x-ms-range", fmt.Sprintf("bytes=%d-%d", start, start+n-1)}, headers...)...)
	}
	page("/box/disk", 0, 512)
	page("/box/disk", 4096, 64<<10)
	page("/box/disk", 1048064, 512)
	for _, to := range []string{"/box/copy", "/other/copy"} {
		s.copy(202, "", to, here+"/box/disk")
		s.sameBytes("/box/disk", to)
		from, got := s.want(200, "", "GET", "/box/disk?comp=pagelist", nil), s.want(200, "", "GET", to+"?comp=pagelist", nil)
		if !bytes.Equal(from.body, got.body) {
			t.Errorf("the copy has the pages %s, not %s", got.body, from.body)
		}
		if h := s.want(200, "", "HEAD", to, nil); h.get("x-ms-blob-sequence-number") != "7" || h.get("x-ms-copy-status") != "success" {
			t.Errorf("the copy has %v", h.header)
		}
	}
	s.want(202, "", "DELETE", "/box/disk", nil)
	page("/box/copy", 4608, 512)
	s.sweep()
	if got := s.want(206, "", "GET", "/box/copy", nil, "Range", "bytes=5120-6143"); !bytes.Equal(got.body, content(64 << 10)[1024:2048]) {
		t.Error("the rest of what was written over is gone")
	}
	for _, c := range []struct {
		status             int
		code, range_, from string
	}{
		{201, "", "bytes=512-1023", "bytes=0-511"},
		{416, "InvalidPageRange", "bytes=512-1023", "bytes=0-1023"},
		{400, "InvalidHeaderValue", "bytes=512-1023", "word"},
		{400, "MissingRequiredHeader", "bytes=512-1023", ""},
		{416, "InvalidRange", "bytes=512-1023", "bytes=102400-102911"},
		{416, "InvalidRange", "bytes=512-1023", "bytes=102399-102910"},
		{413, "RequestBodyTooLarge", "bytes=0-8388607", "bytes=0-8388607"},
	} {
		s.copy(c.status, c.code, "/box/copy?comp=page", s.source("/box/long", "r"), "x-ms-page-write", "update", "x-ms-range", c.range_, "x-ms-source-range", c.from)
	}
	if got := s.want(206, "", "GET", "/box/copy", nil, "Range", "bytes=512-1023"); !bytes.Equal(got.body, content(512)) {
		t.Error("Put Page From URL wrote something else")
	}
}

// TestRepeatedBlocksAreCopiedOnce copies a list of many times one short block, between others, to
// another container: what is stored for it there is as long as what is stored here, and hashes are
// still those of the whole.
func TestRepeatedBlocksAreCopiedOnce(t *testing.T) {
	s := newStore(t)
	s.box()
	s.want(201, "", "PUT", "/other?restype=container", nil)
	const times = 500
	short, first, last := bytes.Repeat([]byte("s"), 4096), []byte("first"), bytes.Repeat([]byte("l"), 10_000)
	for id, body := range map[string][]byte{"s": short, "f": first, "l": last} {
		s.want(201, "", "PUT", "/box/a?comp=block&blockid="+base64ID(id), body)
	}
	list, whole := "<BlockList>", []byte(nil)
	add := func(id string, body []byte) {
		list, whole = list+"<Latest>"+base64ID(id)+"</Latest>", append(whole, body...)
	}
	add("f", first)
	for i := range times {
		add("s", short)
		if i == times/2 {
			add("l", last)
		}
	}
	add("f", first)
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte(list+"</BlockList>"))
	before := s.storedBytes()
	source := s.source("/box/a", "r")
	sum := md5.Sum(whole)
	right, wrong := base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(make([]byte, 16))
	s.copy(202, "", "/other/a", source)
	s.copy(202, "", "/other/b", source, "x-ms-requires-sync", "true", "x-ms-source-content-md5", right)
	s.copy(400, "Md5Mismatch", "/other/c", source, "x-ms-requires-sync", "true", "x-ms-source-content-md5", wrong)
	for _, name := range []string{"/other/a", "/other/b"} {
		if got := s.want(200, "", "GET", name, nil); !bytes.Equal(got.body, whole) {
			t.Errorf("%s has %d bytes, want %d", name, len(got.body), len(whole))
		}
	}
	s.want(202, "", "DELETE", "/box/a", nil)
	s.sweepAfter(time.Hour)
	s.sameBytes("/other/a", "/other/b")
	if after := s.storedBytes(); after > 2*before+1000 {
		t.Errorf("two copies take %d bytes, the original took %d", after, before)
	}
	entries := string(s.want(200, "", "GET", "/other/a?comp=blocklist", nil).body)
	if n := strings.Count(entries, "<Size>4096</Size>"); n != times {
		t.Errorf("the copy has %d blocks of 4096 bytes, want %d", n, times)
	}
}

// storedBytes returns how many bytes of content are stored.
func (s *store) storedBytes() (n int64) {
	s.t.Helper()
	for info, err := range s.Segments.List(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		n += info.Size
	}
	err := s.DB.View(s.t.Context(), func(r kv.Reader) error {
		for p, err := range r.Scan([]byte("d"), []byte("e")) {
			if err != nil {
				return err
			}
			n += int64(len(p.Value))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
