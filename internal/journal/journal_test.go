package journal_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
)

var start = time.Unix(1_800_000_000, 0)

// world is a set of leases under the rules of package lease, observed by a journal.
type world struct {
	j      *journal.Journal
	now    time.Time
	leases map[journal.Name]lease.Lease
	ids    int
}

func newWorld() *world {
	return &world{j: journal.New(start), now: start, leases: map[journal.Name]lease.Lease{}}
}

func (w *world) act(name journal.Name, r lease.Request) error {
	was := w.leases[name]
	w.ids++
	r.Fresh = lease.ID{byte(w.ids >> 8), byte(w.ids), 1}
	r.Holder = lease.Holder{Principal: "key", Address: "10.0.0.1", Client: "test"}
	is, _, err := lease.Apply(was, r, w.now)
	if err != nil {
		return err
	}
	w.leases[name] = is
	w.j.Observe(&journal.Change{Name: name, Generation: 7, Was: was, Is: is, At: w.now, By: r.Holder, Request: "request"})
	return nil
}

func (w *world) acquire(name journal.Name, d lease.Duration) error {
	return w.act(name, lease.Request{Action: lease.Acquire, Duration: d})
}

func (w *world) own(name journal.Name, a lease.Action) error {
	return w.act(name, lease.Request{Action: a, ID: lease.Some(w.leases[name].ID)})
}

func (w *world) breakIt(name journal.Name, p lease.BreakPeriod) error {
	return w.act(name, lease.Request{Action: lease.Break, Period: p})
}

func (w *world) delete(name journal.Name) {
	was := w.leases[name]
	delete(w.leases, name)
	w.j.Observe(&journal.Change{Name: name, Was: was, Gone: true, At: w.now})
}

// pass lets time go on; the journal is told to the second, as in operation.
func (w *world) pass(d time.Duration) []journal.Ended {
	w.now = w.now.Add(d)
	return w.j.Advance(w.now)
}

func (w *world) deleteContainer(container string) {
	for name := range w.leases {
		if name.Container == container {
			delete(w.leases, name)
		}
	}
	w.j.ContainerDeleted("acct", container, w.now, lease.Holder{}, "request")
}

// want are the rows that the rules say.
func (w *world) want() (rows []string) {
	for name, l := range w.leases {
		if l.State(w.now).Locked() {
			rows = append(rows, fmt.Sprint(name, l.State(w.now) == lease.Breaking, l.Epoch, l.End))
		}
	}
	slices.Sort(rows)
	return rows
}

func (w *world) got() (rows []string) {
	for _, r := range w.j.List(&journal.Query{Account: "acct", Limit: 1000}, w.now).Rows {
		rows = append(rows, fmt.Sprint(r.Name, r.Breaking, r.Epoch, r.End))
	}
	slices.Sort(rows)
	return rows
}

// TestTableIsTheListOfLeases holds the table to the rules over random histories: at each full
// second it has exactly the leases that lock.
func TestTableIsTheListOfLeases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		names := []journal.Name{{Account: "acct", Container: "a"}, {Account: "acct", Container: "a", Blob: "x"}, {Account: "acct", Container: "b", Blob: "y"}}
		name := rapid.SampledFrom(names)
		durations := rapid.SampledFrom([]lease.Duration{15, 60, lease.Infinite})
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) { w.acquire(name.Draw(t, "name"), durations.Draw(t, "duration")) },
			"renew":   func(t *rapid.T) { w.own(name.Draw(t, "name"), lease.Renew) },
			"release": func(t *rapid.T) { w.own(name.Draw(t, "name"), lease.Release) },
			"break": func(t *rapid.T) {
				w.breakIt(name.Draw(t, "name"), rapid.SampledFrom([]lease.BreakPeriod{{}, lease.Within(0), lease.Within(5)}).Draw(t, "period"))
			},
			"delete":    func(t *rapid.T) { w.delete(name.Draw(t, "name")) },
			"container": func(t *rapid.T) { w.deleteContainer(name.Draw(t, "name").Container) },
			"time":      func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second) },
			"": func(t *rapid.T) {
				if got, want := w.got(), w.want(); !slices.Equal(got, want) {
					t.Fatalf("the table has\n%v, the leases are\n%v", got, want)
				}
			},
		})
	})
}

