package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clientTimeout bounds a client's whole run.
const clientTimeout = 20 * time.Minute

// A Client is an outside test program.
type Client struct {
	Dir     string   // where it runs: absolute, or relative to the module's root
	Command []string // program and arguments; "{report}" stands for the report's path
	Env     []string // added to the environment
}

// JUnit runs the client, which writes a report in JUnit's form, as one file or as
// a folder of them, and returns the results. A client that writes no report fails
// the test with its output.
func (c *Client) JUnit(t *testing.T) []Result {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.xml")
	out := c.Run(t, report)
	files, err := filepath.Glob(filepath.Join(report, "*.xml"))
	if err != nil || files == nil {
		files = []string{report}
	}
	var results []Result
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("the client wrote no report\n%s", out)
		}
		r, err := ParseJUnit(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		results = append(results, r...)
	}
	return results
}

// Run runs the client and returns its output. The exit status is not looked at:
// a client with failing tests has one, and a client that broke has no results.
func (c *Client) Run(t *testing.T, report string) []byte {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(c.Command))
	for i, a := range c.Command {
		args[i] = strings.ReplaceAll(a, "{report}", report)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = c.Dir
	if !filepath.IsAbs(c.Dir) {
		cmd.Dir = filepath.Join(root, c.Dir)
	}
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, fmt.Sprintf("\n%s: %v\n", args[0], err)...)
	}
	return out
}

// Need returns the path of a program, or a file or folder when what has a slash in
// it. Where it is missing the test is skipped, unless LEASEHOLD_TEST_STRICT is set, as
// make does: then that is a failure.
func Need(t *testing.T, what, remedy string) string {
	t.Helper()
	path, err := what, error(nil)
	if strings.Contains(what, "/") {
		_, err = os.Stat(what)
	} else {
		path, err = exec.LookPath(what)
	}
	if err == nil {
		return path
	}
	if os.Getenv("LEASEHOLD_TEST_STRICT") != "" {
		t.Fatalf("%s is missing: %s", what, remedy)
	}
	t.Skipf("%s is missing: %s", what, remedy)
	return ""
}

// Long skips a test of minutes unless make test-all asks for it.
func Long(t *testing.T) {
	t.Helper()
	if !strings.Contains(os.Getenv("LEASEHOLD_TEST"), "long") {
		t.Skip("takes minutes: make test-all, or LEASEHOLD_TEST=long")
	}
}
