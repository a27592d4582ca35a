package service_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
)

// with switches features of the account on.
func (s *store) with(f service.Features) *store {
	s.Features = func(string) service.Features { return f }
	return s
}

// changes are requests that change the blob a in every way that policies forbid.
func (s *store) refuseChanges(code string) {
	s.t.Helper()
	for _, c := range []struct {
		method, target, body string
		headers              []string
	}{
		{"PUT", "/box/a", "y", []string{"x-ms-blob-type", "BlockBlob"}},
		{"PUT", "/box/a?comp=block&blockid=AAAA", "y", nil},
		{"PUT", "/box/a?comp=blocklist", "<BlockList/>", nil},
		{"PUT", "/box/a?comp=metadata", "", nil},
		{"PUT", "/box/a?comp=properties", "", nil},
		{"PUT", "/box/a?comp=snapshot", "", nil},
		{"PUT", "/box/a?comp=expiry", "", []string{"x-ms-expiry-option", "NeverExpire"}},
		{"DELETE", "/box/a", "", nil},
	} {
		s.want(409, code, c.method, c.target, []byte(c.body), c.headers...)
	}
	s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	s.want(200, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "release", "x-ms-lease-id", idA)
	s.want(204, "", "PUT", "/box/a?comp=tags", tagsXML("k", "v"))
	s.want(200, "", "PUT", "/box/a?comp=tier", nil, "x-ms-access-tier", "Cool")
	s.want(200, "", "GET", "/box/a", nil)
}

func TestImmutabilityPolicy(t *testing.T) {
	s := newStore(t).with(service.Features{Immutability: true, Expiry: true})
	s.want(201, "", "PUT", "/box?restype=container", nil)
	if a := s.want(200, "", "HEAD", "/box?restype=container", nil); a.get("x-ms-immutable-storage-with-versioning-enabled") != "true" {
		t.Error("the container does not tell that its blobs can be protected")
	}
	s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob")
	at := func(d time.Duration) string { return s.Now().Add(d).Format(http.TimeFormat) }
	const until, mode = "x-ms-immutability-policy-until-date", "x-ms-immutability-policy-mode"
	set := func(status int, code string, headers ...string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/a?comp=immutabilityPolicies", nil, headers...)
	}
	set(400, "MissingRequiredHeader")
	set(400, "InvalidHeaderValue", until, "tomorrow")
	set(400, "InvalidHeaderValue", until, at(-time.Hour))
	set(400, "InvalidHeaderValue", until, at(time.Hour), mode, "soft")
	set(412, "ConditionNotMet", until, at(time.Hour), "If-Unmodified-Since", at(-time.Hour))
	if a := set(200, "", until, at(2*time.Hour)); a.get(until) != at(2*time.Hour) || a.get(mode) != "unlocked" {
		t.Errorf("answer %v", a.header)
	}
	set(200, "", until, at(time.Hour), mode, "Unlocked")
	s.refuseChanges("BlobImmutableDueToPolicy")
	list := s.want(200, "", "GET", "/box?restype=container&comp=list&include=immutabilitypolicy,legalhold", nil)
	if !strings.Contains(string(list.body), "<ImmutabilityPolicyMode>unlocked</ImmutabilityPolicyMode>") {
		t.Errorf("listing %s", list.body)
	}
	s.want(200, "", "DELETE", "/box/a?comp=immutabilityPolicies", nil)
	s.want(200, "", "PUT", "/box/a?comp=metadata", nil)

	set(200, "", until, at(time.Hour), mode, "Locked")
	set(409, "BlobImmutableDueToPolicy", until, at(2*time.Hour))
	set(409, "BlobImmutableDueToPolicy", until, at(time.Minute), mode, "locked")
	set(200, "", until, at(2*time.Hour), mode, "locked")
	s.want(409, "ImmutabilityPolicyDeleteOnLockedPolicy", "DELETE", "/box/a?comp=immutabilityPolicies", nil)
	s.want(409, "BlobImmutableDueToPolicy", "DELETE", "/box?restype=container", nil)
	s.step(2*time.Hour + time.Second)
	s.want(202, "", "DELETE", "/box/a", nil)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
}

