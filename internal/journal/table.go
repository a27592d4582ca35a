package journal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/lease"
)

// Order is what a list is ordered by.
type Order uint8

// The orders of lists. The one after the name breaks ties by name.
const (
	ByName Order = iota
	ByLeft       // the one that ends first comes first
	ByAge        // the one that is held longest comes first
	ByWaiting
)

// Query selects a page of the table.
type Query struct {
	Account  string
	Contains string // part of CONTAINER/BLOB
	Holder   string // part of what the holder says of itself
	State    string // "leased", "breaking", or "" for both
	Kind     string // "finite", "infinite", or "" for both
	HeldFor  time.Duration
	Order    Order
	Reverse  bool
	Offset   int
	Limit    int
	// Sees reports whether who asks may see the leases in a container; it is asked once for each.
	Sees func(container string) bool
	// Holders reports whether who asks may know the holder of a lease; nil for of all.
	Holders func(Name) bool
	// Waiting is how many requests wait for each lease.
	Waiting map[Name]int
}

// Totals counts what who asks may see.
type Totals struct{ Finite, Infinite, Breaking, Waiting int }

// All returns the number of leases.
func (t *Totals) All() int { return t.Finite + t.Infinite + t.Breaking }

// Page is an answer to a Query.
type Page struct {
	Rows     []Row
	Matching int // on all pages
	Totals   Totals
}

// narrows reports whether there are leases that don't match.
func (q *Query) narrows() bool {
	return q.Contains != "" || q.Holder != "" || q.State != "" || q.Kind != "" || q.HeldFor > 0
}

// Matches reports whether a row that who asks may see belongs into the list.
func (q *Query) Matches(r *Row, now time.Time) bool {
	switch {
	case q.State == "leased" && r.Breaking, q.State == "breaking" && !r.Breaking:
		return false
	case q.Kind == "finite" && r.Infinite(), q.Kind == "infinite" && !r.Infinite():
		return false
	case q.HeldFor > 0 && now.Sub(r.Since.Time()) < q.HeldFor:
		return false
	case q.Contains != "" && !strings.Contains(r.Name.String(), q.Contains):
		return false
	case q.Holder != "":
		h := &r.Holder
		return (q.Holders == nil || q.Holders(r.Name)) &&
			(strings.Contains(h.Client, q.Holder) || strings.Contains(h.Principal, q.Holder) || strings.Contains(h.Address, q.Holder))
	}
	return true
}

// List returns a page of the leases that are live. It costs a look at each lease of the account
// and, in another order than that of names, a sort of those that match.
func (j *Journal) List(q *Query, now time.Time) Page {
	l := lister{q: q, now: now, sees: make(map[string]bool)}
	j.each(q.Account, l.visit)
	if q.Order != ByName {
		slices.SortFunc(l.found, func(a, b keyed) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place)) })
	}
	if q.Reverse {
		slices.Reverse(l.found)
	}
	l.page.Matching = len(l.found)
	from := min(max(0, q.Offset), len(l.found))
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range l.found[from:min(len(l.found), from+q.Limit)] {
		if k.entry.locked {
			l.page.Rows = append(l.page.Rows, k.entry.row())
		}
	}
	return l.page
}

type lister struct {
	q     *Query
	now   time.Time
	page  Page
	sees  map[string]bool
	found []keyed
}

// keyed is an entry that matches, with what it is ordered by.
type keyed struct {
	key   int64
	place int // in the order of names
	entry *entry
}

// visit counts an entry, and keeps it if it matches.
func (l *lister) visit(e *entry) {
	sees, known := l.sees[e.name.Container]
	if !known {
		sees = l.q.Sees == nil || l.q.Sees(e.name.Container)
		l.sees[e.name.Container] = sees
	}
	if !sees {
		return
	}
	t := &l.page.Totals
	switch {
	case e.breaking:
		t.Breaking++
	case e.over() == 0:
		t.Infinite++
	default:
		t.Finite++
	}
	t.Waiting += l.q.Waiting[e.name]
	if l.q.narrows() {
		r := e.row()
		if !l.q.Matches(&r, l.now) {
			return
		}
	}
	l.found = append(l.found, keyed{l.key(e), len(l.found), e})
}

