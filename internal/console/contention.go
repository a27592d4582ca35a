package console

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/journal"
)

// contended is a resource whose lease stood in the way of requests.
type contended struct {
	journal.Contended
	Key     string
	Waiting int
	Longest time.Duration
	Holder  string
	Faulty  uint64 // refusals of requests without a lease ID, or with an old one: someone is wrong
	Line    string // points of a line over the last hour
	Clients string
}

// faulty reports whether a refusal says that a client works without the lease it needs, rather than
// waits for it.
func faulty(code fault.Code) bool {
	return code == fault.LeaseIDMissing || code == fault.LeaseLost || strings.Contains(string(code), "Mismatch") || strings.Contains(string(code), "NotPresent")
}

func (v *view) contention() error {
	var all []contended
	waiting := v.Service.WaitersByName(v.session.account)
	for _, c := range v.Service.Journal.Contention(v.session.account, v.Now()) {
		if !v.sees(c.Name.Container) {
			continue
		}
		one := contended{Contended: c, Key: c.Name.String(), Waiting: waiting[c.Name], Line: line(c.ByMinute[:])}
		for _, w := range v.Service.Waiters(c.Name) {
			one.Longest = max(one.Longest, v.Now().Sub(w.Since))
		}
		for _, code := range c.Codes {
			if faulty(code.Code) {
				one.Faulty += code.N
			}
		}
		if v.mayBreak(c.Name) {
			if r, _, ok := v.Service.Journal.Lookup(c.Name); ok && !r.Gone {
				one.Holder = r.Holder.Principal + " @ " + r.Holder.Address
			}
			one.Clients = clients(&c)
		}
		all = append(all, one)
	}
	if v.r.URL.Query().Get("form") == "csv" {
		return v.contentionCSV(all)
	}
	return v.render("contention.html", map[string]any{"All": all, "Started": v.Service.Journal.Started()})
}

func clients(c *journal.Contended) string {
	var names []string
	for _, one := range c.Clients {
		names = append(names, fmt.Sprintf("%s @ %s (%d)", one.Principal, one.Address, one.N))
	}
	if c.More {
		names = append(names, "and others")
	}
	return strings.Join(names, ", ")
}

// line returns the points of a line through counts, in a box of 120 by 24.
func line(counts []uint32) string {
	most := uint32(1)
	for _, n := range counts {
		most = max(most, n)
	}
	var b strings.Builder
	for i, n := range counts {
		fmt.Fprintf(&b, "%d,%d ", i*120/(len(counts)-1), 23-n*22/most)
	}
	return b.String()
}

func (v *view) contentionCSV(all []contended) error {
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="contention.csv"`)
	w := csv.NewWriter(v.w)
	w.Write([]string{"name", "refused", "faulty", "waiting", "holder", "clients"})
	for _, c := range all {
		w.Write([]string{guarded(c.Key), strconv.FormatUint(c.LastHour, 10), strconv.FormatUint(c.Faulty, 10), strconv.Itoa(c.Waiting), guarded(c.Holder), guarded(c.Clients)})
	}
	w.Flush()
	return w.Error()
}

// guarded keeps a spreadsheet from taking a name for a formula.
func guarded(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
