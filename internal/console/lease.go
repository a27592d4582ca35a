package console

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
)

const (
	eventsShown = 100
	maxBulk     = 500 // leases that are broken together
	maxForm     = 1 << 20
	maxReason   = 200
)

// leasePage is one lease.
type leasePage struct {
	Row       row
	Held      bool // it locks now
	Breaks    bool
	State     string
	Holder    lease.Holder
	Described string // by the holder itself
	IDPrefix  string
	Duration  lease.Duration
	Since     time.Time
	Ago       time.Duration
	Renewed   time.Time
	Renewals  uint32
	Every     string // between renewals
	Worst     string
	Margin    string // left when it was last renewed
	Waiters   []waiter
	Events    []event
	Started   time.Time
	Az, Curl  string
}

type waiter struct {
	Principal string
	For       time.Duration
}

type event struct {
	journal.Event
	Time time.Time
	Who  string
}

func (v *view) lease() error {
	name, err := v.named(v.r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	p, err := v.leaseOf(name)
	if err != nil {
		return err
	}
	return v.render("lease.html", p)
}

// leaseOf gathers what is known of a lease: its state from the store, its history from the journal.
func (v *view) leaseOf(name journal.Name) (*leasePage, error) {
	a, err := v.properties(name)
	if err != nil {
		return nil, err
	}
	p := &leasePage{State: a.get("x-ms-lease-state"), Breaks: v.mayBreak(name), Started: v.Service.Journal.Started()}
	p.Row = row{Key: name.String(), State: p.State, End: -1}
	p.Held = p.State == "leased" || p.State == "breaking"
	r, renewals, ok := v.Service.Journal.Lookup(name)
	if ok && p.Held && !r.Gone {
		p.Row = v.rowOf(&r, v.Service.WaitersByName(name.Account))
		p.Duration, p.Renewals = r.Duration, r.Renewals
		p.Since, p.Renewed = r.Since.Time(), r.Renewed.Time()
		p.Ago = v.now.Sub(p.Since)
		p.pace(r.Since.Time(), renewals)
		if p.Breaks {
			p.Holder, p.IDPrefix = r.Holder, hex.EncodeToString(r.IDPrefix[:])
			p.Described = described(a)
		}
	}
	for _, w := range v.Service.Waiters(name) {
		p.Waiters = append(p.Waiters, waiter{w.Principal, v.Now().Sub(w.Since)})
	}
	for _, e := range v.Service.Journal.Events(name, eventsShown) {
		one := event{Event: e, Time: e.At.Time()}
		if e.By != nil && p.Breaks {
			one.Who = e.By.Principal + " @ " + e.By.Address
		}
		p.Events = append(p.Events, one)
	}
	return p, nil
}

// properties asks the store for the container or blob.
func (v *view) properties(name journal.Name) (*answer, error) {
	o := operation{method: "HEAD", container: name.Container, blob: name.Blob, header: map[string]string{"leasehold-holder": "true"}}
	if name.Blob == "" {
		o.query = "restype=container"
	}
	return v.call(o)
}

// pace tells how regularly the lease is renewed.
func (p *leasePage) pace(since time.Time, renewals []time.Time) {
	if len(renewals) == 0 || p.Duration == lease.Infinite {
		return
	}
	if int(p.Renewals) == len(renewals) {
		renewals = append([]time.Time{since}, renewals...)
	}
	if len(renewals) < 2 {
		return
	}
	var worst time.Duration
	for i := range renewals[1:] {
		worst = max(worst, renewals[i+1].Sub(renewals[i]))
	}
	mean := renewals[len(renewals)-1].Sub(renewals[0]) / time.Duration(len(renewals)-1)
	p.Every, p.Worst = fmt.Sprintf("%.1f s", mean.Seconds()), fmt.Sprintf("%.1f s", worst.Seconds())
	p.Margin = span(p.Duration.Std() - worst)
}

// described returns what the holder says of itself in the metadata of the blob: our own
// description, or the one of Terraform and OpenTofu.
func described(a *answer) string {
	if text := a.get("x-ms-meta-leaseholder"); text != "" {
		return text
	}
	raw, err := base64.StdEncoding.DecodeString(a.get("x-ms-meta-terraformlockid"))
	var lock struct{ Operation, Who, Created string }
	if err != nil || json.Unmarshal(raw, &lock) != nil || lock.Who == "" {
		return a.get("x-ms-meta-functioninstance")
	}
	return strings.TrimPrefix(lock.Operation, "OperationType") + " · " + lock.Who + " · Terraform, since " + lock.Created
}

// askBreak is the page that asks whether a lease is to be broken.
func (v *view) askBreak() error {
	name, err := v.named(v.r.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	p, err := v.leaseOf(name)
	if err != nil {
		return err
	}
	return v.render("break.html", p)
}

// outcome is what became of one break.
type outcome struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

// breakLeases breaks the leases that a form lists as "EPOCH NAME". Whoever asks has typed the name
// or, for several, their number.
func (v *view) breakLeases() error {
	items := v.r.PostForm["item"]
	want := ""
	switch n := len(items); {
	case n == 0 || n > maxBulk:
		return &refusal{http.StatusBadRequest, fmt.Sprintf("Between 1 and %d leases are broken together.", maxBulk)}
	case n == 1:
		_, want, _ = strings.Cut(items[0], " ")
	default:
		want = "break " + strconv.Itoa(n)
	}
	if v.r.PostFormValue("confirm") != want {
		return &refusal{http.StatusBadRequest, "Nothing was broken: what was typed is not “" + want + "”."}
	}
	period := v.r.PostFormValue("period")
	var all []outcome
	failed := false
	for _, item := range items {
		epoch, name, _ := strings.Cut(item, " ")
		o := v.breakOne(name, epoch, period)
		failed = failed || !o.OK
		all = append(all, o)
	}
	if wantsJSON(v.r) {
		return writeJSON(v.w, http.StatusOK, map[string]any{"ok": !failed, "results": all})
	}
	return v.render("broken.html", all)
}

// breakOne breaks a lease, if it is still the one that was seen.
func (v *view) breakOne(text, epoch, period string) outcome {
	name, err := v.named(text)
	if err != nil {
		return outcome{text, false, err.Error()}
	}
	if epoch == "" {
		return outcome{text, false, "Not broken: the form does not say which lease was seen."}
	}
	o := operation{method: "PUT", container: name.Container, blob: name.Blob, query: "comp=lease",
		header: map[string]string{"x-ms-lease-action": "break", "leasehold-if-epoch": epoch}}
	if name.Blob == "" {
		o.query = "restype=container&comp=lease"
	}
	if period != "" {
		o.header["x-ms-lease-break-period"] = period
	}
	a, err := v.call(o)
	var failure *answerError
	switch {
	case errors.As(err, &failure) && failure.Code == "ConditionNotMet":
		return outcome{text, false, "Not broken: the lease changed hands since the page was loaded."}
	case errors.As(err, &failure):
		return outcome{text, false, "Not broken: " + failure.Error()}
	case err != nil:
		v.Log.Error("the console failed to break a lease", "error", err)
		return outcome{text, false, "It is not known whether it was broken. The server's log says more."}
	}
	reason := v.r.PostFormValue("reason")
	v.Log.Info("a lease was broken in the console", "name", text, "account", name.Account, "by", v.session.who, "address", v.r.RemoteAddr,
		"reason", reason[:min(len(reason), maxReason)])
	if left := a.get("x-ms-lease-time"); left != "0" {
		return outcome{text, true, "Broken: free in " + left + " s."}
	}
	return outcome{text, true, "Broken: free now."}
}
