package hold

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
	"github.com/leasehold/leasehold/test/sheet"
)

// The store that package holdtest offers to the tests of others shares no code with the server. It
// is held to the same sheets.
const leaseSheets = "../../internal/lease/testdata/"

var leaseIDs = map[string]string{
	"A": "aaaaaaaa-0000-4000-8000-000000000000",
	"B": "bbbbbbbb-0000-4000-8000-000000000000",
	"C": "cccccccc-0000-4000-8000-000000000000",
}

// double is a store of package holdtest with one blob, box/one.
type double struct {
	t     *testing.T
	store *holdtest.Store
	path  string // "box", or "box/one"
}

// send returns the answer to a request for the resource.
func (d *double) send(method, query string, headers ...string) *http.Response {
	d.t.Helper()
	if d.path == "box" {
		query = strings.TrimSuffix("?restype=container&"+strings.TrimPrefix(query, "?"), "&")
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, holdtest.Endpoint+"/"+d.path+query, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := d.store.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp
}

func (d *double) act(action string, headers ...string) *http.Response {
	return d.send("PUT", "?comp=lease", append([]string{"x-ms-lease-action", action}, headers...)...)
}

func (d *double) must(action string, headers ...string) {
	d.t.Helper()
	if resp := d.act(action, headers...); resp.StatusCode >= 300 {
		d.t.Fatalf("%s %q: %d %s", action, headers, resp.StatusCode, resp.Header.Get("x-ms-error-code"))
	}
}

// prepare brings the lease of A into a state. Of a finite lease ten seconds are over, of an expired
// one thirty-five.
func (d *double) prepare(state string, seconds int) {
	d.t.Helper()
	if state == "Available" {
		return
	}
	d.must("acquire", "x-ms-lease-duration", strconv.Itoa(seconds), "x-ms-proposed-lease-id", leaseIDs["A"])
	switch state {
	case "Expired":
		<-time.After(35 * time.Second)
		return
	case "Breaking":
		d.must("break", "x-ms-lease-break-period", "30")
	case "Broken":
		d.must("break", "x-ms-lease-break-period", "0")
	}
	<-time.After(10 * time.Second)
}

// shown returns the state as the sheets write it, with the ID of a lease that locks.
func (d *double) shown() string {
	state := d.send("HEAD", "").Header.Get("x-ms-lease-state")
	state = strings.ToUpper(state[:1]) + state[1:]
	holder := d.store.Holder(d.path)
	if holder == "" {
		return state
	}
	for name, id := range leaseIDs {
		if id == holder {
			return state + "(" + name + ")"
		}
	}
	return state + "(fresh)"
}

// trials runs try for the states of a column, with a finite and an infinite lease.
func trials(t *testing.T, name, path, column string, try func(d *double, seconds int)) {
	state, _, _ := strings.Cut(column, "(")
	for _, seconds := range []int{30, -1} {
		if seconds < 0 && (state == "Expired" || state == "Available") {
			continue
		}
		t.Run(fmt.Sprintf("%s on %s, %d", name, column, seconds), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &double{t, holdtest.NewStore(), path}
				d.store.Container("box")
				d.send("PUT", "")
				d.prepare(state, seconds)
				try(d, seconds)
			})
		})
	}
}

// TestDoubleActions holds the double to the outcome of every lease action.
func TestDoubleActions(t *testing.T) {
	for _, action := range []string{"acquire", "renew", "change", "release"} {
		s := sheet.Read(t, leaseSheets+"actions.md", action)
		for _, row := range s.Rows {
			from, to, _ := strings.Cut(row[0], " → ")
			headers := []string{"x-ms-lease-id", leaseIDs[from], "x-ms-proposed-lease-id", leaseIDs[to]}
			if action == "acquire" {
				headers = []string{"x-ms-lease-duration", "45", "x-ms-proposed-lease-id", leaseIDs[from]}
			}
			for _, column := range s.Columns[1:] {
				want := s.At(t, row, column)
				trials(t, action+" "+row[0], "box/one", column, func(d *double, seconds int) {
					before := d.shown()
					resp := d.act(action, headers...)
					if code := resp.Header.Get("x-ms-error-code"); code != "" {
						if code != want || d.shown() != before {
							d.t.Errorf("%s, then %s; want %s", code, d.shown(), want)
						}
						return
					}
					state, clock, _ := strings.Cut(want, ", ")
					if d.shown() != state {
						d.t.Fatalf("%s, want %s", d.shown(), want)
					}
					d.clock(action, clock, seconds)
				})
			}
		}
	}
}

