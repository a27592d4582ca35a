package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/test/sheet"
)

const (
	leaseSheets = "testdata/leases.md"
	useSheets   = "../lease/testdata/use.md"
	actSheets   = "../lease/testdata/actions.md"
	breakSheets = "../lease/testdata/break.md"

	leaseIDHeader = "x-ms-lease-id"
	idC           = "33333333-3333-3333-3333-333333333333"
)

// way leads to a state of a lease that is A's: the lease's duration, and what then
// came.
type way struct {
	column   string // of the tables
	duration string // of the lease; "" for no lease
	then     string // the action that followed: release, or break with a period; "" for none
	later    time.Duration
}

// ways lead to every state, from finite and infinite leases.
var ways = []way{
	{column: "Available"},
	{column: "Available", duration: "-1", then: "release"},
	{column: "Leased(A)", duration: "-1"},
	{column: "Leased(A)", duration: "60"},
	{column: "Breaking(A)", duration: "-1", then: "break 60"},
	{column: "Breaking(A)", duration: "60", then: "break 60"},
	{column: "Broken(A)", duration: "-1", then: "break 0"},
	{column: "Broken(A)", duration: "60", then: "break 0"},
	{column: "Expired(A)", duration: "15", later: 16 * time.Second},
}

func (w way) finite() bool { return w.duration != "-1" && w.duration != "" }

// lead brings the lease of a blob or container where it leads. It may be one that A
// has leased already.
func (w way) lead(p *place, lease string) {
	p.t.Helper()
	if w.duration == "" {
		return
	}
	act := func(status int, action string, headers ...string) {
		p.t.Helper()
		p.want(status, "", "PUT", lease, nil, append([]string{"x-ms-lease-action", action}, headers...)...)
	}
	act(201, "acquire", "x-ms-lease-duration", w.duration, "x-ms-proposed-lease-id", idA)
	switch action, period, _ := strings.Cut(w.then, " "); action {
	case "release":
		act(200, "release", leaseIDHeader, idA)
	case "break":
		act(202, "break", "x-ms-lease-break-period", period)
	}
	p.step(w.later)
}

// stateOf returns the state of a lease as a read tells it, "" if there is nothing to read.
func (p *place) stateOf(target string) string {
	return p.do("HEAD", target, nil).get("x-ms-lease-state")
}

