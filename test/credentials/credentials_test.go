// Package credentials runs programs that use the default Azure credential, in a shell that
// took over what "leasehold env" prints and knows nothing else of the server.
package credentials

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// identities are the two ways in which the default Azure credential gets its tokens
// here, as arguments of "leasehold env".
var identities = map[string]string{"managed": "", "service principal": "--service-principal"}

// withIdentity runs a client that knows nothing of the server but what "leasehold env"
// says, once for each identity.
func withIdentity(t *testing.T, run func(t *testing.T, command func(args ...string) []string)) {
	server := harness.Start(t, &harness.Options{Dev: true})
	server.NeedOwn()
	for name, argument := range identities {
		t.Run(name, func(t *testing.T) {
			run(t, func(args ...string) []string {
				return server.InEnvironment(argument, args...)
			})
		})
	}
}

// TestPythonIdentity leases with the default credential, synchronous and asynchronous.
func TestPythonIdentity(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := harness.Need(t, filepath.Join(root, ".venv/bin/python"), "make python installs it")
	withIdentity(t, func(t *testing.T, command func(...string) []string) {
		client := harness.Client{
			Dir:     "test/python",
			Command: command(python, "-m", "pytest", "-q", "--junit-xml={report}", "identity/default_credential.py"),
			Env:     []string{"PYTHONDONTWRITEBYTECODE=1"},
		}
		harness.Report(t, client.JUnit(t), "../python/expected.txt", "identity/")
	})
}

// TestJavaScriptIdentity leases with the default credential.
func TestJavaScriptIdentity(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	harness.Need(t, filepath.Join(root, "test/js/node_modules/@azure"), "make js installs it")
	node := harness.Need(t, "node", "install Node.js 20 or newer")
	withIdentity(t, func(t *testing.T, command func(...string) []string) {
		client := harness.Client{
			Dir: "test/js",
			Command: command(node, "--test", "--test-reporter=junit", "--test-reporter-destination={report}",
				"identity/default_credential.js"),
		}
		harness.Report(t, client.JUnit(t), "../js/expected.txt", "identity/")
	})
}

// TestGoIdentity leases with the default credential. The program is built before the
// proxy stands between it and the modules.
func TestGoIdentity(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "identity.test")
	build := harness.Client{Dir: "test/identity", Command: []string{"go", "test", "-c", "-o", binary, "."}, Env: []string{"GOWORK=off"}}
	if out := build.Run(t, ""); !built(binary) {
		t.Fatalf("build the program: %s", out)
	}
	withIdentity(t, func(t *testing.T, command func(...string) []string) {
		client := harness.Client{Dir: "test/identity", Command: command("go", "tool", "test2json", "-t", binary, "-test.v=test2json"), Env: []string{"GOWORK=off"}}
		out := client.Run(t, "")
		lines := bytes.LastIndexByte(out, '}') // what follows is about the exit status
		results, err := harness.ParseGoTest(bytes.NewReader(out[:lines+1]), "identity/")
		if err != nil || len(results) == 0 {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, r := range results {
			t.Run(r.Name, func(t *testing.T) {
				if r.Status != harness.Passed {
					t.Errorf("%s: %s", r.Status, r.Output)
				}
			})
		}
	})
}

// TestJavaIdentity leases with the default credential, synchronous and reactive. Maven gets
// and compiles all before the proxy stands between it and its repository.
func TestJavaIdentity(t *testing.T) {
	harness.Long(t)
	mvn := harness.Need(t, "mvn", "install Maven and a JDK, 17 or newer")
	dir := t.TempDir()
	build := harness.Client{Dir: "test/java", Command: []string{
		mvn, "--batch-mode", "--quiet", "-Dtarget=" + dir, "test-compile",
		"dependency:build-classpath", "-Dmdep.includeScope=test", "-Dmdep.outputFile=" + filepath.Join(dir, "classpath"),
	}}
	out := build.Run(t, "")
	libraries, err := os.ReadFile(filepath.Join(dir, "classpath"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	classes := filepath.Join(dir, "test-classes") + ":" + strings.TrimSpace(string(libraries))
	withIdentity(t, func(t *testing.T, command func(...string) []string) {
		client := harness.Client{
			Dir: dir,
			Command: command("java", "-cp", classes, "org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner",
				"--select-class", "leasehold.DefaultCredential", "--reports-dir", "{report}"),
		}
		results := client.JUnit(t)
		if len(results) != 4 {
			t.Errorf("%d tests ran", len(results))
		}
		harness.Report(t, results, "../java/expected.txt", "leasehold.DefaultCredential")
	})
}

func built(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
