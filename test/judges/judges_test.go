// Package judges holds the server to the suites by which other projects test their own
// clients and drivers against the service, unmodified but for the address. What they need is
// fetched when they run, into ignored folders.
//
// Each suite runs twice: once in peace, and once while the server is killed with SIGKILL in the
// middle and started again. Tests that are known to fail stand, with the reason, in the file
// expected.txt of the suite's folder.
package judges

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/leasehold/leasehold/test/harness"
)

// A suite runs against a server and returns how its tests ended.
type suite func(t *testing.T, s *harness.Server) []harness.Result

// anyRequest lets the kill follow whatever request comes.
const anyRequest = ""

// judge runs a suite in peace and with a kill, and holds both runs to the list and the record
// in the folder. The kill comes when half of the requests are answered, or with the next one of
// the operation after, if one is named.
func judge(t *testing.T, folder, after string, run suite) {
	t.Helper()
	list := filepath.Join(folder, "expected.txt")
	var all int
	t.Run("in peace", func(t *testing.T) {
		seen := &requests{reached: make(chan struct{})}
		results := run(t, start(t, seen))
		harness.Report(t, results, list, "")
		all = seen.check(t)
	})
	t.Run("with a kill", func(t *testing.T) {
		if all < 2 {
			t.Skip("the run in peace did not tell how many requests there are")
		}
		seen := &requests{kill: all / 2, after: after, reached: make(chan struct{})}
		s := start(t, seen)
		s.NeedOwn()
		ended := make(chan []harness.Result, 1)
		go func() {
			defer close(ended) // also when the suite can't run, which ends this goroutine
			ended <- run(t, s)
		}()
		select {
		case <-seen.reached:
			s.Kill()
			s.Restart()
		case <-ended:
			t.Fatalf("the suite ended before the server was killed, after request %d", seen.kill)
		}
		harness.Report(t, <-ended, list, "")
		seen.check(t)
	})
}

func start(t *testing.T, seen *requests) *harness.Server {
	t.Helper()
	return harness.Start(t, &harness.Options{
		Args:    []string{"--log-level", "debug", "--log-format", "json"},
		Observe: seen.line,
	})
}

// requests follows the requests of a run in the server's log.
type requests struct {
	kill    int           // how many requests are answered before reached is closed; 0 is never
	after   string        // the operation of the last one
	reached chan struct{} // closed once

	mu     sync.Mutex
	n      int
	killed bool
	faults []string // log lines of requests for whose failure the server is to blame
}

func (r *requests) line(text []byte) {
	var record struct {
		Msg, Operation string
		Status         int
	}
	if json.Unmarshal(text, &record) != nil || record.Msg != "request" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if r.kill > 0 && r.n >= r.kill && !r.killed && (r.after == anyRequest || record.Operation == r.after) {
		r.killed = true
		close(r.reached)
	}
	if record.Status >= 500 {
		r.faults = append(r.faults, string(text))
	}
}

// check returns the number of requests. It fails the test if there was none, as a suite that
// skips itself is no judge, or if the server failed one.
func (r *requests) check(t *testing.T) int {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 && os.Getenv("LEASEHOLD_TEST_ADDR") == "" {
		t.Error("the suite sent no request")
	}
	for _, line := range r.faults {
		t.Errorf("the server failed a request: %s", line)
	}
	t.Logf("%d requests", r.n)
	return r.n
}

// workshop returns an ignored folder of the tree for what a judge needs, which later runs find
// again.
func workshop(t *testing.T, name string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".build", "judges", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// unavailable skips the test, or fails it under make, because something could not be fetched.
func unavailable(t *testing.T, what string, err error, output []byte) {
	t.Helper()
	if os.Getenv("LEASEHOLD_TEST_STRICT") != "" {
		t.Fatalf("fetch %s: %v\n%s", what, err, output)
	}
	t.Skipf("%s can't be fetched here: %v\n%s", what, err, output)
}

// command runs a program in a folder and returns its standard output.
func command(t *testing.T, dir string, env []string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		out = append(out, exit.Stderr...)
	}
	return out, err
}

// module fetches a Go module, of which no part is copied into this tree, and returns its folder
// in the module cache.
func module(t *testing.T, path string) string {
	t.Helper()
	out, err := command(t, t.TempDir(), []string{"GOWORK=off"}, "go", "mod", "download", "-json", path)
	if err != nil {
		unavailable(t, path, err, out)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dir
}

// duplicate copies a folder to where its files can be written, unless that was done before.
func duplicate(t *testing.T, from, to string) {
	t.Helper()
	if _, err := os.Stat(to); err == nil {
		return
	}
	partial := to + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(partial, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(partial, to); err != nil {
		t.Fatal(err)
	}
}

// goTest runs a test program of package testing and returns its results.
func goTest(t *testing.T, c harness.Client, binary string, args ...string) []harness.Result {
	t.Helper()
	c.Command = append([]string{"go", "tool", "test2json", "-t", binary, "-test.v=test2json"}, args...)
	out := string(c.Run(t, ""))
	lines := strings.LastIndexByte(out, '}') // what follows is about the exit status
	results, err := harness.ParseGoTest(strings.NewReader(out[:lines+1]), "")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return results
}

// createContainer creates a container that a suite expects to be there.
func createContainer(t *testing.T, s *harness.Server, name string) {
	t.Helper()
	c, err := container.NewClientFromConnectionString(s.ConnectionString(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
