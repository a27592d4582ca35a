package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/leasehold/leasehold/internal/certificate"
	"github.com/leasehold/leasehold/internal/datadir"
)

var update = flag.Bool("update", false, "write the files that are compared with anew")

// watchedServer is a server whose metrics are watched.
type watchedServer struct {
	*testing.T
	ops, connection, data, config string
	stop                          func() error
}

// observed starts a server with a certificate, a configuration file and an access log.
func observed(t *testing.T) *watchedServer {
	dir := t.TempDir()
	o := &watchedServer{T: t, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "leasehold.toml")}
	ca, err := certificate.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := encode(c)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"leasehold.toml": nil, "tls.pem": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := newServe()
	cmd.SetArgs([]string{"--dev", "--data", o.data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--config", o.config, "--tls-listen",
		"127.0.0.1:0", "--tls-cert", filepath.Join(dir, "tls.pem"), "--tls-key", filepath.Join(dir, "tls.key"), "--access-log", filepath.Join(dir, "access.log"),
		"--audit-log", filepath.Join(dir, "audit.log")})
	out, in := io.Pipe()
	cmd.SetOut(in)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- cmd.ExecuteContext(ctx)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	for o.connection == "" && lines.Scan() {
		if m := regexp.MustCompile(`metrics on (http://.*)/metrics`).FindStringSubmatch(lines.Text()); m != nil {
			o.ops = m[1]
		}
		if m := regexp.MustCompile(`connection string: (.*)`).FindStringSubmatch(lines.Text()); m != nil {
			o.connection = m[1]
		}
	}
	go io.Copy(io.Discard, out)
	o.stop = func() error {
		cancel()
		return <-done
	}
	return o
}

// scrape returns the metrics as text.
func (o *watchedServer) scrape() string {
	o.Helper()
	resp, err := http.Get(o.ops + "/metrics")
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.Fatal(err)
	}
	return string(text)
}

