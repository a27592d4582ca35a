package service_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fetch"
	"github.com/leasehold/leasehold/internal/wire"
)

// sourceKey returns the headers that give a source's key made of one byte.
func sourceKey(fill byte) []string {
	headers := customerKey(fill)
	for i := 0; i < len(headers); i += 2 {
		headers[i] = strings.Replace(headers[i], "x-ms-", "x-ms-source-", 1)
	}
	return headers
}

// join makes one list of headers.
func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// pull is an operation that takes bytes from a source.
type pull struct {
	name, to string
	headers  []string
}

// pulls are all of them, each with the headers that it needs for 1536 bytes.
func pulls() []pull {
	return []pull{
		{"blob", "/box/blob", []string{"x-ms-blob-type", "BlockBlob"}},
		{"block", "/box/blocks?comp=block&blockid=AAAA", nil},
		{"append", "/box/log?comp=appendblock", nil},
		{"pages", "/box/disk?comp=page", []string{"x-ms-page-write", "update", "Range", "bytes=0-1535", "x-ms-source-range", "bytes=0-1535"}},
	}
}

// newPulls returns a store with the blobs that the operations of pulls change, made with
// the given headers, and sources of 1536 bytes: one with the key 1, one without.
func newPulls(t *testing.T, headers ...string) (*store, []byte) {
	s := newLoopbackStore(t)
	data := content(1536)
	s.want(201, "", "PUT", "/box/keyed", data, append(customerKey(1), "x-ms-blob-type", "BlockBlob")...)
	s.want(201, "", "PUT", "/box/plain", data, "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/log", nil, append(headers, "x-ms-blob-type", "AppendBlob")...)
	s.want(201, "", "PUT", "/box/disk", nil, append(headers, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "1536")...)
	return s, data
}

// pulled checks that all four operations have brought the bytes to where they belong.
func (s *store) pulled(data []byte, headers ...string) {
	s.t.Helper()
	s.want(201, "", "PUT", "/box/blocks?comp=blocklist", []byte("<BlockList><Latest>AAAA</Latest></BlockList>"), headers...)
	for _, name := range []string{"blob", "blocks", "log", "disk"} {
		if got := s.want(200, "", "GET", "/box/"+name, nil, headers...); !bytes.Equal(got.body, data) {
			s.t.Errorf("%s has %d other bytes", name, len(got.body))
		}
	}
}

func TestSourcesWithKeys(t *testing.T) {
	s, data := newPulls(t)
	keyed, plain := s.source("/box/keyed", "r"), s.source("/box/plain", "r")
	for _, p := range pulls() {
		for code, headers := range map[string][]string{errNoKey: nil, errOtherKey: sourceKey(2)} {
			a := s.copy(409, "CannotVerifyCopySource", p.to, keyed, join(p.headers, headers)...)
			if !bytes.Contains(a.body, []byte("<CopySourceErrorCode>"+code+"</CopySourceErrorCode>")) || len(headers) > 0 && bytes.Contains(a.body, []byte(headers[3])) {
				t.Errorf("%s answered %s", p.name, a.body)
			}
		}
		a := s.copy(409, "CannotVerifyCopySource", p.to, plain, join(p.headers, sourceKey(1))...)
		if !bytes.Contains(a.body, []byte(errNeedless)) {
			t.Errorf("%s answered %s", p.name, a.body)
		}
	}
	s.want(404, "BlobNotFound", "HEAD", "/box/blob", nil)
	s.want(404, "BlobNotFound", "GET", "/box/blocks?comp=blocklist&blocklisttype=all", nil)
	for _, p := range pulls() {
		a := s.copy(201, "", p.to, keyed, join(p.headers, sourceKey(1))...)
		if a.get("x-ms-encryption-key-sha256") != "" {
			t.Errorf("%s tells the key of the source: %v", p.name, a.header)
		}
	}
	s.pulled(data)
	for _, target := range []string{"/box/copy", "/box/blob"} {
		s.copy(409, "CannotVerifyCopySource", target, keyed)
		s.copy(409, "CannotVerifyCopySource", target, keyed, "x-ms-requires-sync", "true")
	}
}

