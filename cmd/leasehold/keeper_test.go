package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/internal/config"
)

// TestAWaitIsAnnounced: on a terminal lock and elect say whom they wait for, and elsewhere nothing.
func TestAWaitIsAnnounced(t *testing.T) {
	url, stop := inProcess()
	defer stop()
	t.Setenv(envConnection, "AccountName="+config.DevAccount+";AccountKey="+config.DevKey+";BlobEndpoint="+url+"/"+config.DevAccount)
	if err := makeContainer(t.Context(), "jobs/nightly"); err != nil {
		t.Fatal(err)
	}
	at, err := target("jobs/nightly")
	if err != nil {
		t.Fatal(err)
	}
	c, err := hold.New(at, &hold.Options{Extensions: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Lock(t.Context(), &hold.LockOptions{CreateIfMissing: true, Describe: &hold.Holder{Name: "ci-7"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release(t.Context())
	var out bytes.Buffer
	k := &keeper{target: at, client: c, notices: &out}
	k.notice()
	if got := out.String(); !strings.Contains(got, "waiting for "+url) || !strings.Contains(got, "held by ci-7") || !strings.Contains(got, "from 127.0.0.1") {
		t.Errorf("%q", got)
	}
	k.event(hold.Event{Kind: hold.EventWaiting})
	if k.waiting == nil {
		t.Error("a wait is not announced")
	}
	k.event(hold.Event{Kind: hold.EventRenewFailed})
	if k.waiting != nil {
		t.Error("the announcement goes on after the wait")
	}
	quiet := &keeper{target: at, client: c}
	if quiet.event(hold.Event{Kind: hold.EventWaiting}); quiet.waiting != nil {
		t.Error("without a terminal a wait is announced")
	}
	if f, err := os.Open(os.DevNull); err != nil || isTerminal(f) || isTerminal(&out) {
		t.Error("what is no terminal counts as one", err)
	}
}
