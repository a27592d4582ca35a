package clients

import (
	"path/filepath"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestPython runs test/python: the official Python SDK, synchronous and
// asynchronous, obstore, and adlfs.
func TestPython(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := harness.Need(t, filepath.Join(root, ".venv/bin/python"), "make python installs it")
	server := harness.Start(t, nil)
	client := harness.Client{
		Dir:     "test/python",
		Command: []string{python, "-m", "pytest", "-q", "--junit-xml={report}"},
		Env:     append(server.Env(), "PYTHONDONTWRITEBYTECODE=1"),
	}
	harness.Report(t, client.JUnit(t), "../python/expected.txt", "")
}

// TestJavaScript runs test/js: the official JavaScript SDK.
func TestJavaScript(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	harness.Need(t, filepath.Join(root, "test/js/node_modules/@azure"), "make js installs it")
	node := harness.Need(t, "node", "install Node.js 20 or newer")
	server := harness.Start(t, nil)
	client := harness.Client{
		Dir: "test/js",
		Command: []string{
			node, "--test", "--test-reporter=junit", "--test-reporter-destination={report}",
		},
		Env: server.Env(),
	}
	harness.Report(t, client.JUnit(t), "../js/expected.txt", "")
}

// TestJava runs test/java: the official Java SDK, synchronous and reactive.
func TestJava(t *testing.T) {
	harness.Long(t)
	mvn := harness.Need(t, "mvn", "install Maven and a JDK, 17 or newer")
	server := harness.Start(t, nil)
	client := harness.Client{
		Dir: "test/java",
		Command: []string{
			mvn, "--batch-mode", "--quiet", "-Dreports={report}", "test",
		},
		Env: server.Env(),
	}
	harness.Report(t, client.JUnit(t), "../java/expected.txt", "")
}