// TestEventsTellTheStory follows one resource through all that can happen to its lease.
func TestEventsTellTheStory(t *testing.T) {
	w := newWorld()
	name := journal.Name{Account: "acct", Container: "jobs", Blob: "nightly"}
	for _, err := range []error{
		w.acquire(name, 15), w.own(name, lease.Renew), w.own(name, lease.Release),
		w.acquire(name, 15),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if ended := w.pass(16 * time.Second); len(ended) != 1 || ended[0].Name != name || ended[0].Generation != 7 {
		t.Fatalf("ended by time: %v", ended)
	}
	w.acquire(name, lease.Infinite)
	w.breakIt(name, lease.Within(5))
	w.pass(6 * time.Second)
	w.acquire(name, lease.Infinite)
	w.j.Refuse(name, fault.LeaseAlreadyPresent, lease.Holder{Principal: "key"}, w.now, "r")
	w.j.Refuse(name, fault.LeaseAlreadyPresent, lease.Holder{Principal: "key"}, w.now, "r")
	w.delete(name)
	var got []string
	for _, e := range w.j.Events(name, 100) {
		got = append(got, e.Kind.String())
	}
	slices.Reverse(got)
	want := []string{"acquired", "released", "acquired", "ended without release", "taken over", "broken", "free", "taken over", "refused", "deleted"}
	if !slices.Equal(got, want) {
		t.Errorf("the events are %q,\nwant %q", got, want)
	}
}

// TestAnOlderChangeComesLate: what was committed before and is observed after changes nothing.
func TestAnOlderChangeComesLate(t *testing.T) {
	j := journal.New(start)
	name := journal.Name{Account: "acct", Container: "c", Blob: "b"}
	held := lease.Lease{Kind: lease.Held, Duration: lease.Infinite, Epoch: 5, ID: lease.ID{1}}
	j.Observe(&journal.Change{Name: name, Was: held, Is: lease.Lease{Epoch: 5}, At: start.Add(2)})
	j.Observe(&journal.Change{Name: name, Is: held, At: start.Add(1)})
	if p := j.List(&journal.Query{Account: "acct", Limit: 10}, start); len(p.Rows) != 0 {
		t.Errorf("a lease that was released is shown: %v", p.Rows)
	}
}

// TestFillYieldsToWhatIsObserved: a lease read from the store while its release was observed is
// old.
func TestFillYieldsToWhatIsObserved(t *testing.T) {
	j := journal.New(start)
	held := lease.Lease{Kind: lease.Held, Duration: lease.Infinite, Epoch: 5, ID: lease.ID{1}}
	released, kept := journal.Name{Account: "acct", Container: "c", Blob: "released"}, journal.Name{Account: "acct", Container: "c", Blob: "kept"}
	below := journal.Name{Account: "acct", Container: "deleted", Blob: "below"}
	j.Fill()
	j.Observe(&journal.Change{Name: released, Was: held, Is: lease.Lease{Epoch: 5}, At: start})
	j.ContainerDeleted("acct", "deleted", start, lease.Holder{}, "")
	for _, name := range []journal.Name{released, kept, below} {
		j.Put(name, 1, held, 0)
	}
	j.Done()
	p := j.List(&journal.Query{Account: "acct", Limit: 10}, start)
	if len(p.Rows) != 1 || p.Rows[0].Name != kept || !j.Filled() {
		t.Errorf("the table has %v, want %v", p.Rows, kept)
	}
}

// TestBounds: neither events nor refusals nor resting entries grow without end.
func TestBounds(t *testing.T) {
	w := newWorld()
	name := journal.Name{Account: "acct", Container: "c"}
	for i := range journal.MaxEvents + 100 {
		name.Blob = strconv.Itoa(i)
		if err := w.acquire(name, lease.Infinite); err != nil {
			t.Fatal(err)
		}
		w.own(name, lease.Release)
		delete(w.leases, name)
		if i <= journal.MaxRefused {
			w.j.Refuse(name, fault.LeaseAlreadyPresent, lease.Holder{Address: strconv.Itoa(i)}, w.now, "")
		}
	}
	if n := len(w.j.Events(journal.Name{}, 1<<30)); n != journal.MaxEvents {
		t.Errorf("%d events are kept", n)
	}
	if n := len(w.j.Contention("acct", w.now)); n != journal.MaxRefused {
		t.Errorf("the refusals of %d resources are kept", n)
	}
	if got := w.got(); len(got) != 0 {
		t.Errorf("%d leases are shown", len(got))
	}
}

// TestContention counts by code, client and minute.
func TestContention(t *testing.T) {
	j := journal.New(start)
	name := journal.Name{Account: "acct", Container: "c", Blob: "b"}
	for i := range 40 {
		j.Refuse(name, fault.LeaseAlreadyPresent, lease.Holder{Address: strconv.Itoa(i % 20)}, start.Add(time.Duration(i)*2*time.Minute), "")
	}
	all := j.Contention("acct", start.Add(78*time.Minute))
	if len(all) != 1 {
		t.Fatalf("%d resources", len(all))
	}
	c := all[0]
	if c.LastHour != 30 || c.ByMinute[59] != 1 || c.ByMinute[58] != 0 || len(c.Clients) != 16 || !c.More || c.Codes[0].N != 40 {
		t.Errorf("got %+v", c)
	}
	if all = j.Contention("acct", start.Add(5*time.Hour)); len(all) != 0 {
		t.Errorf("after hours: %v", all)
	}
}

// TestOrders lists in each order, by page, with totals.
func TestOrders(t *testing.T) {
	w := newWorld()
	for i, name := range []string{"d", "c", "b", "a"} {
		w.now = w.now.Add(time.Second)
		duration := lease.Duration(60 - 10*i)
		if i == 1 {
			duration = lease.Infinite
		}
		if err := w.acquire(journal.Name{Account: "acct", Container: "c", Blob: name}, duration); err != nil {
			t.Fatal(err)
		}
	}
	waiting := map[journal.Name]int{{Account: "acct", Container: "c", Blob: "b"}: 2}
	for _, c := range []struct {
		q    journal.Query
		want string
	}{
		{journal.Query{}, "abcd"},
		{journal.Query{Reverse: true}, "dcba"},
		{journal.Query{Order: journal.ByLeft}, "abdc"},
		{journal.Query{Order: journal.ByAge}, "dcba"},
		{journal.Query{Order: journal.ByWaiting}, "bacd"},
		{journal.Query{Offset: 1, Limit: 2}, "bc"},
		{journal.Query{Order: journal.ByAge, Offset: 3, Limit: 2}, "a"},
		{journal.Query{Kind: "infinite"}, "c"},
		{journal.Query{Contains: "/d"}, "d"},
		{journal.Query{HeldFor: 2 * time.Second}, "cd"},
		{journal.Query{Holder: "10.0.0.1", Holders: func(n journal.Name) bool { return n.Blob == "a" }}, "a"},
		{journal.Query{Sees: func(string) bool { return false }}, ""},
	} {
		q := c.q
		q.Account, q.Waiting = "acct", waiting
		if q.Limit == 0 {
			q.Limit = 10
		}
		p := w.j.List(&q, w.now)
		got := ""
		for _, r := range p.Rows {
			got += r.Name.Blob
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
		if want := (journal.Totals{Finite: 3, Infinite: 1, Waiting: 2}); c.q.Sees == nil && p.Totals != want {
			t.Errorf("totals %+v, want %+v", p.Totals, want)
		}
	}
}

// TestSilence: a holder is silent since its last request, of whatever kind.
func TestSilence(t *testing.T) {
	w := newWorld()
	h := lease.Holder{Principal: "key", Address: "10.0.0.1"}
	if got := w.j.Silent(&h, start.Add(time.Minute)); got != time.Minute {
		t.Errorf("of one never seen: %v", got)
	}
	w.j.See("key", addr("10.0.0.1"), start.Add(time.Minute))
	w.j.See("key", addr("10.0.0.1"), start.Add(2*time.Minute))
	w.j.See("key", addr("10.0.0.2"), start.Add(3*time.Minute))
	if got := w.j.Silent(&h, start.Add(5*time.Minute)); got != 3*time.Minute {
		t.Errorf("of one seen: %v", got)
	}
}

// TestNoAllocation: what a lease operation costs of memory is nothing, but for new resources.
func TestNoAllocation(t *testing.T) {
	w := newWorld()
	name := journal.Name{Account: "acct", Container: "c", Blob: "b"}
	changes := cycle(w, name)
	for range journal.MaxEvents {
		for i := range changes {
			w.j.Observe(&changes[i])
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		for i := range changes {
			w.j.Observe(&changes[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations for acquire, renew and release", n)
	}
}

// cycle is an acquire, a renewal and a release at one moment, which can be observed again and
// again.
func cycle(w *world, name journal.Name) []journal.Change {
	none := lease.Lease{}
	held, _, _ := lease.Apply(none, lease.Request{Action: lease.Acquire, Duration: 60, Fresh: lease.ID{1}}, w.now)
	renewed, _, _ := lease.Apply(held, lease.Request{Action: lease.Renew, ID: lease.Some(lease.ID{1})}, w.now.Add(1))
	return []journal.Change{
		{Name: name, Was: none, Is: held, At: w.now},
		{Name: name, Was: held, Is: renewed, At: w.now},
		{Name: name, Was: renewed, Is: none, At: w.now},
	}
}

// TestParallel has many goroutines at one journal, each with names of its own.
func TestParallel(t *testing.T) {
	j := journal.New(start)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			w := &world{j: j, now: start, leases: map[journal.Name]lease.Lease{}, ids: g << 8}
			for i := range 200 {
				name := journal.Name{Account: "acct", Container: strconv.Itoa(g), Blob: strconv.Itoa(i % 20)}
				w.acquire(name, lease.Infinite)
				w.own(name, lease.Renew)
				if i%20 != 0 {
					w.now = w.now.Add(1)
					w.own(name, lease.Release)
				}
				j.List(&journal.Query{Account: "acct", Limit: 5}, start)
				j.Advance(start)
			}
		})
	}
	all.Wait()
	names := map[string]bool{}
	for _, r := range j.List(&journal.Query{Account: "acct", Limit: 100}, start).Rows {
		names[r.Name.String()] = true
	}
	if got := slices.Sorted(maps.Keys(names)); len(got) != 8 {
		t.Errorf("left: %v", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	j := journal.New(start)
	b.SetParallelism(32)
	var id sync.Mutex
	n := 0
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		id.Lock()
		n++
		name := journal.Name{Account: "devstoreaccount1", Container: "locks", Blob: "jobs/" + strconv.Itoa(n)}
		id.Unlock()
		changes := cycle(&world{j: j, now: start}, name)
		for i := 0; pb.Next(); i++ {
			j.Observe(&changes[i%3])
		}
	})
}

func BenchmarkList(b *testing.B) {
	w := newWorld()
	for i := range 100_000 {
		w.acquire(journal.Name{Account: "acct", Container: "c" + strconv.Itoa(i%10), Blob: "jobs/" + strconv.Itoa(i)}, lease.Infinite)
	}
	w.j.Advance(w.now)
	for name, q := range map[string]journal.Query{
		"byName": {}, "contains": {Contains: "s/9999"}, "byLeft": {Order: journal.ByLeft}, "byAge": {Order: journal.ByAge},
	} {
		q.Account, q.Limit = "acct", 100
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.j.List(&q, w.now)
			}
		})
	}
}
func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// TestOccurrences: everything that happens to a lease is told once, with how long a lease that
// ended was held and how much was left at a renewal.
func TestOccurrences(t *testing.T) {
	w := newWorld()
	var got []string
	w.j.Listen(func(o journal.Occurrence) {
		got = append(got, fmt.Sprint(o.Kind, " ", o.Name.Blob, " ", o.Held, " ", o.Margin, " ", o.Code))
	})
	a, b := journal.Name{Account: "acct", Container: "box", Blob: "a"}, journal.Name{Account: "acct", Container: "box", Blob: "b"}
	for _, step := range []func() error{
		func() error { return w.acquire(a, 30) },
		func() error { w.pass(20 * time.Second); return w.own(a, lease.Renew) },
		func() error { w.pass(40 * time.Second); return w.acquire(a, 15) },
		func() error { w.pass(5 * time.Second); return w.own(a, lease.Release) },
		func() error { return w.acquire(b, lease.Infinite) },
		func() error { w.pass(time.Minute); return w.own(b, lease.Renew) },
		func() error { w.delete(b); return nil },
		func() error { w.j.Refuse(a, fault.LeaseIDMissing, lease.Holder{}, w.now, "x"); return nil },
		func() error { w.j.Refuse(a, fault.LeaseIDMissing, lease.Holder{}, w.now, "y"); return nil },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"acquired a 0s 0s ", "renewed a 0s 10s ", "ended without release a 50s 0s ", "taken over a 0s 0s ", "released a 5s 0s ",
		"acquired b 0s 0s ", "renewed b 0s 0s ", "deleted b 1m0s 0s ", "refused a 0s 0s LeaseIdMissing", "refused a 0s 0s LeaseIdMissing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestCensus counts leases of each kind and state, of one account.
func TestCensus(t *testing.T) {
	w := newWorld()
	name := func(account, container, blob string) journal.Name {
		return journal.Name{Account: account, Container: container, Blob: blob}
	}
	for _, err := range []error{
		w.acquire(name("acct", "box", "a"), 30), w.acquire(name("acct", "box", "b"), lease.Infinite), w.acquire(name("acct", "box", ""), lease.Infinite),
		w.acquire(name("acct", "box", "c"), 30), w.breakIt(name("acct", "box", "c"), lease.BreakPeriod{}), w.acquire(name("other", "box", "a"), 30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.pass(10 * time.Second)
	want := journal.Census{Blobs: journal.Count{Finite: 1, Infinite: 1, Breaking: 1}, Containers: journal.Count{Infinite: 1}, OldestInfinite: lease.At(start)}
	if got := w.j.Census("acct"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	w.pass(30 * time.Second)
	if got := w.j.Census("acct").Blobs; got != (journal.Count{Infinite: 1}) {
		t.Errorf("later: %+v", got)
	}
}
