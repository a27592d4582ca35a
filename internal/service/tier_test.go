package service_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSetTier(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	etag := s.want(201, "", "PUT", "/box/a", []byte("x"), "x-ms-blob-type", "BlockBlob", "x-ms-access-tier", "").get("ETag")
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-access-tier") != "Hot" || head.get("x-ms-access-tier-inferred") != "true" || head.get("x-ms-access-tier-change-time") != "" {
		t.Errorf("a blob without a tier: %v", head.header)
	}
	set := func(status int, code, tier string, headers ...string) {
		t.Helper()
		s.want(status, code, "PUT", "/box/a?comp=tier", nil, append(headers, "x-ms-access-tier", tier)...)
	}
	set(400, "MissingRequiredHeader", "")
	set(400, "InvalidHeaderValue", "Tepid")
	set(400, "AccessTierNotSupportedForBlobType", "P4")
	set(400, "InvalidHeaderValue", "Cool", "x-ms-rehydrate-priority", "soon")
	set(412, "ConditionNotMet", "Cool", "x-ms-if-tags", "a='1'")
	for _, tier := range []string{"Cool", "Cold", "Smart", "Hot"} {
		set(200, "", tier)
		for _, method := range []string{"GET", "HEAD"} {
			a := s.want(200, "", method, "/box/a", nil)
			if a.get("x-ms-access-tier") != tier || a.get("x-ms-access-tier-inferred") != "" || a.get("ETag") != etag ||
				a.get("x-ms-access-tier-change-time") == "" || (a.get("x-ms-smart-access-tier") == "Hot") != (tier == "Smart") {
				t.Errorf("%s in tier %s: %v", method, tier, a.header)
			}
		}
	}
	s.want(201, "", "PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	set(412, "LeaseIdMissing", "Cool")
	set(200, "", "Cool", "x-ms-lease-id", idA)
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	s.want(400, "AccessTierNotSupportedForBlobType", "PUT", "/box/log?comp=tier", nil, "x-ms-access-tier", "Hot")
	if a := s.want(200, "", "HEAD", "/box/log", nil); a.get("x-ms-access-tier") != "" {
		t.Error("an append blob has a tier")
	}
	s.want(404, "BlobNotFound", "PUT", "/box/none?comp=tier", nil, "x-ms-access-tier", "Hot")
}

func TestTheArchive(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	put := func(name string, headers ...string) {
		t.Helper()
		s.want(201, "", "PUT", "/box/"+name, []byte("x"), append(headers, "x-ms-blob-type", "BlockBlob")...)
	}
	put("a", "x-ms-access-tier", "Archive")
	refused := func(code string) {
		t.Helper()
		s.want(409, code, "GET", "/box/a", nil)
		s.want(409, code, "PUT", "/box/a", []byte("y"), "x-ms-blob-type", "BlockBlob")
		s.want(409, code, "PUT", "/box/a?comp=block&blockid=AAAA", []byte("y"))
		s.want(409, code, "PUT", "/box/a?comp=metadata", nil)
		s.want(409, code, "PUT", "/box/a?comp=snapshot", nil)
	}
	refused("BlobArchived")
	s.want(204, "", "PUT", "/box/a?comp=tags", tagsXML("k", "v"))
	s.want(200, "", "PUT", "/box/a?comp=tier", nil, "x-ms-access-tier", "Archive", "x-ms-rehydrate-priority", "Standard")
	s.want(202, "", "PUT", "/box/a?comp=tier", nil, "x-ms-access-tier", "Cool")
	refused("BlobBeingRehydrated")
	s.want(409, "BlobBeingRehydrated", "PUT", "/box/a?comp=tier", nil, "x-ms-access-tier", "Hot")
	head := s.want(200, "", "HEAD", "/box/a", nil)
	if head.get("x-ms-access-tier") != "Archive" || head.get("x-ms-archive-status") != "rehydrate-pending-to-cool" ||
		head.get("x-ms-rehydrate-priority") != "Standard" {
		t.Errorf("on its way: %v", head.header)
	}
	list := s.want(200, "", "GET", "/box?restype=container&comp=list", nil)
	if !strings.Contains(string(list.body), "<ArchiveStatus>rehydrate-pending-to-cool</ArchiveStatus>") {
		t.Errorf("listing %s", list.body)
	}
	s.want(202, "", "PUT", "/box/a?comp=tier", nil, "x-ms-access-tier", "Cool", "x-ms-rehydrate-priority", "high")
	s.step(7 * time.Second)
	if a := s.want(200, "", "GET", "/box/a", nil); a.get("x-ms-access-tier") != "Cool" || string(a.body) != "x" {
		t.Errorf("back from the archive: %v", a.header)
	}
	put("a")
	if a := s.want(200, "", "HEAD", "/box/a", nil); a.get("x-ms-access-tier") != "Cool" {
		t.Errorf("overwritten: %v", a.header)
	}
	snap := s.want(201, "", "PUT", "/box/a?comp=snapshot", nil).get("x-ms-snapshot")
	s.want(200, "", "PUT", "/box/a?comp=tier&snapshot="+snap, nil, "x-ms-access-tier", "Archive")
	s.want(409, "BlobArchived", "PUT", "/box/a?comp=tier&snapshot="+snap, nil, "x-ms-access-tier", "Cool")
	s.want(409, "BlobArchived", "GET", "/box/a?snapshot="+snap, nil)
	s.want(200, "", "GET", "/box/a", nil)
}

func TestDeletionAsksWhenTheTierWasChanged(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	at := func(d time.Duration) string { return s.Now().Add(d).Format(http.TimeFormat) }
	for _, tier := range []string{"", "Hot"} {
		for _, c := range []struct {
			header string
			off    time.Duration
			status int
		}{
			{"x-ms-access-tier-if-modified-since", -10 * time.Second, 202},
			{"x-ms-access-tier-if-modified-since", 0, 412},
			{"x-ms-access-tier-if-unmodified-since", -10 * time.Second, 412},
			{"x-ms-access-tier-if-unmodified-since", 0, 202},
		} {
			s.want(201, "", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob", "x-ms-access-tier", tier)
			code := ""
			if c.status == 412 {
				code = "AccessTierChangeTimeConditionNotMet"
			}
			s.want(c.status, code, "DELETE", "/box/a", nil, c.header, at(c.off))
			s.do("DELETE", "/box/a", nil)
		}
	}
}
