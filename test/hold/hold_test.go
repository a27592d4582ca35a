// Package hold runs the live tests of package hold against real stores: this
// server, and Azurite, the emulator that most of its users have. Against this server
// it also shows what takes several processes: that locks exclude each other while the
// server is killed and a holder is stopped, how locks are handed over, and what a
// thousand of them cost.
package hold

import (
	"bufio"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

func TestLeasehold(t *testing.T) {
	out := live(t, harness.Start(t, nil).ConnectionString())
	if strings.Contains(out, "--- SKIP") {
		t.Errorf("something was skipped:\n%s", out)
	}
}

func TestAzurite(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, ".build", "peer", "node_modules", ".bin", "azurite-blob")
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("Azurite is not installed: make hold-live does that")
	}
	live(t, "DefaultEndpointsProtocol=http;AccountName="+harness.Account+";AccountKey="+harness.Key+
		";BlobEndpoint="+startAzurite(t, program)+"/"+harness.Account+";")
}

// live runs the live tests against the store of a connection string and returns their output.
func live(t *testing.T, connection string) string {
	t.Helper()
	c := harness.Client{
		Dir: "hold", Command: []string{"go", "test", "-count=1", "-v", "-run", "^TestLive", "."},
		Env: []string{"HOLD_TEST_ENDPOINT=" + connection},
	}
	out := string(c.Run(t, ""))
	if !strings.Contains(out, "\nPASS\n") || !strings.Contains(out, "--- PASS: TestLiveLock") {
		t.Errorf("the live tests failed:\n%s", out)
	}
	return out
}

// startAzurite starts the emulator on a free port and returns its URL.
func startAzurite(t *testing.T, program string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry")
	cmd.Dir = t.TempDir()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	ready := regexp.MustCompile(`successfully listen.* (http://127\.0\.0\.1:\d+)`)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() { // so that it is not stopped by a full pipe
				}
			}()
			return m[1]
		}
	}
	t.Fatal("Azurite ended before it was ready")
	return ""
}
