package judges

import (
	"net"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestWASB runs the live tests of Hadoop's driver for wasb:// on files and on concurrent
// writers. The driver holds leases while it renames and deletes. It speaks plain HTTP to the
// public name, for which the server is its proxy.
func TestWASB(t *testing.T) {
	harness.Long(t)
	mvn := harness.Need(t, "mvn", "install Maven and a JDK, 17 or newer")
	target := t.TempDir()
	compile := []string{mvn, "--batch-mode", "--quiet", "-Dtarget=" + target, "-DskipTests", "test"}
	if out, err := command(t, "wasb", nil, compile...); err != nil {
		unavailable(t, "what Hadoop's driver needs", err, out)
	}
	judge(t, "wasb", anyRequest, func(t *testing.T, s *harness.Server) []harness.Result {
		_, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		client := harness.Client{
			Dir:     "test/judges/wasb",
			Command: []string{mvn, "--batch-mode", "--quiet", "-Dtarget=" + target, "-Dport=" + port, "-Dreports={report}", "test"},
		}
		return client.JUnit(t)
	})
}