func TestLegalHold(t *testing.T) {
	s := newStore(t).with(service.Features{Immutability: true, Expiry: true})
	s.want(201, "", "PUT", "/box?restype=container", nil)
	until := s.Now().Add(time.Hour).Format(http.TimeFormat)
	s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-legal-hold", "true",
		"x-ms-immutability-policy-until-date", until, "x-ms-immutability-policy-mode", "unlocked")
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-legal-hold") != "true" || head.get("x-ms-immutability-policy-until-date") != until {
		t.Errorf("properties %v", head.header)
	}
	s.refuseChanges("BlobImmutableDueToLegalHold")
	s.want(400, "MissingRequiredHeader", "PUT", "/box/a?comp=legalhold", nil)
	s.want(400, "InvalidHeaderValue", "PUT", "/box/a?comp=legalhold", nil, "x-ms-legal-hold", "maybe")
	if a := s.want(200, "", "PUT", "/box/a?comp=legalhold", nil, "x-ms-legal-hold", "false"); a.get("x-ms-legal-hold") != "false" {
		t.Errorf("answer %v", a.header)
	}
	s.refuseChanges("BlobImmutableDueToPolicy")
	s.want(200, "", "DELETE", "/box/a?comp=immutabilityPolicies", nil)
	s.want(202, "", "DELETE", "/box/a", nil)
}

func TestPlainContainersProtectNothing(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(409, "BlobOperationNotSupported", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob", "x-ms-legal-hold", "true")
	s.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob")
	s.want(409, "BlobOperationNotSupported", "PUT", "/box/a?comp=legalhold", nil, "x-ms-legal-hold", "true")
	s.want(409, "BlobOperationNotSupported", "DELETE", "/box/a?comp=immutabilityPolicies", nil)
	until := s.Now().Add(time.Hour).Format(http.TimeFormat)
	s.want(409, "BlobOperationNotSupported", "PUT", "/box/a?comp=immutabilityPolicies", nil, "x-ms-immutability-policy-until-date", until)
}

func TestExpiry(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	put := func() {
		s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-tags", "k=v")
	}
	put()
	s.want(409, "HierarchicalNamespaceNotEnabled", "PUT", "/box/a?comp=expiry", nil, "x-ms-expiry-option", "NeverExpire")
	s.with(service.Features{Expiry: true})
	set := func(status int, code, option, at string) *answer {
		t.Helper()
		return s.want(status, code, "PUT", "/box/a?comp=expiry", nil, "x-ms-expiry-option", option, "x-ms-expiry-time", at)
	}
	at := func(d time.Duration) string { return s.Now().Add(d).Format(http.TimeFormat) }
	set(400, "MissingRequiredHeader", "", "")
	set(400, "MissingRequiredHeader", "Absolute", "")
	set(400, "InvalidHeaderValue", "Sometime", "1")
	set(400, "InvalidHeaderValue", "NeverExpire", "1")
	set(400, "InvalidHeaderValue", "Absolute", at(-time.Second))
	set(400, "InvalidHeaderValue", "RelativeToNow", "-1")
	set(400, "InvalidHeaderValue", "RelativeToNow", "9223372036854775807")
	for _, c := range []struct{ option, at string }{
		{"Absolute", at(8 * time.Second)},
		{"RelativeToNow", "8000"},
		{"RelativeToCreation", "8000"},
	} {
		before := s.want(200, "", "HEAD", "/box/a", nil)
		after := set(200, "", c.option, c.at)
		if after.get("ETag") == before.get("ETag") {
			t.Errorf("%s: the ETag stays", c.option)
		}
		if a := s.want(200, "", "HEAD", "/box/a", nil); a.get("x-ms-expiry-time") != at(8*time.Second) {
			t.Errorf("%s: expires at %q", c.option, a.get("x-ms-expiry-time"))
		}
	}
	s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	s.step(9 * time.Second)
	s.want(404, "BlobNotFound", "GET", "/box/a", nil)
	s.want(404, "BlobNotFound", "DELETE", "/box/a", nil)
	if list := s.want(200, "", "GET", "/box?restype=container&comp=list", nil); strings.Contains(string(list.body), "<Name>a</Name>") {
		t.Errorf("listing %s", list.body)
	}
	if found, _ := s.find("/?", "k='v'"); len(found) != 0 {
		t.Errorf("found %q", found)
	}
	created := s.Now().Format(http.TimeFormat)
	s.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "AppendBlob", "If-None-Match", "*")
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-creation-time") != created || head.get("x-ms-lease-state") != "available" || head.get("x-ms-expiry-time") != "" {
		t.Errorf("the new blob has something of the old one: %v", head.header)
	}
	s.leftovers("d")
	s.leftovers("t")
	s.leftovers("l")
	set(200, "", "RelativeToNow", "8000")
	set(200, "", "NeverExpire", "")
	s.step(time.Hour)
	s.want(200, "", "HEAD", "/box/a", nil)
}
