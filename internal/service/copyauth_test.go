package service_test

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// TestCopyCredentials reads sources with every kind of credential, in each way to copy.
func TestCopyCredentials(t *testing.T) {
	s := newCopies(t)
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	trust := &service.Trust{
		Tokens: issuer{k},
		Access: auth.NewAccess([]auth.Assignment{{Principal: "11111111-0000-0000-0000-000000000001", Issuer: tokenIssuer, Role: auth.RoleContributor}}, nil),
	}
	s.Trust = func() *service.Trust { return trust }
	token := issuer{k}.token(t, s)
	s.Accounts(account).AllowPublicAccess = true
	s.want(201, "", "PUT", "/open?restype=container", nil)
	s.want(200, "", "PUT", "/open?restype=container&comp=acl", nil, "x-ms-blob-public-access", "blob")
	s.want(201, "", "PUT", "/open/short", []byte("hello"), "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")

	private, public := here+"/box/short", here+"/open/short"
	account, scoped := s.source("/box/short", "r"), here+s.signed("/box/short", "box", "short", auth.SAS{Permissions: "r", Expiry: s.inAnHour()})
	another := here + s.signed("/box/short", "box", "long", auth.SAS{Permissions: "r", Expiry: s.inAnHour()})
	write := s.signed("/box/dest", "box", "", auth.SAS{Permissions: "rw", Expiry: s.inAnHour()})
	bearer := []string{"x-ms-copy-source-authorization", token}
	ways := map[string]struct {
		target  string
		headers []string
		ok      int
	}{
		"async":  {"/box/dest", nil, 202},
		"sync":   {"/box/dest", []string{"x-ms-requires-sync", "true"}, 202},
		"put":    {"/box/dest", []string{"x-ms-blob-type", "BlockBlob"}, 201},
		"block":  {"/box/dest?comp=block&blockid=" + base64ID("a"), nil, 201},
		"append": {"/box/log?comp=appendblock", nil, 201},
	}
	for name, way := range ways {
		for i, c := range []struct {
			from   string
			source []string
			status int
		}{
			{public, nil, way.ok},
			{account, nil, way.ok},
			{scoped, nil, way.ok},
			{another, nil, 403},
			{private, bearer, way.ok},
			{private, nil, 401},
		} {
			for kind, headers := range map[string][]string{"key": nil, "token": {"Authorization", token}} {
				want, code := c.status, ""
				// The request's own credentials count for the source.
				own := c.from == private && (name == "async" || kind == "token" && name != "sync")
				if own {
					want = way.ok
				}
				if want >= 400 {
					code = "CannotVerifyCopySource"
				}
				all := append(append(append([]string{"x-ms-copy-source", c.from}, headers...), way.headers...), c.source...)
				send := s.ask
				if kind == "key" {
					send = s.doTLS
				}
				if a := send("PUT", way.target, nil, append(all, "Content-Length", "0")...); a.status != want || a.code() != code {
					t.Errorf("%s, source %d, by %s: %d %s, want %d\n%s", name, i, kind, a.status, a.code(), want, a.body)
				}
			}
		}
	}
	// A signature for the destination says nothing of the source.
	s.asked(401, "CannotVerifyCopySource", "PUT", write, nil, "x-ms-copy-source", private, "Content-Length", "0")
	s.asked(202, "", "PUT", write, nil, "x-ms-copy-source", account, "Content-Length", "0")
	// A token is not taken for the source over plain HTTP.
	s.copy(403, "CannotVerifyCopySource", "/box/dest", private, append(bearer, "x-ms-requires-sync", "true")...)
	// A source that a token may read, and that is not there.
	for _, way := range ways {
		if way.ok != 201 {
			continue
		}
		a := s.ask("PUT", way.target, nil, append([]string{"Authorization", token, "x-ms-copy-source", here + "/box/none", "Content-Length", "0"}, way.headers...)...)
		if a.status != 404 || a.code() != "CannotVerifyCopySource" || a.get("x-ms-copy-source-error-code") != "BlobNotFound" {
			t.Errorf("missing source by token to %s: %d %v", way.target, a.status, a.header)
		}
	}
	trust.Access = nil
	s.copy(409, "BlobAlreadyExists", "/box/dest", private, "If-None-Match", "*")
	if a := s.ask("PUT", "/box/dest", nil, "Authorization", token, "x-ms-copy-source", private, "Content-Length", "0"); a.code() != "AuthorizationPermissionMismatch" {
		t.Errorf("without a role: %d %s", a.status, a.code())
	}
}

