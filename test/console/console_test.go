// Package console runs the tests of the console in a real browser.
package console_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestConsole runs the tests of this folder with Node.js and Chromium, against a server built from
// the tree. LEASEHOLD_TEST=long runs all of them.
func TestConsole(t *testing.T) {
	for what, path := range map[string]string{"the packages": "node_modules/playwright-core/package.json", "Chromium": chromium()} {
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if os.Getenv("LEASEHOLD_TEST_STRICT") != "" {
			t.Fatalf("%s of the console's tests are not installed; run make console", what)
		}
		t.Skipf("%s of the console's tests are not installed; run make console", what)
	}
	binary := filepath.Join(t.TempDir(), "leasehold")
	build := exec.Command("go", "build", "-o", binary, "github.com/leasehold/leasehold/cmd/leasehold")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command("node", "--test", "--test-concurrency=1")
	run.Env = append(os.Environ(), "LEASEHOLD_BINARY="+binary, "CHROMIUM="+chromium())
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func chromium() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	return "/usr/bin/chromium"
}
