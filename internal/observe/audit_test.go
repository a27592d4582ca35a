package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// ended returns a request that has ended.
func ended(operation string, status int, code fault.Code) *wire.Request {
	r := &wire.Request{Request: httptest.NewRequest("PUT", "/acct/box/job?sig=secret", nil), ID: "id", Received: time.Unix(1000, 0), Operation: operation, Status: status}
	r.Account, r.Container, r.Blob, r.Principal = "acct", "box", "job", "key"
	r.Header.Set("x-ms-lease-id", "c0ffee00-1234-4321-8888-000000000000")
	r.Header.Set("User-Agent", "test")
	if code != "" {
		r.Failure = &fault.Error{Code: code, Status: status}
	}
	return r
}

// TestAudit compares the records of everything that is audited, and of some things that are not,
// with what docs/audit-log.md says.
func TestAudit(t *testing.T) {
	var out bytes.Buffer
	a := &audit{log: slog.New(slog.DiscardHandler), out: &out}
	name := journal.Name{Account: "acct", Container: "box", Blob: "job"}
	by := lease.Holder{Principal: "key", Address: "192.0.2.1", Client: "test"}
	at := lease.At(time.Unix(1000, 0))
	for _, k := range []journal.Kind{journal.Acquired, journal.Renewed, journal.Released, journal.Broken, journal.TakenOver, journal.Expired} {
		a.occurred(journal.Occurrence{At: at, Kind: k, Name: name, By: by, Request: "id", Seconds: 15})
	}
	for operation := range auditedOperations {
		a.ended(ended(operation, 200, ""))
		a.ended(ended(operation, 409, fault.LeaseIDMissing))
	}
	a.ended(ended("BlockBlob_Upload", 201, ""))
	for range 3 {
		a.ended(ended("Blob_Download", 403, fault.AuthorizationFailure))
	}
	a.flush(time.Unix(1060, 0))
	a.flush(time.Unix(1120, 0))

	document, err := os.ReadFile("../../docs/audit-log.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-zA-Z-]+)`").FindAllSubmatch(document, -1) {
		documented[string(m[1])] = true
	}
	events := map[string]int{}
	for line := range strings.Lines(out.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		events[record["event"].(string)]++
		for _, word := range append(slices.Collect(maps.Keys(record)), record["event"].(string)) {
			if !documented[word] {
				t.Errorf("docs/audit-log.md does not tell of %s", word)
			}
		}
	}
	want := map[string]int{"lease-broken": 1, "lease-taken-over": 1, "lease-expired": 1, "container-deleted": 1, "policy-changed": 1,
		"properties-changed": 1, "delegation-key-issued": 1, "immutability-changed": 3, "denied": 1}
	if !maps.Equal(events, want) {
		t.Errorf("%v, want %v", events, want)
	}
	for _, line := range []string{
		`{"time":"1970-01-01T00:16:40Z","event":"lease-broken","account":"acct","container":"box","blob":"job","principal":"key","address":"192.0.2.1","client":"test","requestId":"id","seconds":15}`,
		`{"time":"1970-01-01T00:17:40Z","event":"denied","account":"acct","address":"192.0.2.1","code":"AuthorizationFailure","count":3}`,
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("no %s in\n%s", line, &out)
		}
	}
	if strings.Contains(out.String(), "c0ffee00") || strings.Contains(out.String(), "secret") {
		t.Error("a secret is in the log")
	}
}

// failing can't be written.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestDeniedAttemptsAreBounded: a crowd of addresses takes no more memory than some, and a log that
// can't be written is reported.
func TestDeniedAttemptsAreBounded(t *testing.T) {
	var log bytes.Buffer
	a := &audit{log: slog.New(slog.NewTextHandler(&log, nil)), out: failing{}}
	for n := range maxDenied + 50 {
		r := ended("", 403, fault.AuthenticationFailed)
		r.RemoteAddr = string(rune('a'+n%26)) + strings.Repeat("x", n/26)
		a.ended(r)
	}
	if n := a.denied[denial{code: "AuthenticationFailed"}]; len(a.denied) != maxDenied+1 || n != 50 {
		t.Errorf("%d kinds, %d others", len(a.denied), n)
	}
	a.flush(time.Now())
	if !strings.Contains(log.String(), "disk full") {
		t.Errorf("the log: %s", &log)
	}
}

// TestLogsAreReopened: after a rename, records go to a new file; if that can't be made, to the old
// one.
func TestLogsAreReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := openLog(filepath.Join(dir, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	write := func(text string, reopened bool) {
		t.Helper()
		if err := l.reopen(); (err == nil) != reopened {
			t.Error(err)
		}
		if _, err := l.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	write("one\n", true)
	if err := os.Rename(filepath.Join(dir, "audit"), filepath.Join(dir, "audit.1")); err != nil {
		t.Skip("this system does not rename open files:", err)
	}
	write("two\n", true)
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	write("three\n", false)
	for file, want := range map[string]string{"audit.1": "one\n", "audit": "two\nthree\n"} {
		if got, err := os.ReadFile(filepath.Join(dir+".old", file)); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v", file, got, err)
		}
	}
}