// doTLS is do over TLS.
func (s *store) doTLS(method, target string, body []byte, headers ...string) *answer {
	s.t.Helper()
	r := s.request(method, target, body, headers...)
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	req, err := wire.NewRequest(w, r, s.clock.Now(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Serve(req)
	return &answer{w.Code, w.Header(), w.Body.Bytes()}
}

func TestCopyOfAnArchivedBlob(t *testing.T) {
	s := newCopies(t)
	s.want(200, "", "PUT", "/box/short?comp=tier", nil, "x-ms-access-tier", "Archive")
	a := s.copy(409, "CannotVerifyCopySource", "/box/dest", here+"/box/short")
	if a.get("x-ms-copy-source-error-code") != "BlobArchived" {
		t.Errorf("answered %v", a.header)
	}
	s.copy(409, "CannotVerifyCopySource", "/box/dest", s.source("/box/short", "r"), "x-ms-requires-sync", "true", "x-ms-access-tier", "Hot")
	s.copy(409, "CannotVerifyCopySource", "/box/dest", s.source("/box/short", "r"), "x-ms-blob-type", "BlockBlob", "x-ms-access-tier", "Hot")
	s.copy(202, "", "/box/dest", here+"/box/short", "x-ms-access-tier", "Cool")
	h := s.want(200, "", "HEAD", "/box/dest", nil)
	if h.get("x-ms-access-tier") != "Archive" || h.get("x-ms-archive-status") != "rehydrate-pending-to-cool" {
		t.Errorf("the copy has %v", h.header)
	}
	s.want(409, "BlobBeingRehydrated", "GET", "/box/dest", nil)
	s.copy(409, "CannotVerifyCopySource", "/box/other", here+"/box/dest", "x-ms-access-tier", "Hot")
	s.step(24 * time.Hour)
	if got := s.want(200, "", "GET", "/box/dest", nil); string(got.body) != "hello" || got.get("x-ms-access-tier") != "Cool" {
		t.Errorf("after a day %q %v", got.body, got.header)
	}
	s.copy(202, "", "/box/other", here+"/box/dest", "x-ms-access-tier", "Hot")
	if h := s.want(200, "", "HEAD", "/box/other", nil); h.get("x-ms-access-tier") != "Hot" {
		t.Errorf("the copy has %v", h.header)
	}
}

func TestCopyAndVersions(t *testing.T) {
	s := newCopies(t)
	s.versioning(true)
	first := s.want(201, "", "PUT", "/box/dest", content(50<<10), "x-ms-blob-type", "BlockBlob").get("x-ms-version-id")
	second := s.copy(202, "", "/box/dest", here+"/box/dest", "x-ms-meta-k", "2").get("x-ms-version-id")
	s.copy(202, "", "/box/dest", here+"/box/short")
	last := s.copy(202, "", "/other/dest", here+"/box/dest?versionid="+second).get("x-ms-version-id")
	if first == "" || second == "" || last == "" || first == second {
		t.Errorf("versions %q, %q, %q", first, second, last)
	}
	s.sweep()
	s.sameBytes("/box/dest?versionid="+first, "/box/dest?versionid="+second)
	s.sameBytes("/box/dest?versionid="+first, "/other/dest")
	s.want(202, "", "DELETE", "/box/dest?versionid="+first, nil)
	s.want(202, "", "DELETE", "/box/dest?versionid="+second, nil)
	s.sweep()
	if got := s.want(200, "", "GET", "/other/dest?versionid="+last, nil); len(got.body) != 50<<10 {
		t.Errorf("%d bytes are left", len(got.body))
	}
	if got := s.want(200, "", "GET", "/box/dest", nil); string(got.body) != "hello" {
		t.Errorf("current is %q", got.body)
	}
	s.copy(202, "", "/box/dest", here+"/other/dest?versionid="+last)
	s.sameBytes("/box/dest", "/other/dest")
}

// onOpen does something when a segment is opened for the first time.
type onOpen struct {
	segment.Store
	once sync.Once
	do   func()
}

func (o *onOpen) Open(ctx context.Context, ref segment.Ref, off, n int64) (io.ReadCloser, error) {
	r, err := o.Store.Open(ctx, ref, off, n)
	o.once.Do(o.do)
	return r, err
}

// TestSourceThatChanges overwrites the source between its verification and the copy.
func TestSourceThatChanges(t *testing.T) {
	for name, changed := range map[string][]byte{"other bytes": make([]byte, 100<<10), "the same bytes": content(100 << 10)} {
		t.Run(name, func(t *testing.T) {
			s := newCopies(t)
			sum := md5.Sum(content(100 << 10))
			all := s.Service.Options
			opened := &onOpen{Store: s.Segments}
			opened.do = func() { s.want(201, "", "PUT", "/box/long", changed, "x-ms-blob-type", "BlockBlob") }
			all.Segments = opened
			s.Service = service.New(all)
			headers := []string{"x-ms-requires-sync", "true", "x-ms-source-content-md5", base64.StdEncoding.EncodeToString(sum[:])}
			if name == "other bytes" {
				s.copy(400, "Md5Mismatch", "/box/dest", s.source("/box/long", "r"), headers...)
				s.want(404, "BlobNotFound", "GET", "/box/dest", nil)
				return
			}
			s.copy(202, "", "/box/dest", s.source("/box/long", "r"), headers...)
			s.sweep()
			s.sameBytes("/box/long", "/box/dest")
		})
	}
}

// TestCopiesAtOnce copies to and fro while sources are written over; every copy is
// one of the states of its source as a whole.
func TestCopiesAtOnce(t *testing.T) {
	s := newCopies(t)
	const blobs, rounds = 4, 25
	var all sync.WaitGroup
	for i := range blobs {
		s.want(201, "", "PUT", fmt.Sprintf("/box/n%d", i), make([]byte, 40<<10), "x-ms-blob-type", "BlockBlob")
	}
	for i := range blobs {
		all.Go(func() {
			for round := range rounds {
				own, next := fmt.Sprintf("/box/n%d", i), fmt.Sprintf("/box/n%d", (i+1)%blobs)
				if a := s.do("PUT", own, nil, "x-ms-copy-source", here+next); a.status != 202 {
					t.Errorf("copy: %d %s", a.status, a.code())
				}
				body := make([]byte, 40<<10)
				for j := range body {
					body[j] = byte(i*rounds + round)
				}
				if a := s.do("PUT", next, body, "x-ms-blob-type", "BlockBlob"); a.status != 201 {
					t.Errorf("write: %d %s", a.status, a.code())
				}
			}
		})
	}
	all.Wait()
	s.sweep()
	for i := range blobs {
		got := s.want(200, "", "GET", fmt.Sprintf("/box/n%d", i), nil)
		for _, b := range got.body {
			if b != got.body[0] || len(got.body) != 40<<10 {
				t.Fatalf("blob %d is a mixture", i)
			}
		}
	}
}
