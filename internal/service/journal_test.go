package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// table returns the live leases that the journal knows, with their states.
func (s *store) table() (rows []string) {
	now, err := s.StoreTime(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.Journal.List(&journal.Query{Account: account, Limit: 100}, now).Rows {
		rows = append(rows, fmt.Sprintf("%s breaking=%t", r.Name, r.Breaking))
	}
	return rows
}

// listed returns the live leases that the operation lists.
func (s *store) listed(prefix string) (rows []string) {
	a := s.do("GET", "?comp=leases&prefix="+prefix, nil, "Accept", "application/json")
	var all struct {
		Leases []struct{ Container, Blob, State string }
	}
	if err := json.Unmarshal(a.body, &all); err != nil {
		s.t.Fatalf("%v: %s", err, a.body)
	}
	for _, l := range all.Leases {
		name := journal.Name{Container: l.Container, Blob: l.Blob}
		rows = append(rows, fmt.Sprintf("%s breaking=%t", name, l.State == "breaking"))
	}
	return rows
}

// must sends requests that succeed.
func (s *store) must(method, target string, headers ...string) *answer {
	s.t.Helper()
	a := s.do(method, target, nil, headers...)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, target, a.status, a.code())
	}
	return a
}

// TestJournalFollowsEveryChange: whatever changes a lease, the table of the journal is the list of
// leases afterwards.
func TestJournalFollowsEveryChange(t *testing.T) {
	s := newStore(t)
	const id = "11111111-1111-1111-1111-111111111111"
	acquire := []string{"x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "x-ms-proposed-lease-id", id}
	put := []string{"x-ms-blob-type", "BlockBlob"}
	s.must("PUT", "/con?restype=container")
	for _, step := range []struct {
		what, method, target string
		headers              []string
		last                 string // event
	}{
		{"a container is leased", "PUT", "/con?restype=container&comp=lease", acquire, "acquired"},
		{"its lease is broken", "PUT", "/con?restype=container&comp=lease", []string{"x-ms-lease-action", "break", "x-ms-lease-break-period", "9"}, "broken"},
		{"a blob is made", "PUT", "/con/b", put, "broken"},
		{"it is leased", "PUT", "/con/b?comp=lease", acquire, "acquired"},
		{"it is overwritten", "PUT", "/con/b", append(put, "x-ms-lease-id", id), "acquired"},
		{"its lease is renewed", "PUT", "/con/b?comp=lease", []string{"x-ms-lease-action", "renew", "x-ms-lease-id", id}, "acquired"},
		{"it is deleted", "DELETE", "/con/b", []string{"x-ms-lease-id", id}, "deleted"},
		{"it is made again", "PUT", "/con/b", put, "deleted"},
		{"and leased", "PUT", "/con/b?comp=lease", acquire, "acquired"},
		{"and released", "PUT", "/con/b?comp=lease", []string{"x-ms-lease-action", "release", "x-ms-lease-id", id}, "released"},
		{"and leased", "PUT", "/con/b?comp=lease", acquire, "acquired"},
		{"the container is released", "PUT", "/con?restype=container&comp=lease", []string{"x-ms-lease-action", "release", "x-ms-lease-id", id}, "released"},
		{"the container is deleted", "DELETE", "/con?restype=container", nil, "deleted"},
	} {
		s.step(time.Millisecond)
		s.must(step.method, step.target, step.headers...)
		if got, want := s.table(), s.listed(""); !slices.Equal(got, want) {
			t.Errorf("%s: the journal has %q, the list %q", step.what, got, want)
		}
		if events := s.Journal.Events(journal.Name{}, 1); len(events) != 1 || events[0].Kind.String() != step.last {
			t.Errorf("%s: the last event is %+v, want %s", step.what, events, step.last)
		}
	}
}

// TestRefusalsAreNoted: a request that a lease refuses is counted by its code and sender.
func TestRefusalsAreNoted(t *testing.T) {
	s := newStore(t)
	s.must("PUT", "/con?restype=container")
	s.must("PUT", "/con/b", "x-ms-blob-type", "BlockBlob")
	s.must("PUT", "/con/b?comp=lease", "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15")
	s.remote = "10.0.0.9:1"
	s.do("PUT", "/con/b?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15")
	s.do("PUT", "/con/b", nil, "x-ms-blob-type", "BlockBlob")
	s.do("PUT", "/con/none", nil, "x-ms-blob-type", "NoBlob")
	all := s.Journal.Contention(account, s.clock.Now())
	if len(all) != 1 || all[0].LastHour != 2 || len(all[0].Codes) != 2 || len(all[0].Clients) != 1 || all[0].Clients[0].Address != "10.0.0.9" {
		t.Errorf("got %+v", all)
	}
}

// TestBreakOnlyWhatWasSeen: a break with the epoch of an earlier lease frees nobody.
func TestBreakOnlyWhatWasSeen(t *testing.T) {
	for _, target := range []string{"/con?restype=container&comp=lease", "/con/b?comp=lease"} {
		s := newStore(t)
		s.must("PUT", "/con?restype=container")
		s.must("PUT", "/con/b", "x-ms-blob-type", "BlockBlob")
		epoch := func() string {
			a := s.must("PUT", target, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1", "leasehold", "1")
			return a.get("x-ms-leasehold-epoch")
		}
		breakIt := func(headers ...string) *answer {
			return s.do("PUT", target, nil, append(headers, "x-ms-lease-action", "break", "x-ms-lease-break-period", "0")...)
		}
		seen := epoch()
		breakIt()
		now := epoch()
		for _, name := range []string{"leasehold-if-epoch", "x-ms-leasehold-if-epoch"} {
			if a := breakIt(name, seen); a.status != http.StatusPreconditionFailed || a.code() != "ConditionNotMet" {
				t.Errorf("%s with another epoch: %d %s", target, a.status, a.code())
			}
			if a := breakIt(name, "first"); a.status != http.StatusBadRequest || a.code() != "InvalidHeaderValue" {
				t.Errorf("%s with a malformed epoch: %d %s", target, a.status, a.code())
			}
		}
		if got := s.listed(""); len(got) != 1 {
			t.Errorf("after refusals: %q", got)
		}
		if a := breakIt("leasehold-if-epoch", now); a.status != http.StatusAccepted {
			t.Errorf("%s with its epoch: %d %s", target, a.status, a.code())
		}
	}
}

// indexed returns how many entries the index of leases has.
func indexed(t *testing.T, db kv.DB) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(r kv.Reader) error {
		return meta.WalkLeases(r, account, "", func(meta.LeaseEntry) (meta.Step, error) {
			n++
			return meta.Next, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEndedLeasesLeaveTheIndex: what ends by time is taken out of the index, by the process that
// saw it and by the next one, and comes back with the next acquire or a renewal after the end.
func TestEndedLeasesLeaveTheIndex(t *testing.T) {
	const id = "11111111-1111-1111-1111-111111111111"
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	bodies := segments.New(nil)
	s := newStoreOn(t, c, db, bodies)
	s.must("PUT", "/con?restype=container")
	for i := range 150 {
		s.must("PUT", fmt.Sprintf("/con/b%03d", i), "x-ms-blob-type", "BlockBlob")
		s.must("PUT", fmt.Sprintf("/con/b%03d?comp=lease", i), "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15", "x-ms-proposed-lease-id", id)
	}
	s.must("PUT", "/con?restype=container&comp=lease", "x-ms-lease-action", "acquire", "x-ms-lease-duration", "15")
	c.step(10 * time.Second)
	s.must("PUT", "/con/b001?comp=lease", "x-ms-lease-action", "renew", "x-ms-lease-id", id)
	c.step(6 * time.Second)
	if err := s.RetireLeases(t.Context(), s.Journal.Advance(c.Now())); err != nil {
		t.Fatal(err)
	}
	if n := indexed(t, db); n != 1 {
		t.Fatalf("%d entries, want that of the lease which was renewed", n)
	}
	s.must("PUT", "/con/b000?comp=lease", "x-ms-lease-action", "renew", "x-ms-lease-id", id)
	if got, want := s.listed("con/b0"), []string{"con/b000 breaking=false", "con/b001 breaking=false"}; !slices.Equal(got, want) {
		t.Errorf("after a renewal of an ended lease: %q", got)
	}
	c.step(time.Minute)
	next := newStoreOn(t, c, db, bodies)
	if err := next.FillJournal(t.Context(), []string{account}); err != nil {
		t.Fatal(err)
	}
	if n := indexed(t, db); n != 0 || len(next.table()) != 0 {
		t.Errorf("the next process leaves %d entries, and shows %q", n, next.table())
	}
}

// TestFillJournal: a process that starts shows the leases that are live, with their holders.
func TestFillJournal(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	t.Cleanup(func() { db.Close() })
	bodies := segments.New(nil)
	s := newStoreOn(t, c, db, bodies)
	s.remote = "10.0.0.7:1"
	s.must("PUT", "/con?restype=container")
	s.must("PUT", "/con/b", "x-ms-blob-type", "BlockBlob")
	s.must("PUT", "/con/b?comp=lease", "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	next := newStoreOn(t, c, db, bodies)
	if err := next.FillJournal(t.Context(), []string{account}); err != nil {
		t.Fatal(err)
	}
	r, _, ok := next.Journal.Lookup(journal.Name{Account: account, Container: "con", Blob: "b"})
	if !ok || r.Gone || r.Holder.Address != "10.0.0.7" || r.Duration != lease.Infinite {
		t.Errorf("got %+v %t", r, ok)
	}
}

// TestLeaseListPrefix: a prefix finds exactly the names that begin so, wherever its container ends.
func TestLeaseListPrefix(t *testing.T) {
	s := newStore(t)
	var all []string
	for _, container := range []string{"jobs", "jobs-x", "jobsy", "zoo"} {
		s.must("PUT", "/"+container+"?restype=container")
		for _, name := range []string{"a", "ab/c", "b"} {
			s.must("PUT", "/"+container+"/"+name, "x-ms-blob-type", "BlockBlob")
			s.must("PUT", "/"+container+"/"+name+"?comp=lease", "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
			all = append(all, container+"/"+name)
		}
	}
	for _, prefix := range []string{"", "j", "jobs", "jobs-", "jobs/", "jobs/a", "jobs/ab/", "jobs/b", "jobs/c", "jobsy/ab/c", "k", "zoo/b", "zz"} {
		var want []string
		for _, name := range all {
			if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
				want = append(want, name+" breaking=false")
			}
		}
		if got := s.listed(prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, want %q", prefix, got, want)
		}
	}
}