func (l *lister) key(e *entry) int64 {
	switch l.q.Order {
	case ByLeft:
		if e.over() == 0 {
			return int64(lease.Forever)
		}
		return int64(e.over())
	case ByAge:
		return int64(e.since)
	case ByWaiting:
		return -int64(l.q.Waiting[e.name])
	}
	return 0
}

// chunk is how many entries are visited while the journal is locked.
const chunk = 512

// each visits the locked entries of an account in the order of their names.
func (j *Journal) each(account string, visit func(*entry)) {
	j.ordering.Lock()
	defer j.ordering.Unlock()
	j.sort()
	from, _ := slices.BinarySearchFunc(j.order, account, func(e *entry, account string) int { return cmp.Compare(e.name.Account, account) })
	rest := j.order[from:]
	for len(rest) > 0 && rest[0].name.Account == account {
		n := min(chunk, len(rest))
		j.mu.Lock()
		for _, e := range rest[:n] {
			if e.locked && e.name.Account == account {
				visit(e)
			}
		}
		j.mu.Unlock()
		rest = rest[n:]
	}
}

// sort brings the entries into order, and lets go of those that are not locked. The lock of the
// journal is held for a chunk at a time.
func (j *Journal) sort() {
	j.mu.Lock()
	fresh, tidy := j.fresh, !j.untidy
	j.fresh, j.untidy = nil, false
	j.mu.Unlock()
	if tidy {
		return
	}
	slices.SortFunc(fresh, byName)
	merged := make([]*entry, 0, len(j.order)+len(fresh))
	old := j.order
	for len(old) > 0 || len(fresh) > 0 {
		j.mu.Lock()
		for n := 0; n < chunk && (len(old) > 0 || len(fresh) > 0); n++ {
			from := &old
			if len(old) == 0 || len(fresh) > 0 && byName(fresh[0], old[0]) < 0 {
				from = &fresh
			}
			e := (*from)[0]
			*from = (*from)[1:]
			if e.ordered = e.locked; e.ordered {
				merged = append(merged, e)
			}
		}
		j.mu.Unlock()
	}
	j.order = merged
}

// Lookup returns the row of a resource and the times of its last renewals. The row is Gone if the
// lease has ended lately, and there is none if nothing is known of it.
func (j *Journal) Lookup(name Name) (r Row, renewals []time.Time, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.live[name]
	if e == nil {
		return r, nil, false
	}
	return e.row(), e.lastRenewals(), true
}

// Version returns a number that grows whenever the table changes.
func (j *Journal) Version() uint64 { return j.version.Load() }

// Fill begins to fill the table from the store. What is observed meanwhile is newer than what Put
// brings. The caller says when it is done.
func (j *Journal) Fill() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.touched = make(map[Name]struct{})
}

// Filled reports whether the table has all leases.
func (j *Journal) Filled() bool { return j.filled.Load() }

// Done says that the table has been filled.
func (j *Journal) Done() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.touched = nil
	j.filled.Store(true)
}

func (j *Journal) touch(name Name) {
	if _, known := j.touched[name]; !known {
		j.touched[name.clone()] = struct{}{}
	}
}

// Put brings a live lease that was read from the store while the table is filled.
func (j *Journal) Put(name Name, generation uint64, l lease.Lease, expires lease.Instant) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, touched := j.touched[name]
	_, gone := j.touched[Name{Account: name.Account, Container: name.Container}]
	if touched || gone && name.Blob != "" || j.live[name] != nil {
		return
	}
	e := j.insert(name.clone())
	e.set(&l, generation, expires, j.share(&l.Holder))
	j.lock(e, true)
	j.version.Add(1)
}
