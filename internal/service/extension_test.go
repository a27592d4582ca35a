package service_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPlainAnswersSayNothingOfExtensions holds the answers to requests that do not ask
// to those of the protocol.
func TestPlainAnswersSayNothingOfExtensions(t *testing.T) {
	s := newStore(t)
	s.leasedBlob("/box/a", idA)
	for _, a := range []*answer{
		s.want(200, "", "HEAD", "/box/a", nil),
		s.want(200, "", "GET", "/box?restype=container", nil),
		s.lease(409, "LeaseAlreadyPresent", "/box/a", "acquire", "x-ms-lease-duration", "15"),
		s.lease(200, "", "/box/a", "renew", "x-ms-lease-id", idA),
	} {
		for name := range a.header {
			if strings.Contains(strings.ToLower(name), "leasehold") {
				t.Errorf("a plain answer carries %s", name)
			}
		}
	}
}

// leasedBlob makes a blob, and its container if need be, and leases it for 30 seconds.
func (s *store) leasedBlob(target, id string) {
	s.t.Helper()
	s.do("PUT", target[:strings.LastIndex(target, "/")]+"?restype=container", nil)
	s.want(201, "", "PUT", target, []byte("x"), "x-ms-blob-type", "BlockBlob")
	s.lease(201, "", target, "acquire", "x-ms-lease-duration", "30", "x-ms-proposed-lease-id", id)
}

func (s *store) lease(status int, code, target, action string, headers ...string) *answer {
	s.t.Helper()
	return s.want(status, code, "PUT", target+"?comp=lease", nil, append([]string{"x-ms-lease-action", action}, headers...)...)
}

func TestEpochAndHolder(t *testing.T) {
	s := newStore(t)
	s.leasedBlob("/box/a", idA)
	first := s.want(200, "", "HEAD", "/box/a", nil, "leasehold-holder", "true")
	if first.get("x-ms-leasehold") == "" || first.get("x-ms-leasehold-holder-principal") != "key" {
		t.Errorf("properties %v", first.header)
	}
	s.lease(200, "", "/box/a", "release", "x-ms-lease-id", idA)
	s.want(202, "", "DELETE", "/box/a", nil)
	s.step(time.Millisecond)
	s.leasedBlob("/box/a", idB)
	again := s.lease(200, "", "/box/a", "renew", "x-ms-lease-id", idB, "x-ms-leasehold", "1")
	before, _ := strconv.ParseUint(first.get("x-ms-leasehold-epoch"), 10, 64)
	after, err := strconv.ParseUint(again.get("x-ms-leasehold-epoch"), 10, 64)
	if err != nil || after <= before || before == 0 {
		t.Errorf("epochs %d, then %d, %v", before, after, err)
	}
	refused := s.lease(409, "LeaseAlreadyPresent", "/box/a", "acquire", "x-ms-lease-duration", "15", "leasehold", "1")
	if refused.get("x-ms-leasehold") == "" {
		t.Error("a refusal to a request that asks does not tell of the extensions")
	}
	s.lease(400, "InvalidHeaderValue", "/box/a", "acquire", "x-ms-lease-duration", "15", "leasehold-wait", "soon")
}

func TestListLeases(t *testing.T) {
	s := newStore(t)
	for i := range 5 {
		s.leasedBlob(fmt.Sprintf("/box%d/a", i%2), idA)
		s.want(201, "", "PUT", fmt.Sprintf("/box%d/b%d", i%2, i), []byte("x"), "x-ms-blob-type", "BlockBlob")
		s.lease(201, "", fmt.Sprintf("/box%d/b%d", i%2, i), "acquire", "x-ms-lease-duration", "-1")
		s.lease(200, "", "/box"+strconv.Itoa(i%2)+"/a", "release", "x-ms-lease-id", idA)
	}
	s.want(201, "", "PUT", "/box0?restype=container&comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15")
	type page struct {
		Leases []struct{ Container, Blob, State string }
		Next   string `json:"nextMarker"`
	}
	var got []string
	marker := ""
	for range 10 {
		a := s.want(200, "", "GET", "?comp=leases&maxresults=2&marker="+marker, nil, "Accept", "application/json")
		var p page
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		for _, l := range p.Leases {
			got = append(got, l.Container+"/"+l.Blob)
		}
		if marker = p.Next; marker == "" {
			break
		}
	}
	if want := "box0/ box0/b0 box0/b2 box0/b4 box1/b1 box1/b3"; strings.Join(got, " ") != want {
		t.Errorf("leases %q, want %q", got, want)
	}
	s.step(time.Hour)
	if a := s.want(200, "", "GET", "?comp=leases&prefix=box0&state=leased", nil); strings.Count(string(a.body), "<Lease>") != 3 {
		t.Errorf("after the finite one ended: %s", a.body)
	}
}

// TestWaitersAreServedInOrder lets ten requests wait, and releases, breaks and expires
// the leases before them.
func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStoreAt(t, &clock{virtual: true})
		s.leasedBlob("/box/a", idA)
		const waiters = 10
		granted := make(chan int, waiters)
		for i := range waiters {
			go func() {
				id := fmt.Sprintf("00000000-0000-0000-0000-%012d", i)
				a := s.do("PUT", "/box/a?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15",
					"x-ms-proposed-lease-id", id, "leasehold-wait", "60")
				if a.status == 201 {
					granted <- i
				} else {
					granted <- -1
				}
			}()
			synctest.Wait()
		}
		holder := idA
		for i := range 3 {
			switch i {
			case 0:
				s.lease(200, "", "/box/a", "release", "x-ms-lease-id", holder)
			case 1:
				s.lease(202, "", "/box/a", "break", "x-ms-lease-break-period", "0")
			case 2:
				<-time.After(15*time.Second + 2*time.Millisecond) // virtual: the lease ends by itself
			}
			synctest.Wait()
			if got := <-granted; got != i {
				t.Fatalf("turn %d went to %d", i, got)
			}
			holder = fmt.Sprintf("00000000-0000-0000-0000-%012d", i)
		}
		// A request that does not wait comes behind those that do.
		s.lease(200, "", "/box/a", "release", "x-ms-lease-id", holder)
		s.lease(409, "LeaseAlreadyPresent", "/box/a", "acquire", "x-ms-lease-duration", "15")
		if got := <-granted; got != 3 {
			t.Fatalf("turn 3 went to %d", got)
		}
		s.lease(202, "", "/box/a", "break", "x-ms-lease-break-period", "0")
		synctest.Wait()
		s.want(202, "", "DELETE", "/box/a", nil, "x-ms-lease-id", fmt.Sprintf("00000000-0000-0000-0000-%012d", 4))
		synctest.Wait()
		if got := <-granted; got != 4 {
			t.Fatalf("turn 4 went to %d", got)
		}
		for range waiters - 5 {
			if got := <-granted; got != -1 {
				t.Errorf("request %d was granted a lease on a deleted blob", got)
			}
		}
	})
}

func TestWaitEndsWithTheUsualRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStoreAt(t, &clock{virtual: true})
		s.leasedBlob("/box/a", idA)
		start := time.Now()
		s.lease(409, "LeaseAlreadyPresent", "/box/a", "acquire", "x-ms-lease-duration", "15", "leasehold-wait", "5")
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}
