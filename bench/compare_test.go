package main

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ceilingTarget serves a ceiling in this process.
func ceilingTarget(t *testing.T, answers ...*recorded) *target {
	t.Helper()
	srv := httptest.NewServer(newCeiling())
	t.Cleanup(srv.Close)
	target := &target{role: ceilingRole, addr: srv.Listener.Addr().(*net.TCPAddr).String(), base: "/" + devAccount,
		account: devAccount, key: devKey, filled: map[string]bool{}}
	r, err := newRecorder(target)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.recorded = answers
	if err := r.teach(target); err != nil {
		t.Fatal(err)
	}
	return target
}

func grantedLease(action string, status int) *recorded {
	return &recorded{Method: "PUT", Action: action, Status: status, Header: map[string][]string{"X-Ms-Lease-Id": {"recorded"}, "Etag": {`"0x1"`}}}
}

// TestSlices runs workloads with both clients against a ceiling that answers rightly, and with one
// wrong thing each.
func TestSlices(t *testing.T) {
	data := noise(kib)
	good := []*recorded{
		grantedLease("acquire", 201), grantedLease("renew", 200), {Method: "PUT", Action: "release", Status: 200},
		{Method: "PUT", Status: 201, Header: map[string][]string{"Etag": {`"0x1"`}}},
		{Method: "GET", Status: 200, Body: data},
		{Method: "HEAD", Status: 200, Header: map[string][]string{"Content-Length": {"1024"}}},
		{Method: "DELETE", Status: 202},
	}
	for _, v := range []struct {
		name  string
		setup func(*stage) ([]step, error)
		wrong *recorded
		want  string
	}{
		{"lease pairs", leasePairs, grantedLease("acquire", 409), "want [201]"},
		{"lease pairs, other lease", leasePairs, &recorded{Method: "PUT", Action: "acquire", Status: 201}, "want lease"},
		{"contended", contended, grantedLease("acquire", 500), "want [201 409]"},
		{"renew", leaseRenew, &recorded{Method: "PUT", Action: "renew", Status: 200}, "want lease"},
		{"properties", properties, &recorded{Method: "HEAD", Status: 200, Header: map[string][]string{"Content-Length": {"7"}}}, "want length 1024"},
		{"get", get(kib, 16), &recorded{Method: "GET", Status: 200, Body: make([]byte, kib-1)}, "want 1024 bytes"},
		{"put", put(kib), &recorded{Method: "PUT", Status: 201}, "no ETag"},
		{"large put", put(mib), &recorded{Method: "PUT", Status: 403}, "want [201]"},
		{"delete", remove, &recorded{Method: "DELETE", Status: 404}, "want [202]"},
	} {
		for _, kind := range []string{rawKind, netKind} {
			t.Run(v.name+"/"+kind, func(t *testing.T) {
				run := func(target *target) (slice, error) {
					s := &stage{target: target, conns: 3, container: "c", prefix: "p-", progress: t.Logf}
					steps, err := v.setup(s)
					if err != nil {
						t.Fatal(err)
					}
					return runSlice(target, kind, steps, getCall(s.blob("none")), 10*time.Millisecond)
				}
				s, err := run(ceilingTarget(t, good...))
				if err != nil {
					t.Fatal(err)
				}
				if s.requests < 3 || s.requests != len(s.latency) || s.rate <= 0 {
					t.Errorf("got %d requests, %d latencies, rate %v", s.requests, len(s.latency), s.rate)
				}
				if _, err := run(ceilingTarget(t, append([]*recorded{}, append(good, v.wrong)...)...)); err == nil || !strings.Contains(err.Error(), v.want) {
					t.Errorf("a wrong answer gave %v, want an error with %q", err, v.want)
				}
			})
		}
	}
}

func TestSliceEndsEarly(t *testing.T) {
	target := ceilingTarget(t)
	left := 5
	steps := []step{func(w *worker) error {
		if left--; left < 0 {
			return errDone
		}
		return w.call(getCall("/x"), 200)
	}}
	s, err := runSlice(target, rawKind, steps, getCall("/x"), time.Hour)
	if err != nil || s.requests != 5 {
		t.Errorf("got %d requests, %v", s.requests, err)
	}
}

// TestFiguresTakeMedians feeds slices and looks at what is reported.
func TestFiguresTakeMedians(t *testing.T) {
	l := &lane{stage: &stage{target: &target{role: server}}, memory: 3 * mib}
	for _, rate := range []float64{100, 300, 900} {
		l.slices = append(l.slices, slice{requests: 2, bytes: 4 * mib, rate: rate, latency: []int64{int64(rate) * 1000, 1000},
			wall: time.Second, cpu: 20 * time.Millisecond})
	}
	l.granted = 6
	f := l.figures()
	if f.Rate != 300 || f.MiBPerSec != 600 || f.P50 != 1 || f.P99 != 900 || f.CPU != 10000 || f.Memory != 3 || f.Granted != 2 || f.Requests != 6 {
		t.Errorf("got %+v", f)
	}
}

func TestVerdicts(t *testing.T) {
	at := func(ratio float64) row {
		return row{Client: rawKind, Ratio: ratio, Server: &figures{P99: 2000, MiBPerSec: 90}}
	}
	for _, v := range []struct {
		name string
		bar  bar
		row  row
		want string
	}{
		{"none", bar{}, at(1), ""},
		{"reached", bar{ceiling: 0.4}, at(0.4), passed},
		{"missed", bar{ceiling: 0.4}, at(0.39), missed},
		{"no ceiling", bar{ceiling: 0.4}, at(0), ""},
		{"no server", bar{ceiling: 0.4}, row{}, ""},
		{"failed", bar{ceiling: 0.4}, row{Server: &figures{Error: "x"}}, failed},
		{"disk is the limit", bar{ceiling: 0.4, disk: 0.8}, func() row { r := at(0.1); r.DiskRate = 100; return r }(), passed},
		{"disk is not the limit", bar{ceiling: 0.4, disk: 0.8}, func() row { r := at(0.1); r.DiskRate = 200; return r }(), missed},
		{"quick enough", bar{sync: true}, func() row { r := at(1); r.SyncP99 = 1000; return r }(), passed},
		{"too slow", bar{sync: true}, func() row { r := at(1); r.SyncP99 = 999; return r }(), missed},
		{"flat", bar{twin: 0.8}, func() row { r := at(0.1); r.TwinRatio = 0.8; return r }(), passed},
		{"not flat", bar{twin: 0.8}, func() row { r := at(0.1); r.TwinRatio = 0.79; return r }(), missed},
		{"no twin", bar{twin: 0.8}, at(0.39), ""},
	} {
		if got := v.bar.judge(&v.row); got != v.want {
			t.Errorf("%s: got %q, want %q", v.name, got, v.want)
		}
	}
}