// clock checks when a lease ends that an action was done to.
func (d *double) clock(action, clock string, seconds int) {
	left := time.Duration(seconds) * time.Second
	switch {
	case clock == "":
		return
	case clock == "clock kept":
		left -= 10 * time.Second
	case action == "acquire":
		left, seconds = 45*time.Second, 45
	}
	if seconds < 0 {
		left = time.Hour
	}
	<-time.After(left - time.Millisecond)
	if d.store.Holder(d.path) == "" {
		d.t.Errorf("the lease ended within %v", left)
	}
	<-time.After(time.Millisecond)
	if held := d.store.Holder(d.path) != ""; held != (seconds < 0) {
		d.t.Errorf("after %v the lease is held: %t", left, held)
	}
}

// TestDoubleUses holds the double to the outcome of every use of a leased resource.
func TestDoubleUses(t *testing.T) {
	for _, use := range []struct{ heading, path, method string }{
		{"write, blob", "box/one", "PUT"}, {"read, blob", "box/one", "HEAD"},
		{"write, container", "box", "DELETE"}, {"read, container", "box", "HEAD"},
	} {
		s := sheet.Read(t, leaseSheets+"use.md", use.heading)
		for _, row := range s.Rows {
			for _, column := range s.Columns[1:] {
				want := s.At(t, row, column)
				trials(t, use.heading+" "+row[0], use.path, column, func(d *double, _ int) {
					before := d.shown()
					resp := d.send(use.method, "", "x-ms-lease-id", leaseIDs[row[0]])
					code := resp.Header.Get("x-ms-error-code")
					if code == "" {
						code = "ok"
					}
					outcome, erased, _ := strings.Cut(want, ", ")
					if code != outcome {
						d.t.Fatalf("%d %s, want %s", resp.StatusCode, code, want)
					}
					if use.method == "DELETE" && code == "ok" {
						return
					}
					if erased != "" {
						before = "Available"
					}
					if d.shown() != before {
						d.t.Errorf("then %s, want %s", d.shown(), before)
					}
				})
			}
		}
	}
}

// TestDoubleBreaks holds the double to the arithmetic of break.
func TestDoubleBreaks(t *testing.T) {
	s := sheet.Read(t, leaseSheets+"break.md", "outcome")
	for _, row := range s.Rows {
		t.Run(strings.Join(row[:3], " "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &double{t, holdtest.NewStore(), "box/one"}
				d.store.Container("box")
				d.send("PUT", "")
				seconds := 30
				if s.At(t, row, "left") == "infinite" {
					seconds = -1
				}
				d.prepare(s.At(t, row, "state"), seconds)
				period := strings.Replace(s.At(t, row, "period"), "none", "", 1)
				resp := d.act("break", "x-ms-lease-break-period", period)
				want := s.At(t, row, "becomes")
				if code := resp.Header.Get("x-ms-error-code"); code != "" {
					if code != want {
						t.Errorf("%s, want %s", code, want)
					}
					return
				}
				if state, _, _ := strings.Cut(d.shown(), "("); state != want || resp.Header.Get("x-ms-lease-time") != s.At(t, row, "answer") {
					t.Fatalf("%s, %s s; want %s, %s s", state, resp.Header.Get("x-ms-lease-time"), want, s.At(t, row, "answer"))
				}
				if left := s.At(t, row, "for"); left != "" {
					n, _ := strconv.Atoi(left)
					<-time.After(time.Duration(n)*time.Second - time.Millisecond)
					early := d.store.Holder(d.path) != ""
					<-time.After(time.Millisecond)
					if !early || d.store.Holder(d.path) != "" {
						t.Errorf("the lease did not end after %s s", left)
					}
				}
			})
		})
	}
}
