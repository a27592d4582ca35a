package service_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv"
)

// customerKey returns the headers that give a key made of one byte.
func customerKey(fill byte) []string {
	secret := bytes.Repeat([]byte{fill}, 32)
	hash := sha256.Sum256(secret)
	return []string{"x-ms-encryption-algorithm", "AES256", "x-ms-encryption-key", base64.StdEncoding.EncodeToString(secret),
		"x-ms-encryption-key-sha256", base64.StdEncoding.EncodeToString(hash[:])}
}

// The three ways in which what a request gives is not what a blob is encrypted with.
const (
	errNoKey    = "BlobUsesCustomerSpecifiedEncryption"
	errOtherKey = "BlobCustomerSpecifiedEncryptionMismatch"
	errNeedless = "BlobDoesNotUseCustomerSpecifiedEncryption"
)

func newLoopbackStore(t *testing.T) *store {
	s := newStore(t)
	s.remote = "127.0.0.1:1234"
	s.want(201, "", "PUT", "/box?restype=container", nil)
	return s
}

func TestCustomersKeys(t *testing.T) {
	s := newLoopbackStore(t)
	key, other := customerKey(1), customerKey(2)
	for _, size := range []int{0, 1, 17, 40_000, 100_000} {
		data := make([]byte, size)
		if _, err := rand.Read(data); err != nil {
			t.Fatal(err)
		}
		put := s.want(201, "", "PUT", "/box/a", data, append(key, "x-ms-blob-type", "BlockBlob")...)
		if put.get("x-ms-encryption-key-sha256") != key[5] {
			t.Errorf("answer %v", put.header)
		}
		got := s.want(200, "", "GET", "/box/a", nil, key...)
		if !bytes.Equal(got.body, data) || got.get("x-ms-encryption-key-sha256") != key[5] {
			t.Errorf("%d bytes: %d bytes came back: %v", size, len(got.body), got.header)
		}
		for _, r := range [][2]int{{0, 0}, {1, 16}, {15, 17}, {16, 16}, {33_000, 39_999}} {
			if r[1] < size {
				got := s.want(206, "", "GET", "/box/a", nil, append(key, "Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]))...)
				if !bytes.Equal(got.body, data[r[0]:r[1]+1]) {
					t.Errorf("%d bytes, range %v: wrong bytes", size, r)
				}
			}
		}
		if size > 16 {
			s.absent(data[:16])
		}
	}
	for code, wrong := range map[string][]string{errNoKey: nil, errOtherKey: other} {
		s.want(409, code, "GET", "/box/a", nil, wrong...)
		s.want(409, code, "HEAD", "/box/a", nil, wrong...)
		s.want(409, code, "PUT", "/box/a?comp=metadata", nil, wrong...)
		s.want(409, code, "PUT", "/box/a?comp=snapshot", nil, wrong...)
	}
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil, append(key, "x-ms-meta-k", "v")...)
	snap := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil, key...)
	if snap.get("x-ms-request-server-encrypted") != "false" {
		t.Errorf("snapshot answered %v", snap.header)
	}
	at := "/box/a?snapshot=" + snap.get("x-ms-snapshot")
	s.want(409, errNoKey, "GET", at, nil)
	s.want(200, "", "GET", at, nil, key...)
	list := s.want(200, "", "GET", "/box?restype=container&comp=list&include=metadata", nil)
	if !strings.Contains(string(list.body), "<CustomerProvidedKeySha256>"+key[5]+"</CustomerProvidedKeySha256>") ||
		!strings.Contains(string(list.body), `<Metadata Encrypted="true" />`) {
		t.Errorf("listing %s", list.body)
	}
	s.want(409, "CannotVerifyCopySource", "PUT", "/box/b", nil, "x-ms-copy-source", "http://127.0.0.1:10000/acct/box/a")
	s.want(201, "", "PUT", "/box/a", []byte("plain"), "x-ms-blob-type", "BlockBlob")
	s.want(409, errNeedless, "GET", "/box/a", nil, key...)
	s.want(200, "", "GET", "/box/a", nil)
}

