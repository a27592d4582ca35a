package observe

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/wire"
)

// auditRecord is one line of the audit log. docs/audit-log.md describes it. It never holds a key, a
// signature or a lease ID.
type auditRecord struct {
	Time      string `json:"time"`
	Event     string `json:"event"`
	Account   string `json:"account"`
	Container string `json:"container,omitempty"`
	Blob      string `json:"blob,omitempty"`
	Principal string `json:"principal,omitempty"`
	Address   string `json:"address,omitempty"`
	Client    string `json:"client,omitempty"`
	Request   string `json:"requestId,omitempty"`
	Seconds   int64  `json:"seconds,omitempty"`
	Code      string `json:"code,omitempty"`
	Count     int    `json:"count,omitempty"`
}

// auditedOperations are the operations that are recorded when they succeed, by their events.
var auditedOperations = map[string]string{
	"Container_Delete": "container-deleted", "Container_SetAccessPolicy": "policy-changed", "Service_SetProperties": "properties-changed",
	"Service_GetUserDelegationKey": "delegation-key-issued", "Blob_SetImmutabilityPolicy": "immutability-changed",
	"Blob_DeleteImmutabilityPolicy": "immutability-changed", "Blob_SetLegalHold": "immutability-changed",
}

// auditedLeases are the occurrences that are recorded, by their events.
var auditedLeases = map[journal.Kind]string{journal.Broken: "lease-broken", journal.TakenOver: "lease-taken-over", journal.Expired: "lease-expired"}

const (
	// gatherDenied is how long denied attempts are gathered into one record.
	gatherDenied = time.Minute
	// maxDenied bounds how many kinds of denied attempts are told apart while they are gathered.
	maxDenied = 1000
)

// denial is a kind of denied attempt.
type denial struct{ account, address, code string }

// audit writes the audit log. A nil audit writes nothing.
type audit struct {
	log *slog.Logger // for failures to write

	mu     sync.Mutex
	out    io.Writer
	denied map[denial]int
}

// write writes one record. A log that can't be written holds up nobody.
func (a *audit) write(r *auditRecord) {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = a.out.Write(append(line, '\n'))
	}
	if err != nil {
		a.log.Error("could not write the audit log", "error", err)
	}
}

// occurred records an occurrence, before the request that caused it is answered.
func (a *audit) occurred(o journal.Occurrence) {
	event := auditedLeases[o.Kind]
	if a == nil || event == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.write(&auditRecord{
		Time: o.At.Time().UTC().Format(time.RFC3339Nano), Event: event, Account: o.Name.Account, Container: o.Name.Container, Blob: o.Name.Blob,
		Principal: o.By.Principal, Address: o.By.Address, Client: o.By.Client, Request: o.Request, Seconds: int64(o.Seconds),
	})
}

// ended records a request that has ended, or gathers it if it was denied.
func (a *audit) ended(r *wire.Request) {
	event, success := auditedOperations[r.Operation], r.Failure == nil
	denied := r.Failure != nil && (r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden)
	if !denied && (event == "" || !success) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if denied {
		a.gather(denial{r.Account, host(r.RemoteAddr), string(r.Failure.Code)})
		return
	}
	a.write(&auditRecord{
		Time: r.Received.UTC().Format(time.RFC3339Nano), Event: event, Account: r.Account, Container: r.Container, Blob: r.Blob,
		Principal: r.Principal, Address: host(r.RemoteAddr), Client: r.UserAgent(), Request: r.ID,
	})
}

// gather counts a denied attempt. When too many are told apart, further addresses are counted
// together.
func (a *audit) gather(d denial) {
	if _, ok := a.denied[d]; !ok && len(a.denied) >= maxDenied {
		d = denial{code: d.code}
	}
	if a.denied == nil {
		a.denied = map[denial]int{}
	}
	a.denied[d]++
}

// flush records the denied attempts that were gathered.
func (a *audit) flush(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for d, n := range a.denied {
		a.write(&auditRecord{
			Time: now.UTC().Format(time.RFC3339Nano), Event: "denied", Account: d.account, Address: cmp.Or(d.address, "others"), Code: d.code, Count: n,
		})
	}
	a.denied = nil
}

// run flushes regularly, until ctx ends.
func (a *audit) run(ctx context.Context) {
	tick := time.NewTicker(gatherDenied)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.flush(now)
		}
	}
}