func TestDestinationsWithKeys(t *testing.T) {
	s, data := newPulls(t, customerKey(2)...)
	keyed := s.source("/box/keyed", "r")
	for _, p := range pulls() {
		if strings.Contains(p.to, "append") || strings.Contains(p.to, "page") {
			s.copy(409, errNoKey, p.to, keyed, join(p.headers, sourceKey(1))...)
			s.copy(409, errOtherKey, p.to, keyed, join(p.headers, sourceKey(1), customerKey(3))...)
		}
		a := s.copy(201, "", p.to, keyed, join(p.headers, sourceKey(1), customerKey(2))...)
		if a.get("x-ms-encryption-key-sha256") != customerKey(2)[5] {
			t.Errorf("%s answered %v", p.name, a.header)
		}
	}
	s.copy(409, errNoKey, "/box/blocks?comp=block&blockid=BBBB", keyed, sourceKey(1)...)
	s.copy(409, errOtherKey, "/box/blocks?comp=block&blockid=BBBB", keyed, join(sourceKey(1), customerKey(3))...)
	s.pulled(data, customerKey(2)...)
	for _, name := range []string{"blob", "blocks", "log", "disk"} {
		s.want(409, errNoKey, "GET", "/box/"+name, nil)
		s.want(409, errOtherKey, "GET", "/box/"+name, nil, customerKey(1)...)
	}
	s.want(202, "", "DELETE", "/box/plain", nil)
	s.absent(data[:64])

	// A source and a copy may have the same key.
	s.copy(201, "", "/box/same", keyed, join([]string{"x-ms-blob-type", "BlockBlob"}, sourceKey(1), customerKey(1))...)
	if got := s.want(200, "", "GET", "/box/same", nil, customerKey(1)...); !bytes.Equal(got.body, data) {
		t.Errorf("%d other bytes", len(got.body))
	}
}

// TestKeysOfSourcesAreChecked sends what is no key to all that takes one, and keys to what takes
// none.
func TestKeysOfSourcesAreChecked(t *testing.T) {
	s, _ := newPulls(t)
	keyed := s.source("/box/keyed", "r")
	for _, p := range pulls() {
		before := s.want(200, "", "GET", "/box?restype=container&comp=list&include=uncommittedblobs", nil)
		for prefix, key := range map[string][]string{"x-ms-source-encryption-": sourceKey(1), "x-ms-encryption-": customerKey(1)} {
			for _, c := range faultsOfKeys {
				a := s.copy(400, c.code, p.to, keyed, join(p.headers, key, []string{prefix + c.name, c.value})...)
				if !bytes.Contains(a.body, []byte("<HeaderName>"+prefix+c.name+"</HeaderName>")) || bytes.Contains(a.body, []byte(key[3])) {
					t.Errorf("%s answered %s", p.name, a.body)
				}
			}
			s.remote = "203.0.113.1:1234"
			s.copy(400, "AccountRequiresHttps", p.to, keyed, join(p.headers, key)...)
			s.remote = "127.0.0.1:1234"
		}
		s.copy(400, "InvalidHeaderValue", p.to, keyed, join(p.headers, sourceKey(1), customerKey(1), []string{"x-ms-encryption-scope", "ours"})...)
		if after := s.want(200, "", "GET", "/box?restype=container&comp=list&include=uncommittedblobs", nil); !bytes.Equal(before.body, after.body) {
			t.Errorf("%s changed something", p.name)
		}
	}
	for _, key := range [][]string{sourceKey(1), customerKey(1)} {
		for _, headers := range [][]string{nil, {"x-ms-requires-sync", "true"}} {
			s.copy(400, "UnsupportedHeader", "/box/copy", keyed, join(headers, key)...)
		}
	}
	s.want(400, "UnsupportedHeader", "PUT", "/box/copy", []byte("x"), append(sourceKey(1), "x-ms-blob-type", "BlockBlob")...)
	s.want(404, "BlobNotFound", "HEAD", "/box/copy", nil)
}

// TestKeysOfSourcesElsewhere reads encrypted blobs of another store over HTTP.
func TestKeysOfSourcesElsewhere(t *testing.T) {
	far, data := newPulls(t)
	asked := http.Header{}
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Clone()
		req, err := wire.NewRequest(w, r, far.clock.Now(), nil)
		if err != nil {
			wire.WriteError(req, err)
			return
		}
		far.Serve(req)
	})
	at := func(name string) string {
		return strings.Replace(far.source(name, "r"), "http://127.0.0.1:10000", w.URL, 1)
	}
	s, _ := newPulls(t)
	s.reading(fetch.Options{AllowPrivate: true})
	for _, p := range pulls() {
		s.copy(409, "CannotVerifyCopySource", p.to, at("/box/keyed"), p.headers...)
		s.copy(409, "CannotVerifyCopySource", p.to, at("/box/keyed"), join(p.headers, sourceKey(2))...)
		s.copy(409, "CannotVerifyCopySource", p.to, at("/box/plain"), join(p.headers, sourceKey(1))...)
		s.copy(201, "", p.to, at("/box/keyed"), join(p.headers, sourceKey(1))...)
		if asked.Get("x-ms-encryption-key") != sourceKey(1)[3] || asked.Get("x-ms-source-encryption-key") != "" {
			t.Errorf("%s asked with %v", p.name, asked)
		}
	}
	s.pulled(data)

	// A key is not told to everybody on the way.
	a := s.copy(400, "CannotVerifyCopySource", "/box/blob", "http://203.0.113.1/x", join(pulls()[0].headers, sourceKey(1))...)
	if !bytes.Contains(a.body, []byte("<CopySourceErrorCode>AccountRequiresHttps</CopySourceErrorCode>")) {
		t.Errorf("answered %s", a.body)
	}
}
