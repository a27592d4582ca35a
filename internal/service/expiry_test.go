package service_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
)

// expiring makes a store whose blobs can expire.
func expiring(t *testing.T) *store {
	s := newStore(t).with(service.Features{Expiry: true})
	s.box()
	return s
}

func (s *store) expireIn(path string, d time.Duration) {
	s.t.Helper()
	s.want(200, "", "PUT", path+"?comp=expiry", nil, "x-ms-expiry-option", "RelativeToNow", "x-ms-expiry-time", strconv.FormatInt(d.Milliseconds(), 10))
}

// TestExpiredBlobsAreReaped lets blobs of every form expire, leased ones too: they are
// gone at once for every read, and their space comes back without a request.
func TestExpiredBlobsAreReaped(t *testing.T) {
	s := expiring(t)
	s.put("inline", 10, "x-ms-tags", "k=v")
	s.put("segment", 100_000)
	s.want(201, "", "PUT", "/box/pages", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "512")
	s.want(201, "", "PUT", "/box/pages?comp=page", make([]byte, 512), "x-ms-page-write", "update", "Range", "bytes=0-511")
	s.put("leased", 10)
	s.lease(201, "", "/box/leased", "acquire", "x-ms-lease-duration", "-1")
	s.put("staged", 10)
	s.want(201, "", "PUT", "/box/staged?comp=block&blockid="+base64ID("a"), []byte("x"))
	names := []string{"inline", "segment", "pages", "leased", "staged"}
	for _, name := range names {
		s.expireIn("/box/"+name, time.Minute)
	}
	s.put("stays", 10)
	stored := s.stored()
	s.sweepAfter(59 * time.Second)
	if now := s.stored(); now != stored || len(s.keys("y")) != len(names) {
		t.Errorf("before the time: %d objects of %d, index %q", now, stored, s.keys("y"))
	}
	s.step(2 * time.Second) // the store's clock counts its updates too
	for _, name := range names {
		s.want(404, "BlobNotFound", "HEAD", "/box/"+name, nil)
	}
	list := string(s.want(200, "", "GET", "/box?restype=container&comp=list&include=uncommittedblobs,deleted,versions", nil).body)
	leases := string(s.want(200, "", "GET", "?comp=leases", nil).body)
	if strings.Count(list, "<Name>") != 1 || strings.Contains(leases, "leased") {
		t.Errorf("listed: %s\n%s", list, leases)
	}
	s.sweepAfter(0)
	for _, key := range s.keys("y", "l", "t", "b") {
		if strings.HasSuffix(key, "\xFF") != strings.Contains(key, "stays") {
			t.Errorf("key %q is left", key)
		}
	}
	s.sweepAfter(time.Hour)
	if now := s.stored(); now != 1 || len(s.keys("g", "o", "h")) != 0 || len(s.keys("b")) != 1 {
		t.Errorf("%d objects are left, and %q", now, s.keys("g", "o", "h", "b"))
	}
}

// TestExpiredBlobsAreNotCopied tries all forms of copies on a blob that has expired and was not
// reaped yet, onto itself, too.
func TestExpiredBlobsAreNotCopied(t *testing.T) {
	s := expiring(t)
	s.put("a", 10)
	snapshot := s.snapshot("a")
	s.expireIn("/box/a", time.Minute)
	s.copy(202, "", "/box/before", here+"/box/a")
	s.step(2 * time.Minute)
	source := s.source("/box/a", "r")
	for _, to := range []string{"/box/b", "/box/a"} {
		s.copy(404, "BlobNotFound", to, source)
		s.copy(404, "CannotVerifyCopySource", to, source, "x-ms-requires-sync", "true")
		s.copy(404, "CannotVerifyCopySource", to, source, "x-ms-blob-type", "BlockBlob")
		s.copy(404, "CannotVerifyCopySource", to+"?comp=block&blockid="+base64ID("a"), source)
	}
	s.copy(202, "", "/box/b", here+"/box/a?snapshot="+snapshot)
}