// value returns the value of a series, with the beginning of its labels or without; 0 if there is
// none.
func (o *watchedServer) value(series string) float64 {
	o.Helper()
	for line := range strings.Lines(o.scrape()) {
		if rest, ok := strings.CutPrefix(line, series); ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, "}")) {
			fields := strings.Fields(line)
			v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
			if err != nil {
				o.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// until asks for a series until its value is as wanted.
func (o *watchedServer) until(series string, wanted func(float64) bool) {
	o.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for v := o.value(series); !wanted(v); v = o.value(series) {
		if time.Now().After(deadline) {
			o.Fatalf("%s stays %v", series, v)
		}
	}
}

func positive(v float64) bool { return v > 0 }
func none(v float64) bool     { return v == 0 }

// TestMetricsMove causes what each metric counts, and then compares the list of all metrics with
// docs/metrics.md.
func TestMetricsMove(t *testing.T) {
	o := observed(t)
	ctx := t.Context()
	box, err := container.NewClientFromConnectionString(o.connection, "box", nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = box.Create(ctx, nil)
	check(err)
	job := box.NewBlockBlobClient("job")
	_, err = job.UploadBuffer(ctx, make([]byte, 100), &blockblob.UploadBufferOptions{})
	check(err)
	_, err = job.DownloadStream(ctx, nil)
	check(err)

	// A lease is held; one request waits for it and is granted, another hangs up.
	held, err := lease.NewBlobClient(job, nil)
	check(err)
	_, err = held.AcquireLease(ctx, 60, nil)
	check(err)
	next, err := lease.NewBlobClient(job, nil)
	check(err)
	waiting := policy.WithHTTPHeader(ctx, http.Header{"Leasehold-Wait": {"60"}})
	granted := make(chan error, 1)
	go func() {
		_, err := next.AcquireLease(waiting, 60, nil)
		granted <- err
	}()
	o.until("leasehold_lease_waiters", positive)
	_, err = held.ReleaseLease(ctx, nil)
	check(err)
	check(<-granted)
	hangsUp, cancel := context.WithCancel(waiting)
	gone := make(chan error, 1)
	go func() {
		_, err := held.AcquireLease(hangsUp, 60, nil)
		gone <- err
	}()
	o.until("leasehold_lease_waiters", positive)
	cancel()
	<-gone
	o.until("leasehold_lease_waiters", none)
	o.until(`leasehold_requests_total{code="ClientGone",operation="Blob_AcquireLease",status="499"`, positive)
	_, err = next.ReleaseLease(ctx, nil)
	check(err)

	// What else happens to leases: renewed, refused, and infinite.
	_, err = held.AcquireLease(ctx, 60, nil)
	check(err)
	_, err = held.RenewLease(ctx, nil)
	check(err)
	if _, err = next.AcquireLease(ctx, 60, nil); err == nil {
		t.Error("two holders")
	}
	_, err = held.ReleaseLease(ctx, nil)
	check(err)
	whole, err := lease.NewContainerClient(box, nil)
	check(err)
	_, err = whole.AcquireLease(ctx, -1, nil)
	check(err)

	batch, err := box.NewBatchBuilder()
	check(err)
	check(batch.Delete("job", nil))
	_, err = box.SubmitBatch(ctx, batch, nil)
	check(err)
	check(datadir.Backup(ctx, o.data, filepath.Join(t.TempDir(), "copy"), engines))
	check(os.WriteFile(o.config, []byte("nonsense"), 0o600))
	o.until("leasehold_config_last_reload_successful", none)
	if !strings.Contains(o.scrape(), `leasehold_build_info{goversion="go`) {
		t.Error("no build information")
	}
	for _, series := range []string{
		`leasehold_requests_total{code="",operation="BlockBlob_Upload",status="201"`, `leasehold_batch_parts_total{code="",operation="Blob_Delete",status="202"`,
		`leasehold_request_duration_seconds_count{operation="Blob_AcquireLease"`, "leasehold_received_bytes_total", "leasehold_sent_bytes_total",
		"leasehold_connections", `leasehold_lease_waits_total{outcome="granted"`, `leasehold_lease_waits_total{outcome="gone"`, "leasehold_lease_wait_seconds_count",
		"leasehold_store_commits_total", "leasehold_store_syncs_total", "leasehold_store_commit_seconds_count", "leasehold_store_disk_bytes",
		"leasehold_disk_free_bytes", "leasehold_disk_size_bytes", "leasehold_backup_last_success_timestamp_seconds", "leasehold_backup_seconds",
		"leasehold_config_last_reload_timestamp_seconds", `leasehold_certificate_expiry_timestamp_seconds{listener="tls"`,
		`leasehold_lease_events_total{account="devstoreaccount1",event="acquired"`, `leasehold_lease_events_total{account="devstoreaccount1",event="released"`,
		`leasehold_lease_events_total{account="devstoreaccount1",event="renewed"`, "leasehold_lease_hold_seconds_count",
		`leasehold_lease_refusals_total{account="devstoreaccount1",code="LeaseAlreadyPresent"`, "leasehold_lease_renew_margin_seconds_count",
		`leasehold_leases{account="devstoreaccount1",kind="infinite",resource="container",state="leased"`,
		`leasehold_oldest_infinite_lease_seconds{account="devstoreaccount1"`,
		"leasehold_sweeper_last_success_timestamp_seconds",
	} {
		o.until(series, positive)
	}
	compareDocument(t, o.scrape())
	problems, err := promlint.New(strings.NewReader(o.scrape())).Lint()
	check(err)
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "leasehold_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	_, err = whole.BreakLease(ctx, nil)
	check(err)
	audited, err := os.ReadFile(filepath.Join(filepath.Dir(o.config), "audit.log"))
	check(err)
	if !strings.Contains(string(audited), `"event":"lease-broken","account":"devstoreaccount1","container":"box","principal":"key"`) {
		t.Errorf("the break was answered, and the audit log is %s", audited)
	}
	check(o.stop())
	log, err := os.ReadFile(filepath.Join(filepath.Dir(o.config), "access.log"))
	check(err)
	for _, want := range []string{`"operation":"Blob_AcquireLease"`, `"status":499`, `"code":"ClientGone"`, `"blob":"job"`, `"principal":"key"`, `"waited":`} {
		if !strings.Contains(string(log), want) {
			t.Errorf("no %s in the access log:\n%s", want, log)
		}
	}
}

// compareDocument compares docs/metrics.md with the metrics that there are.
func compareDocument(t *testing.T, metrics string) {
	const path = "../../docs/metrics.md"
	type family struct{ name, kind, help, labels string }
	var families []*family
	byName := map[string]*family{}
	for line := range strings.Lines(metrics) {
		if m := regexp.MustCompile(`^# HELP (leasehold_\S+) (.*)`).FindStringSubmatch(line); m != nil {
			byName[m[1]] = &family{name: m[1], help: m[2]}
			families = append(families, byName[m[1]])
		}
		if m := regexp.MustCompile(`^# TYPE (leasehold_\S+) (\S+)`).FindStringSubmatch(line); m != nil {
			byName[m[1]].kind = m[2]
		}
		if m := regexp.MustCompile(`^(leasehold_\w+?)(?:_count)?\{(.*)\} `).FindStringSubmatch(line); m != nil && byName[m[1]] != nil {
			var names []string
			for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
				names = append(names, "`"+l[1]+"`")
			}
			slices.Sort(names)
			byName[m[1]].labels = strings.Join(names, ", ")
		}
	}
	var b strings.Builder
	b.WriteString("# Metrics\n\nGenerated from a running server by `go test ./cmd/leasehold -run TestMetricsMove -update`; don't edit.\n\n" +
		"`leasehold serve --ops-listen ADDRESS` serves these at `/metrics`, with the metrics of the Go runtime and of the process. Labels are bounded: " +
		"no container, blob, principal or address is ever in a label. `leasehold_certificate_expiry_timestamp_seconds` is there with `--tls-cert` only.\n\n" +
		"Histograms are native as well as classic: a Prometheus that scrapes native histograms gets an error of at most 5 %. Rules for alerts are in " +
		"`contrib/prometheus/alerts.yml`, a dashboard is in `contrib/grafana/leasehold.json`.\n\n" +
		"| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, f.labels, f.help)
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != b.String() {
		t.Errorf("%s is not what the server serves (%v): go test ./cmd/leasehold -run TestMetricsMove -update", path, err)
	}
}
