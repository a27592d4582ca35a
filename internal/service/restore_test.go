package service_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/service"
)

// retainContainers switches soft delete of containers on, for some days.
func (s *store) retainContainers(days int) {
	s.Features = func(string) service.Features { return service.Features{ContainerRetention: days} }
}

type containerItem struct {
	Name        string
	Deleted     bool
	Version     string
	LeaseStatus string `xml:"Properties>LeaseStatus"`
	LeaseState  string `xml:"Properties>LeaseState"`
	DeletedTime string `xml:"Properties>DeletedTime"`
	Remaining   *int   `xml:"Properties>RemainingRetentionDays"`
}

// wantContainers lists containers in pages of one and checks their names, those of
// soft-deleted ones with a minus in front.
func (s *store) wantContainers(query string, want ...string) (all []containerItem) {
	s.t.Helper()
	var names []string
	for marker := ""; ; {
		p := unmarshal[struct {
			Containers []containerItem `xml:"Containers>Container"`
			Next       string          `xml:"NextMarker"`
		}](s.t, s.want(200, "", "GET", "/?comp=list&maxresults=1&marker="+marker+"&"+query, nil))
		all = append(all, p.Containers...)
		if marker = p.Next; marker == "" {
			break
		}
	}
	for _, c := range all {
		if c.Deleted {
			c.Name = "-" + c.Name
		}
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		s.t.Fatalf("containers %s, want %s", got, strings.Join(want, " "))
	}
	return all
}

func TestRestoreContainer(t *testing.T) {
	s := newStore(t)
	s.retainContainers(7)
	s.box()
	s.want(201, "", "PUT", "/box2?restype=container", nil)
	s.put("a", 1)
	s.want(201, "", "PUT", "/box?restype=container&comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", idA)
	s.want(412, "LeaseIdMissing", "DELETE", "/box?restype=container", nil)
	s.step(time.Minute)
	s.want(202, "", "DELETE", "/box?restype=container", nil, "x-ms-lease-id", idA)
	s.want(404, "ContainerNotFound", "GET", "/box/a", nil)
	s.want(404, "ContainerNotFound", "GET", "/box?restype=container", nil)
	s.wantContainers("", "box2")
	s.step(time.Minute)
	s.box()
	s.put("b", 1)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	s.box()
	items := s.wantContainers("include=deleted", "box", "-box", "-box", "box2")
	first, second := items[1], items[2]
	if first.LeaseState != "expired" || first.LeaseStatus != "unlocked" || first.DeletedTime != "Tue, 03 Mar 2026 08:01:00 GMT" || *first.Remaining != 6 ||
		!strings.HasPrefix(first.Version, "01DC") || len(first.Version) != 16 || first.Version >= second.Version {
		t.Errorf("listed as %+v and %+v", first, second)
	}

	restore := func(status int, code, target, name, version string) {
		t.Helper()
		s.want(status, code, "PUT", target+"?restype=container&comp=undelete", nil,
			"x-ms-deleted-container-name", name, "x-ms-deleted-container-version", version)
	}
	restore(400, "MissingRequiredHeader", "/box", "", first.Version)
	restore(400, "MissingRequiredHeader", "/box", "box", "")
	restore(400, "MissingRequiredHeader", "/", "", "")
	restore(400, "InvalidUri", "/", "box", first.Version)
	restore(400, "InvalidHeaderValue", "/box", "box", "1")
	restore(400, "InvalidHeaderValue", "/box", "box", strings.ToLower(first.Version))
	restore(400, "InvalidHeaderValue", "/new", "box", first.Version)
	restore(409, "ContainerAlreadyExists", "/box", "box", first.Version)
	restore(404, "ContainerNotFound", "/none", "none", first.Version)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	restore(404, "ContainerNotFound", "/box", "box", "01D6954159845195")
	restore(201, "", "/box", "box", first.Version)
	s.wantList("", "a:base:1")
	if got := s.want(200, "", "GET", "/box?restype=container", nil); got.get("x-ms-lease-state") != "available" {
		t.Errorf("restored: %v", got.header)
	}
	s.wantContainers("include=deleted", "box", "-box", "-box", "box2")

	s.step(7*day + time.Hour)
	s.sweep()
	s.wantContainers("include=deleted", "box", "box2")
	s.sweep()
	s.wantList("", "a:base:1")
	if n := s.stored(); n != 1 {
		t.Errorf("%d objects are left", n)
	}
	s.retainContainers(0)
	s.want(202, "", "DELETE", "/box?restype=container", nil)
	s.wantContainers("include=deleted", "box2")
	s.sweep()
	s.sweep()
	if left := s.keys("b", "d", "g", "l", "w", "x"); len(left) != 0 {
		t.Errorf("keys are left: %q", left)
	}
}