// absent checks that no object and no record has these bytes.
func (s *store) absent(data []byte) {
	s.t.Helper()
	for info, err := range s.Segments.List(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		r, err := s.Segments.Open(s.t.Context(), info.Ref, 0, info.Size)
		if err != nil {
			s.t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if r.Close(); err != nil || bytes.Contains(raw, data) {
			s.t.Errorf("a segment has the plain bytes, %v", err)
		}
	}
	err := s.DB.View(s.t.Context(), func(r kv.Reader) error {
		for p, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			if bytes.Contains(p.Value, data) || bytes.Contains(p.Value, bytes.Repeat([]byte{1}, 32)) {
				s.t.Errorf("the value of key %q has the plain bytes or the key", p.Key)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestCustomersKeysOfBlocksPagesAndAppends(t *testing.T) {
	s := newLoopbackStore(t)
	key, other := customerKey(1), customerKey(2)
	list := []byte("<BlockList><Latest>AAAA</Latest><Latest>BBBB</Latest></BlockList>")
	s.want(201, "", "PUT", "/box/a?comp=block&blockid=AAAA", []byte("one "), key...)
	s.want(409, errOtherKey, "PUT", "/box/a?comp=block&blockid=BBBB", []byte("two"), other...)
	s.want(409, errNoKey, "PUT", "/box/a?comp=block&blockid=BBBB", []byte("two"))
	s.want(201, "", "PUT", "/box/a?comp=block&blockid=BBBB", []byte("two"), key...)
	s.want(409, errNoKey, "PUT", "/box/a?comp=blocklist", list)
	s.want(409, errOtherKey, "PUT", "/box/a?comp=blocklist", list, other...)
	s.want(201, "", "PUT", "/box/a?comp=blocklist", list, key...)
	s.want(409, errNoKey, "PUT", "/box/a?comp=blocklist", list)
	s.want(201, "", "PUT", "/box/log", nil, append(key, "x-ms-blob-type", "AppendBlob")...)
	s.want(409, errNoKey, "PUT", "/box/log?comp=appendblock", []byte("x"))
	s.want(201, "", "PUT", "/box/log?comp=appendblock", []byte("one "), key...)
	s.want(201, "", "PUT", "/box/log?comp=appendblock", []byte("two"), key...)
	for _, target := range []string{"/box/a", "/box/log"} {
		if got := s.want(200, "", "GET", target, nil, key...); string(got.body) != "one two" {
			t.Errorf("%s: %q", target, got.body)
		}
	}
	disk := bytes.Repeat([]byte("0123456789abcdef"), 96)
	s.want(201, "", "PUT", "/box/disk", nil, append(key, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "2048")...)
	write := []string{"x-ms-page-write", "update", "Range", "bytes=0-1535"}
	s.want(409, errNoKey, "PUT", "/box/disk?comp=page", disk, write...)
	s.want(201, "", "PUT", "/box/disk?comp=page", disk, append(write, key...)...)
	clear(disk[512:1024])
	s.want(201, "", "PUT", "/box/disk?comp=page", disk[512:1024], append(key, "x-ms-page-write", "update", "Range", "bytes=512-1023")...)
	if got := s.want(200, "", "GET", "/box/disk", nil, key...); !bytes.Equal(got.body[:1536], disk) {
		t.Error("pages come back wrong")
	}
}

// faultsOfKeys are values that make the headers of a key wrong, by the end of their names.
var faultsOfKeys = []struct{ code, name, value string }{
	{"MissingRequiredHeader", "key", ""},
	{"MissingRequiredHeader", "key-sha256", ""},
	{"MissingRequiredHeader", "algorithm", ""},
	{"InvalidHeaderValue", "algorithm", "AES128"},
	{"InvalidHeaderValue", "key", "mumbojumbo"},
	{"InvalidHeaderValue", "key", "%%%"},
	{"InvalidHeaderValue", "key-sha256", customerKey(2)[5]},
	{"InvalidHeaderValue", "key-sha256", "%%%"},
}

func TestCustomersKeysAreChecked(t *testing.T) {
	s := newLoopbackStore(t)
	key := customerKey(1)
	for _, c := range faultsOfKeys {
		headers := append(key[:6:6], "x-ms-blob-type", "BlockBlob", "x-ms-encryption-"+c.name, c.value)
		a := s.want(400, c.code, "PUT", "/box/a", []byte("x"), headers...)
		if bytes.Contains(a.body, []byte(key[3])) {
			t.Errorf("%s: the answer repeats the key", c.name)
		}
	}
	s.want(400, "InvalidHeaderValue", "PUT", "/box/a", []byte("x"), append(key[:6:6], "x-ms-blob-type", "BlockBlob", "x-ms-encryption-scope", "also")...)
	s.want(400, "UnsupportedHeader", "PUT", "/box/a?comp=tier", nil, append(key, "x-ms-access-tier", "Hot")...)
	s.remote = "203.0.113.1:1234"
	s.want(400, "AccountRequiresHttps", "PUT", "/box/a", []byte("x"), append(key, "x-ms-blob-type", "BlockBlob")...)
	s.want(404, "BlobNotFound", "HEAD", "/box/a", nil)
}

func TestEncryptionScopes(t *testing.T) {
	s := newLoopbackStore(t)
	scope := func(name string) []string { return []string{"x-ms-encryption-scope", name} }
	put := func(target string, status int, code string, headers ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", target, []byte("x"), append(headers, "x-ms-blob-type", "BlockBlob")...)
	}
	if a := put("/box/a", 201, "", scope("ours")...); a.get("x-ms-encryption-scope") != "ours" {
		t.Errorf("answer %v", a.header)
	}
	if a := s.want(200, "", "GET", "/box/a", nil); a.get("x-ms-encryption-scope") != "ours" {
		t.Errorf("read %v", a.header)
	}
	s.want(409, errNoKey, "PUT", "/box/a?comp=metadata", nil)
	s.want(409, errOtherKey, "PUT", "/box/a?comp=snapshot", nil, scope("theirs")...)
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil, scope("ours")...)
	put("/box/a", 400, "InvalidHeaderValue", scope("a b")...)

	s.want(201, "", "PUT", "/set?restype=container", nil, "x-ms-default-encryption-scope", "ours", "x-ms-deny-encryption-scope-override", "true")
	if a := s.want(200, "", "HEAD", "/set?restype=container", nil); a.get("x-ms-default-encryption-scope") != "ours" ||
		a.get("x-ms-deny-encryption-scope-override") != "true" {
		t.Errorf("container %v", a.header)
	}
	put("/set/a", 403, "RequestForbiddenByContainerEncryptionPolicy", scope("theirs")...)
	put("/set/a", 201, "")
	if a := s.want(200, "", "HEAD", "/set/a", nil); a.get("x-ms-encryption-scope") != "ours" {
		t.Errorf("read %v", a.header)
	}
	s.want(200, "", "PUT", "/set/a?comp=metadata", nil)
}

// TestSignedEncryptionScope: a signature may fix the scope of what is written with it.
func TestSignedEncryptionScope(t *testing.T) {
	s := newLoopbackStore(t)
	f := auth.SAS{Permissions: "rwdl", Expiry: s.inAnHour(), EncryptionScope: "ours"}
	by := func(target string) string { return s.signed(target, "box", "", f) }
	block := []string{"x-ms-blob-type", "BlockBlob"}
	for _, given := range []string{"", "ours"} {
		headers := block
		if given != "" {
			headers = append(block, "x-ms-encryption-scope", given)
		}
		if a := s.asked(201, "", "PUT", by("/box/a"), []byte("x"), headers...); a.get("x-ms-encryption-scope") != "ours" {
			t.Errorf("answer %v", a.header)
		}
	}
	s.asked(400, "InvalidHeaderValue", "PUT", by("/box/b"), []byte("x"), append(block, "x-ms-encryption-scope", "theirs")...)
	s.asked(400, "InvalidHeaderValue", "PUT", by("/box/b?comp=block&blockid=MQ=="), []byte("x"), "x-ms-encryption-scope", "theirs")
	s.asked(400, "InvalidHeaderValue", "PUT", by("/box/b"), []byte("x"), append(customerKey(1), block...)...)
	s.want(404, "BlobNotFound", "HEAD", "/box/b", nil)
	if a := s.asked(200, "", "PUT", by("/box/a?comp=metadata"), nil); a.get("x-ms-encryption-scope") != "ours" {
		t.Errorf("answer %v", a.header)
	}

	// Reading and deleting are not restricted, writing to what has another scope is.
	s.want(201, "", "PUT", "/box/c", []byte("x"), append(block, "x-ms-encryption-scope", "theirs")...)
	if a := s.asked(200, "", "GET", by("/box/c"), nil); a.get("x-ms-encryption-scope") != "theirs" {
		t.Errorf("read %v", a.header)
	}
	s.asked(409, errOtherKey, "PUT", by("/box/c?comp=metadata"), nil)
	s.asked(202, "", "DELETE", by("/box/c"), nil)

	// The container's own rule goes first.
	s.want(201, "", "PUT", "/set?restype=container", nil, "x-ms-default-encryption-scope", "theirs", "x-ms-deny-encryption-scope-override", "true")
	s.asked(403, "RequestForbiddenByContainerEncryptionPolicy", "PUT", s.signed("/set/a", "set", "", f), []byte("x"), block...)
	f.EncryptionScope = "theirs"
	s.asked(201, "", "PUT", s.signed("/set/a", "set", "", f), []byte("x"), block...)
	f.EncryptionScope = "no name"
	s.asked(400, "InvalidQueryParameterValue", "PUT", by("/box/b"), []byte("x"), block...)
}

func TestClearingAndResizingNeedTheKey(t *testing.T) {
	s := newLoopbackStore(t)
	key, other := customerKey(1), customerKey(2)
	size := []string{"x-ms-blob-content-length", "512"}
	wipe := []string{"x-ms-page-write", "clear", "Range", "bytes=512-1023"}
	s.want(201, "", "PUT", "/box/disk", nil, append(key, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024")...)
	data := content(1024)
	s.want(201, "", "PUT", "/box/disk?comp=page", data, append(key, "x-ms-page-write", "update", "Range", "bytes=0-1023")...)
	for code, wrong := range map[string][]string{errNoKey: nil, errOtherKey: other} {
		s.want(409, code, "PUT", "/box/disk?comp=page", nil, join(wipe, wrong)...)
		s.want(409, code, "PUT", "/box/disk?comp=properties", nil, join(size, wrong)...)
	}
	s.want(409, errOtherKey, "PUT", "/box/disk?comp=properties", nil, append(other, "x-ms-blob-content-type", "a/b")...)
	if got := s.want(200, "", "GET", "/box/disk", nil, key...); !bytes.Equal(got.body, data) || got.get("Content-Type") == "a/b" {
		t.Errorf("%d other bytes, %v", len(got.body), got.header)
	}
	s.want(201, "", "PUT", "/box/disk?comp=page", nil, join(wipe, key)...)
	clear(data[512:])
	if got := s.want(200, "", "GET", "/box/disk", nil, key...); !bytes.Equal(got.body, data) {
		t.Errorf("%d other bytes after clearing", len(got.body))
	}
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, join(size, key)...)
	if got := s.want(200, "", "GET", "/box/disk", nil, key...); !bytes.Equal(got.body, data[:512]) {
		t.Errorf("%d other bytes after the change of size", len(got.body))
	}
	// What the SDKs send no key with needs none.
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-blob-content-type", "a/b")
	s.want(200, "", "PUT", "/box/disk?comp=properties", nil, "x-ms-sequence-number-action", "increment")

	s.want(201, "", "PUT", "/box/open", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024")
	s.want(409, errNeedless, "PUT", "/box/open?comp=page", nil, join(wipe, key)...)
	s.want(409, errNeedless, "PUT", "/box/open?comp=properties", nil, join(size, key)...)
	both := append(key, "x-ms-encryption-scope", "ours")
	s.want(400, "InvalidHeaderValue", "PUT", "/box/disk?comp=page", nil, join(wipe, both)...)
	s.want(400, "InvalidHeaderValue", "PUT", "/box/disk?comp=properties", nil, join(size, both)...)
	s.remote = "203.0.113.1:1234"
	s.want(400, "AccountRequiresHttps", "PUT", "/box/disk?comp=page", nil, join(wipe, key)...)
	s.want(400, "AccountRequiresHttps", "PUT", "/box/disk?comp=properties", nil, join(size, key)...)
}

// TestScopeOfEveryWrite writes with a scope that is named, and with that of the container.
func TestScopeOfEveryWrite(t *testing.T) {
	block, page := []string{"x-ms-blob-type", "BlockBlob"}, []string{"x-ms-page-write", "update", "Range", "bytes=0-511"}
	list := []byte("<BlockList><Latest>AAAA</Latest></BlockList>")
	for _, named := range []string{"ours", ""} {
		s := newLoopbackStore(t)
		with, told := []string(nil), "ours"
		if named != "" {
			with = []string{"x-ms-encryption-scope", named}
			s.want(201, "", "PUT", "/set?restype=container", nil)
		} else {
			s.want(201, "", "PUT", "/set?restype=container", nil, "x-ms-default-encryption-scope", "ours", "x-ms-deny-encryption-scope-override", "false")
		}
		s.want(201, "", "PUT", "/box/source", make([]byte, 512), block...)
		from := []string{"x-ms-copy-source", s.source("/box/source", "r")}
		write := func(status int, target string, body []byte, headers ...string) {
			t.Helper()
			if a := s.want(status, "", "PUT", target, body, join(headers, with)...); a.get("x-ms-encryption-scope") != told {
				t.Errorf("%s %v answered %v", target, headers, a.header)
			}
		}
		change := func(status int, target string, body []byte, headers ...string) {
			t.Helper()
			s.want(409, errOtherKey, "PUT", target, body, append(headers, "x-ms-encryption-scope", "theirs")...)
			if named != "" {
				s.want(409, errNoKey, "PUT", target, body, headers...)
			}
			write(status, target, body, headers...)
		}
		write(201, "/set/block", []byte("x"), block...)
		write(201, "/set/block", nil, join(block, from)...)
		write(202, "/set/copy", nil, append([]string{"x-ms-requires-sync", "true"}, from...)...)
		write(201, "/set/log", nil, "x-ms-blob-type", "AppendBlob")
		change(201, "/set/log?comp=appendblock", []byte("x"))
		change(201, "/set/log?comp=appendblock", nil, from...)
		write(201, "/set/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1024")
		change(201, "/set/disk?comp=page", make([]byte, 512), page...)
		change(201, "/set/disk?comp=page", nil, join(page, from, []string{"x-ms-source-range", "bytes=0-511"})...)
		change(201, "/set/disk?comp=page", nil, "x-ms-page-write", "clear", "Range", "bytes=0-511")
		change(200, "/set/disk?comp=properties", nil, "x-ms-blob-content-length", "512")
		change(200, "/set/disk?comp=metadata", nil, "x-ms-meta-a", "b")
		change(201, "/set/disk?comp=snapshot", nil, "x-ms-meta-a", "b")
		s.want(201, "", "PUT", "/set/blocks?comp=block&blockid=BBBB", []byte("x"), with...)
		change(201, "/set/blocks?comp=block&blockid=AAAA", []byte("x"))
		change(201, "/set/blocks?comp=block&blockid=AAAA", nil, from...)
		s.want(409, errOtherKey, "PUT", "/set/blocks?comp=blocklist", list, "x-ms-encryption-scope", "theirs")
		write(201, "/set/blocks?comp=blocklist", list)
		s.want(409, errOtherKey, "PUT", "/set/blocks?comp=blocklist", list, "x-ms-encryption-scope", "theirs")
		s.want(200, "", "PUT", "/set/disk?comp=properties", nil, "x-ms-blob-content-type", "a/b")
		for _, name := range []string{"block", "copy", "log", "disk", "blocks"} {
			if a := s.want(200, "", "HEAD", "/set/"+name, nil); a.get("x-ms-encryption-scope") != told {
				t.Errorf("%s has %v", name, a.header)
			}
		}
		all := s.want(200, "", "GET", "/set?restype=container&comp=list", nil)
		if n := bytes.Count(all.body, []byte("<EncryptionScope>ours</EncryptionScope>")); n != 5 {
			t.Errorf("%d entries tell the scope: %s", n, all.body)
		}
	}
}

func TestEncryptionOfContainersIsChecked(t *testing.T) {
	s := newLoopbackStore(t)
	const scope, deny = "x-ms-default-encryption-scope", "x-ms-deny-encryption-scope-override"
	for _, c := range []struct {
		code, name string
		headers    []string
	}{
		{"MissingRequiredHeader", deny, []string{scope, "ours"}},
		{"MissingRequiredHeader", scope, []string{deny, "true"}},
		{"InvalidHeaderValue", scope, []string{scope, "a b", deny, "true"}},
		{"InvalidHeaderValue", deny, []string{scope, "ours", deny, "perhaps"}},
	} {
		a := s.want(400, c.code, "PUT", "/new?restype=container", nil, c.headers...)
		if !bytes.Contains(a.body, []byte("<HeaderName>"+c.name+"</HeaderName>")) {
			t.Errorf("%v: answered %s", c.headers, a.body)
		}
	}
	s.want(404, "ContainerNotFound", "HEAD", "/new?restype=container", nil)
	s.want(201, "", "PUT", "/new?restype=container", nil, scope, "ours", deny, "true")
	list := s.want(200, "", "GET", "/?comp=list&prefix=new", nil)
	if !bytes.Contains(list.body, []byte("<DefaultEncryptionScope>ours</DefaultEncryptionScope><DenyEncryptionScopeOverride>true</DenyEncryptionScopeOverride>")) {
		t.Errorf("listed %s", list.body)
	}
	source := s.source("/box/source", "r")
	s.want(201, "", "PUT", "/box/source", []byte("x"), "x-ms-blob-type", "BlockBlob")
	for _, headers := range [][]string{{"x-ms-blob-type", "BlockBlob"}, {"x-ms-requires-sync", "true"}, {"x-ms-blob-type", "AppendBlob"}} {
		if headers[1] != "AppendBlob" {
			headers = append(headers, "x-ms-copy-source", source)
		}
		s.want(403, "RequestForbiddenByContainerEncryptionPolicy", "PUT", "/new/a", nil, append(headers, "x-ms-encryption-scope", "theirs")...)
	}
	s.want(403, "RequestForbiddenByContainerEncryptionPolicy", "PUT", "/new/a?comp=block&blockid=AAAA", []byte("x"), "x-ms-encryption-scope", "theirs")
	s.want(404, "BlobNotFound", "GET", "/new/a?comp=blocklist&blocklisttype=all", nil)

	// A customer's key goes before the scope of the container.
	s.want(201, "", "PUT", "/new/log", nil, append(customerKey(1), "x-ms-blob-type", "AppendBlob")...)
	s.want(409, errNoKey, "PUT", "/new/log?comp=appendblock", []byte("x"))
	s.want(409, errOtherKey, "PUT", "/new/log?comp=appendblock", []byte("x"), "x-ms-encryption-scope", "ours")
	if a := s.want(201, "", "PUT", "/new/log?comp=appendblock", []byte("x"), customerKey(1)...); a.get("x-ms-encryption-scope") != "" {
		t.Errorf("answered %v", a.header)
	}
}