// dump returns everything that is stored.
func (s *store) dump() string {
	s.t.Helper()
	var b strings.Builder
	err := s.DB.View(s.t.Context(), func(r kv.Reader) error {
		for pair, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%q: %x\n", pair.Key, pair.Value)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b.String()
}

// trial is one sample with its row of the table.
type trial struct {
	sample
	t         *testing.T
	store     *store
	n         int
	cell      func(column string) string
	container bool // it is about a container and its lease
}

// ids are the lease IDs by their names in the tables.
var ids = map[string]string{"A": idA, "B": idB, "C": idC}

// withID returns the header that sends an ID.
func withID(name string) []string {
	if name == "none" {
		return nil
	}
	return []string{leaseIDHeader, ids[name]}
}

// fresh makes a place.
func (r *trial) fresh() *place {
	r.n++
	return r.sample.at(r.store, r.n)
}

// lease returns the target of lease actions, and that of a read that tells the state.
func (r *trial) lease(p *place) (lease, read string) {
	if r.container {
		return boxLease(p), p.box + "?restype=container"
	}
	return blobLease(p), p.blob
}

// as tells how an answer compares with a cell: "" if it is the same.
func (r *trial) as(want string, op *service.Operation, a *answer) string {
	if want == "ok" || want == "ok, erased" || want == "overwritten" {
		if r.succeeded(op, a) {
			return ""
		}
	} else if a.code() == want && a.status == fault.Code(want).Status() {
		return ""
	}
	return fmt.Sprintf("%d %s, want %s", a.status, a.code(), want)
}

// TestLeasesGuardOperations drives every sample through every state of a lease with every
// ID, as testdata/leases.md says.
func TestLeasesGuardOperations(t *testing.T) {
	named := map[string]sample{}
	for _, s := range samples() {
		named[s.name] = s
	}
	for _, heading := range []string{"blobs", "containers", "the service"} {
		all := sheet.Read(t, leaseSheets, heading)
		for _, row := range all.Rows {
			s, ok := named[row[0]]
			if !ok {
				t.Errorf("no sample %q", row[0])
				continue
			}
			delete(named, row[0])
			t.Run(s.name, func(t *testing.T) {
				cell := func(column string) string {
					if !slices.Contains(all.Columns, column) {
						return ""
					}
					return all.At(t, row, column)
				}
				r := &trial{sample: s, t: t, store: s.store(t), cell: cell, container: heading == "containers"}
				r.tryHeader()
				r.tryStates()
				r.tryAbsence()
				r.tryOtherLease()
			})
		}
	}
	for name := range named {
		t.Errorf("%s has no row for %q", leaseSheets, name)
	}
}

// tryHeader tells operations that take the header from those that do not.
func (r *trial) tryHeader() {
	p := r.fresh()
	ask := r.ask(p)
	op := p.row(ask)
	if op.Name != r.cell("operation") {
		r.t.Errorf("is a %s", op.Name)
	}
	reads := false
	for _, f := range op.Arguments() {
		reads = reads || f.Name == leaseIDHeader
	}
	if reads != (r.cell("lease ID") == "read") {
		r.t.Errorf("the arguments of %s have a lease ID: %v", op.Name, reads)
	}
	if !reads {
		if a := p.send(ask, leaseIDHeader, "word"); !r.succeeded(op, a) {
			r.t.Errorf("with a word for an ID: %d %s", a.status, a.code())
		}
		return
	}
	before := p.dump()
	for _, word := range []string{"word", idA[:35], `"` + idA + `"`} {
		for _, target := range []string{ask.target, r.nowhere(p, ask.target)} {
			sent := ask
			sent.target = target
			a := p.send(sent, leaseIDHeader, word)
			if problem := p.refusedFor(a, "InvalidHeaderValue", leaseIDHeader, word, ask.method); problem != "" {
				r.t.Errorf("%s with the ID %s: %s", target, word, problem)
			}
		}
	}
	if p.dump() != before {
		r.t.Error("a refusal changed something")
	}
}

// nowhere makes the target one of something that there is not.
func (r *trial) nowhere(p *place, target string) string {
	if r.container {
		return strings.Replace(target, p.box, "/none", 1)
	}
	return strings.Replace(target, p.blob, p.box+"/none", 1)
}

// tryStates tries each ID in each state.
func (r *trial) tryStates() {
	switch like := r.cell("like"); like {
	case "acquire", "renew", "change", "release", "break":
		// TestLeaseActions
	case "nothing":
		for _, w := range ways {
			for _, id := range []string{"none", "A", "B"} {
				r.try(w, id, "ok")
			}
		}
	default:
		r.tryTable(like, nil)
		if first, _, _ := strings.Cut(r.cell("missing"), ","); first == "ok" && r.takes("If-None-Match") {
			r.tryTable("If-None-Match: * on an existing blob", []string{"If-None-Match", "*"})
		}
	}
}

// takes tells whether the operation reads a header.
func (r *trial) takes(name string) bool {
	p := r.fresh()
	for _, f := range p.row(r.ask(p)).Arguments() {
		if f.Name == name {
			return true
		}
	}
	return false
}

// tryTable tries what a table of internal/lease/testdata/use.md says.
func (r *trial) tryTable(like string, more []string) {
	for _, w := range ways {
		heading := like
		switch {
		case like == "asynchronous copy" && w.finite():
			heading += ", finite lease"
		case like == "asynchronous copy":
			heading += ", infinite lease"
		case more != nil && r.cell("like") == "asynchronous copy" && w.finite():
			continue // refused before
		case r.container:
			heading += ", container"
		case more == nil:
			heading += ", blob"
		}
		outcome := sheet.Read(r.t, useSheets, heading)
		for _, row := range outcome.Rows {
			r.try(w, row[0], outcome.At(r.t, row, w.column), more...)
		}
	}
}

// try sends the sample with an ID where a way leads.
func (r *trial) try(w way, id, want string, more ...string) {
	p := r.fresh()
	ask := r.ask(p)
	op := p.row(ask)
	lease, read := r.lease(p)
	w.lead(p, lease)
	state, before := p.stateOf(read), p.dump()
	a := p.send(ask, append(withID(id), more...)...)
	told := fmt.Sprintf("%s %q, a lease for %q %s, ID %s", w.column, more, w.duration, w.then, id)
	if problem := r.as(want, op, a); problem != "" {
		r.t.Errorf("%s: %s", told, problem)
		return
	}
	if !strings.HasPrefix(want, "ok") && want != "overwritten" || r.code != "" {
		if p.dump() != before {
			r.t.Errorf("%s: the refusal changed something", told)
		}
		return
	}
	if want == "ok, erased" {
		state = "available"
	}
	got := p.stateOf(read)
	if got == "" && (strings.HasSuffix(op.Name, "_Delete") || strings.HasSuffix(op.Name, "_SubmitBatch")) {
		return
	}
	released := p.do("PUT", lease, nil, "x-ms-lease-action", "release", leaseIDHeader, idA).status == 200
	if got != state || released != (state != "available") {
		r.t.Errorf("%s: the lease is %s, and A can release it: %v", told, got, released)
	}
}

// tryAbsence tries it where there is nothing, and where there are uncommitted blocks only.
func (r *trial) tryAbsence() {
	if both := r.cell("missing"); both != "" {
		wants := strings.Split(both, ", ")
		for i, id := range []string{"none", "A"} {
			p := r.fresh()
			ask := r.ask(p)
			ask.target = r.nowhere(p, ask.target)
			if problem := r.as(wants[i], p.row(ask), p.send(ask, withID(id)...)); problem != "" {
				r.t.Errorf("nothing there, ID %s: %s", id, problem)
			}
		}
	}
	wants := map[string]string{}
	switch uncommitted := r.cell("uncommitted"); {
	case uncommitted == "no":
		wants = map[string]string{"none": "BlobNotFound", "A": "BlobNotFound", "B": "BlobNotFound"}
	case uncommitted == "" || strings.HasPrefix(r.name, "Lease "):
		return
	case r.cell("like") == "nothing":
		wants = map[string]string{"none": "ok"}
	default:
		like := strings.Replace(r.cell("like")+", blob", "copy, blob", "copy, infinite lease", 1)
		outcome := sheet.Read(r.t, useSheets, like)
		for _, row := range outcome.Rows {
			wants[row[0]] = outcome.At(r.t, row, "Leased(A)")
		}
	}
	uncommitted := *r
	uncommitted.kind = "uncommitted"
	for id, want := range wants {
		p := uncommitted.fresh()
		r.n = uncommitted.n
		ask := r.ask(p)
		p.acquired(blobLease(p))
		if problem := r.as(want, p.row(ask), p.send(ask, withID(id)...)); problem != "" {
			r.t.Errorf("uncommitted blocks only, leased, ID %s: %s", id, problem)
		}
	}
}

// tryOtherLease leases the other one, container or blob, which must not matter.
func (r *trial) tryOtherLease() {
	p := r.fresh()
	ask := r.ask(p)
	if r.container {
		p.acquired(blobLease(p))
	} else {
		p.acquired(boxLease(p))
	}
	if problem := r.as("ok", p.row(ask), p.send(ask)); problem != "" {
		r.t.Errorf("with the lease of something else: %s", problem)
	}
}

// TestLeaseActions drives the five actions over blobs and containers through every state.
func TestLeaseActions(t *testing.T) {
	headers := map[string]func(id string) []string{
		"acquire": func(id string) []string { return proposing(id, "x-ms-lease-duration", "45") },
		"renew":   func(id string) []string { return withID(id) },
		"release": func(id string) []string { return withID(id) },
		"change": func(id string) []string {
			from, to, _ := strings.Cut(id, " → ")
			return proposing(to, withID(from)...)
		},
	}
	s := sample{}
	st := s.store(t)
	n := 0
	try := func(w way, target func(*place) string, action, id, want string, headers ...string) {
		n++
		p := s.at(st, n)
		w.lead(p, target(p))
		before := p.dump()
		a := p.do("PUT", target(p), nil, append([]string{"x-ms-lease-action", action}, headers...)...)
		state, _, _ := strings.Cut(want, "(")
		state, _, succeeds := strings.Cut(state, ",")
		succeeds = succeeds || slices.Contains([]string{"Available", "Leased", "Breaking", "Broken"}, state)
		told := fmt.Sprintf("%s %s of %s, a lease for %q %s", action, id, target(p), w.duration, w.then)
		if !succeeds {
			if a.status != 409 || a.code() != want || p.dump() != before {
				t.Errorf("%s: %d %s, want %s; changed: %v", told, a.status, a.code(), want, p.dump() != before)
			}
			return
		}
		read := strings.TrimSuffix(strings.Replace(target(p), "comp=lease", "", 1), "&")
		status := map[string]int{"acquire": 201, "break": 202}[action]
		if a.status != max(status, 200) || p.stateOf(read) != strings.ToLower(state) {
			t.Errorf("%s: %d %s, now %s, want %s", told, a.status, a.code(), p.stateOf(read), want)
		}
		if left := strings.TrimSuffix(strings.SplitN(want+"(", "(", 3)[1], "), clock restarted"); action != "break" && len(ids[left]) > 0 && a.get(leaseIDHeader) != ids[left] {
			t.Errorf("%s: answered the ID %s", told, a.get(leaseIDHeader))
		}
	}
	for _, target := range []func(*place) string{blobLease, boxLease} {
		for _, w := range ways {
			for action, with := range headers {
				outcome := sheet.Read(t, actSheets, action)
				for _, row := range outcome.Rows {
					try(w, target, action, row[0], outcome.At(t, row, w.column), with(row[0])...)
				}
			}
			for _, row := range sheet.Read(t, breakSheets, "outcome").Rows {
				state, left, period := row[0], row[1], row[2]
				if !strings.HasPrefix(w.column, state) || (left == "infinite") == w.finite() && state == "Leased" || left == "20" && period == "10" {
					continue
				}
				var with []string
				if period != "none" {
					with = []string{"x-ms-lease-break-period", period}
				}
				try(w, target, "break", period, row[3], with...)
			}
		}
	}
}

// proposing adds a proposed ID.
func proposing(id string, more ...string) []string {
	if id == "none" {
		return more
	}
	return append(more, "x-ms-proposed-lease-id", ids[id])
}

// TestLeasesInBatches holds the requests of a batch to the same tables.
func TestLeasesInBatches(t *testing.T) {
	s := sample{}
	st := s.store(t)
	outcome := sheet.Read(t, useSheets, "write, blob")
	n := 0
	for _, w := range ways {
		for _, row := range outcome.Rows {
			for _, c := range [][]string{{"202", "DELETE", ""}, {"200", "PUT", "?comp=tier", "x-ms-access-tier", "Cool"}} {
				n++
				p := s.at(st, n)
				w.lead(p, blobLease(p))
				want := outcome.At(t, row, w.column)
				if want = "412 " + want; strings.HasPrefix(want, "412 ok") {
					want = c[0]
				}
				got := p.batch("/?comp=batch", p.inBatch(c[1], p.blob+c[2], append(withID(row[0]), c[3:]...)...))
				if fmt.Sprint(got) != "["+want+"]" {
					t.Errorf("%s, %s, ID %s: %s, want %s", c[1], w.column, row[0], got, want)
				}
			}
		}
	}
}

// TestLeaseStaysWithTheBlob makes copies and snapshots of a leased blob: none is leased, and
// reading the source asks for no ID (docs/reference/leases.md 4.2, 4.3).
func TestLeaseStaysWithTheBlob(t *testing.T) {
	s := sample{}
	p := s.at(s.store(t), 0)
	p.acquired(blobLease(p))
	for name, headers := range map[string][]string{
		"/copy": nil, "/sync": {"x-ms-requires-sync", "true"}, "/put": {"x-ms-blob-type", "BlockBlob"},
	} {
		headers = append(headers, "x-ms-copy-source", p.source(p.blob, "r"), "x-ms-source-lease-id", idB)
		if a := p.do("PUT", p.box+name, nil, headers...); a.status >= 300 {
			t.Errorf("%s: %d %s", name, a.status, a.code())
		}
		if got := p.stateOf(p.box + name); got != "available" {
			t.Errorf("%s is %s", name, got)
		}
	}
	if got := p.stateOf(p.blob + "?snapshot=" + p.snapshotID()); got != "" {
		t.Errorf("a snapshot is %s", got)
	}
	if got := p.stateOf(p.blob); got != "leased" {
		t.Errorf("the source is %s", got)
	}
}
