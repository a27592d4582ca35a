package console

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
)

// Sizes of pages.
const (
	rowsPerPage    = 100
	maxRowsPerPage = 500
)

// silence is how long the holder of an infinite lease has been unheard of when the lease is marked
// as probably orphaned.
const silence = 10 * time.Minute

// row is what a page shows of a lease, and what the stream sends. Its values are compared to find
// what changed.
type row struct {
	Key     string `json:"k"` // CONTAINER/BLOB
	State   string `json:"s"`
	End     int64  `json:"e"` // milliseconds since the epoch, -1 for never
	Length  int64  `json:"d"` // of a finite lease in seconds
	Who     string `json:"w"`
	Client  string `json:"c"`
	Since   int64  `json:"t"`
	Epoch   string `json:"n"`
	Waiting int    `json:"q"`
	Orphan  string `json:"o"` // why it may be orphaned; "" if there is no sign
	Breaks  bool   `json:"b"` // the viewer may break it
	Left    string `json:"-"`
	Held    string `json:"-"`
}

// rowOf returns what the viewer may see of a lease.
func (v *view) rowOf(r *journal.Row, waiting map[journal.Name]int) row {
	out := row{
		Key: r.Name.String(), State: lease.Leased.String(), End: -1, Since: r.Since.Time().UnixMilli(),
		Epoch: strconv.FormatUint(r.Epoch, 10), Waiting: waiting[r.Name], Breaks: v.mayBreak(r.Name), Left: "∞",
		Held: span(v.now.Sub(r.Since.Time())),
	}
	if r.Breaking {
		out.State = lease.Breaking.String()
	}
	if !r.Infinite() {
		out.End, out.Left = r.End.Time().UnixMilli(), span(r.Left(v.now))
		out.Length = max(1, int64(r.Duration))
	}
	if out.Breaks {
		out.Who, out.Client = r.Holder.Principal+" @ "+r.Holder.Address, client(r.Holder.Client)
		out.Orphan = v.orphan(r, out.Waiting)
	}
	return out
}

// orphan says why a lease may have lost its holder. It is a hint: nothing follows from it.
func (v *view) orphan(r *journal.Row, waiting int) string {
	switch {
	case r.Infinite() && !r.Breaking:
		if quiet := v.Service.Journal.Silent(&r.Holder, v.Now()); quiet >= silence {
			return "infinite, and no request from its holder for " + span(quiet)
		}
	case waiting > 0 && r.Renewals == 0 && !r.Breaking && v.now.Sub(r.Since.Time()) > r.Duration.Std()/2:
		return "never renewed, while others wait"
	}
	return ""
}

// leasesQuery is the state of the page in its address.
type leasesQuery struct {
	Name, State, Kind, Holder, Order string
	Held                             int // seconds
	Page                             int // from 0
	Rows                             int
}

var orders = map[string]journal.Order{"": journal.ByName, "name": journal.ByName, "left": journal.ByLeft, "age": journal.ByAge, "waiting": journal.ByWaiting}

// readQuery reads the state of the page. What makes no sense is as if it were absent.
func readQuery(form url.Values) leasesQuery {
	number := func(name string, most int) int {
		n, err := strconv.Atoi(form.Get(name))
		if err != nil || n < 0 || n > most {
			return 0
		}
		return n
	}
	q := leasesQuery{
		Name: form.Get("q"), State: form.Get("state"), Kind: form.Get("kind"), Holder: form.Get("holder"), Order: form.Get("order"),
		Held: number("held", 1<<30), Page: number("page", 1<<20), Rows: number("rows", maxRowsPerPage),
	}
	if q.Rows == 0 {
		q.Rows = rowsPerPage
	}
	return q
}

// address returns the address of another page of the same list.
func (q leasesQuery) address(page int) template.URL {
	u := url.Values{}
	for name, value := range map[string]string{
		"q": q.Name, "state": q.State, "kind": q.Kind, "holder": q.Holder, "order": q.Order,
		"held": strconv.Itoa(q.Held), "page": strconv.Itoa(page), "rows": strconv.Itoa(q.Rows),
	} {
		if value != "" && value != "0" {
			u.Set(name, value)
		}
	}
	if q.Rows == rowsPerPage {
		u.Del("rows")
	}
	return template.URL("/?" + u.Encode())
}

// Filtered reports whether there may be leases that the page does not show for its filter.
func (q leasesQuery) Filtered() bool {
	return q.Name != "" || q.State != "" || q.Kind != "" || q.Holder != "" || q.Held != 0
}

// leasesPage is one page of leases.
type leasesPage struct {
	Query    leasesQuery
	Rows     []row
	Matching int
	Totals   journal.Totals
	Filled   bool
	Started  time.Time
	CanBreak bool
}

// From and To number the rows of the page.
func (p *leasesPage) From() int { return min(p.Query.Page*p.Query.Rows+1, p.Matching) }

// To is the number of the last row.
func (p *leasesPage) To() int { return p.From() + max(0, len(p.Rows)-1) }

// Before returns the address of the page before; "" if this is the first.
func (p *leasesPage) Before() template.URL {
	if p.Query.Page == 0 {
		return ""
	}
	return p.Query.address(p.Query.Page - 1)
}

// After returns the address of the next page; "" if this is the last.
func (p *leasesPage) After() template.URL {
	if (p.Query.Page+1)*p.Query.Rows >= p.Matching {
		return ""
	}
	return p.Query.address(p.Query.Page + 1)
}

// leases makes a page. One is made at a time: viewers wait for each other, and not the service for
// them.
func (v *view) leases(q leasesQuery) *leasesPage {
	v.listing.Lock()
	defer v.listing.Unlock()
	j := v.Service.Journal
	waiting := v.Service.WaitersByName(v.session.account)
	found := j.List(&journal.Query{
		Account: v.session.account, Contains: q.Name, Holder: q.Holder, State: q.State, Kind: q.Kind,
		HeldFor: time.Duration(q.Held) * time.Second, Order: orders[q.Order], Offset: q.Page * q.Rows, Limit: q.Rows,
		Sees: v.sees, Holders: v.mayBreak, Waiting: waiting,
	}, v.now)
	p := &leasesPage{Query: q, Matching: found.Matching, Totals: found.Totals, Filled: j.Filled(), Started: j.Started()}
	for i := range found.Rows {
		r := v.rowOf(&found.Rows[i], waiting)
		p.CanBreak = p.CanBreak || r.Breaks
		p.Rows = append(p.Rows, r)
	}
	return p
}

func (v *view) home() error {
	return v.render("home.html", v.leases(readQuery(v.r.URL.Query())))
}

// named returns the resource that a form names as CONTAINER/BLOB.
func (v *view) named(text string) (journal.Name, error) {
	container, blob, _ := strings.Cut(text, "/")
	if container == "" || len(text) > maxName {
		return journal.Name{}, &refusal{http.StatusBadRequest, "No container or blob is named."}
	}
	return journal.Name{Account: v.session.account, Container: container, Blob: blob}, nil
}

// maxName bounds a name in bytes: 63 of a container, and 1,024 characters of a blob.
const maxName = 64 + 4*1024