// TestExpiryIndexFollows: whatever changes or ends the time of a blob leaves one entry
// in the index, or none.
func TestExpiryIndexFollows(t *testing.T) {
	s := expiring(t)
	s.put("a", 10)
	for i := range 5 {
		s.expireIn("/box/a", time.Duration(i+1)*time.Hour)
	}
	index := func(n int, after string) {
		t.Helper()
		if keys := s.keys("y"); len(keys) != n {
			t.Errorf("after %s: %q, want %d", after, keys, n)
		}
	}
	index(1, "setting it five times")
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil, "x-ms-meta-a", "b")
	index(1, "a change of metadata")
	s.want(200, "", "PUT", "/box/a?comp=expiry", nil, "x-ms-expiry-option", "NeverExpire")
	index(0, "NeverExpire")
	s.expireIn("/box/a", time.Hour)
	s.want(202, "", "DELETE", "/box/a", nil)
	index(0, "a deletion")
	s.put("a", 10)
	s.expireIn("/box/a", time.Hour)
	s.put("a", 20)
	index(0, "an overwriting")
	s.expireIn("/box/a", time.Minute)
	s.step(2 * time.Minute)
	s.put("a", 30)
	index(0, "an overwriting of what has expired")
	s.sweep()
	if a := s.want(200, "", "GET", "/box/a", nil); len(a.body) != 30 {
		t.Errorf("%d bytes", len(a.body))
	}
	s.expireIn("/box/a", 365*24*time.Hour)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	s.sweep()
	s.sweep()
	index(0, "the end of the container")
}

// TestManyExpire: a sweep goes through more than fit into one step, and past those that
// stay.
func TestManyExpire(t *testing.T) {
	s := expiring(t)
	const n = 600
	for i := range n {
		name := fmt.Sprintf("b%03d", i)
		s.put(name, 1)
		s.expireIn("/box/"+name, time.Duration(1+i%2)*time.Hour)
	}
	s.sweepAfter(time.Hour + time.Second)
	if left := len(s.keys("b")); left != n/2 {
		t.Errorf("%d are left of %d", left, n)
	}
	s.sweepAfter(time.Hour)
	if left := len(s.keys("b", "d", "y")); left != 0 {
		t.Errorf("%d keys are left", left)
	}
}

// TestExpiryWaitsForProtection lets the time of blobs pass under a policy and under a hold: they
// expire when the protection is over, and the index and the sweeper follow.
func TestExpiryWaitsForProtection(t *testing.T) {
	s := newStore(t).with(service.Features{Expiry: true, Immutability: true})
	s.box()
	for _, name := range []string{"policy", "hold"} {
		s.put(name, 10)
		s.expireIn("/box/"+name, time.Minute)
	}
	s.want(200, "", "PUT", "/box/policy?comp=immutabilityPolicies", nil, "x-ms-immutability-policy-mode", "Locked",
		"x-ms-immutability-policy-until-date", s.Now().Add(time.Hour).Format(http.TimeFormat))
	s.want(200, "", "PUT", "/box/hold?comp=legalhold", nil, "x-ms-legal-hold", "true")
	s.sweepAfter(30 * time.Minute)
	for _, name := range []string{"policy", "hold"} {
		if head := s.want(200, "", "HEAD", "/box/"+name, nil); head.get("x-ms-expiry-time") == "" {
			t.Errorf("%s: it does not tell its expiry time", name)
		}
	}
	if list := s.want(200, "", "GET", "/box?restype=container&comp=list", nil); strings.Count(string(list.body), "<Name>") != 2 {
		t.Errorf("listed: %s", list.body)
	}
	if keys := s.keys("y"); len(keys) != 1 {
		t.Errorf("under protection the index of expiry times has %q, want that of the policy", keys)
	}
	s.want(200, "", "PUT", "/box/hold?comp=legalhold", nil, "x-ms-legal-hold", "false")
	s.want(404, "BlobNotFound", "HEAD", "/box/hold", nil)
	s.step(31 * time.Minute)
	s.want(404, "BlobNotFound", "HEAD", "/box/policy", nil)
	s.sweepAfter(time.Hour)
	if left := s.keys("b", "d", "y"); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}
