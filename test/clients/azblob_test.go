// Package clients runs programs that nobody here wrote against the server: the
// SDKs' own test suites, and tests that use the SDKs and tools as their users do.
// Each client's tests are subtests by name; those that are known to fail stand, with
// the reason, in the file expected.txt beside them.
package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
	"github.com/leasehold/leasehold/test/proxy"
)

const azblobModule = "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

// azblobAccounts maps the prefixes of the suite's environment variables to the
// accounts that stand behind them.
var azblobAccounts = map[string]string{
	"":             "suite",
	"SECONDARY_":   "suitesecond",
	"PREMIUM_":     "suitepremium",
	"SOFT_DELETE_": "suitesoft",
	"DATALAKE_":    "suitelake",
	"IMMUTABLE_":   "suiteimmutable",
}

// TestAzblobLease runs the lease package of the official Go SDK's live suite.
func TestAzblobLease(t *testing.T) {
	runAzblob(t, "lease")
}

// TestAzblob runs the other packages of the suite.
func TestAzblob(t *testing.T) {
	long(t)
	for _, p := range []string{"appendblob", "blob", "blockblob", "container", "pageblob", "service", "azblob"} {
		t.Run(p, func(t *testing.T) {
			t.Parallel() // most of their time these tests sleep
			runAzblob(t, p)
		})
	}
}

// runAzblob builds the live tests of one package of the SDK, unmodified, from the
// module cache, and runs them against a server that has the public name of the
// service.
func runAzblob(t *testing.T, name string) {
	path := azblobModule + "/" + name
	if name == "azblob" {
		path = azblobModule
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, name+".test")
	build := harness.Client{Dir: "test/azblob", Command: []string{"go", "test", "-c", "-o", binary, path}}
	if out := build.Run(t, ""); !exists(binary) {
		t.Fatalf("build the suite: %s", out)
	}

	server := harness.Start(t, &harness.Options{Accounts: suiteAccounts()})
	front, err := proxy.NewFront(proxy.FrontOptions{Plain: server.Addr, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	env := append(front.Env(), "AZURE_RECORD_MODE=live", "PROXY_MANUAL_START=true",
		"AZURE_STORAGE_ENCRYPTION_SCOPE=suitescope")
	for prefix, account := range azblobAccounts {
		env = append(env,
			prefix+"AZURE_STORAGE_ACCOUNT_NAME="+account,
			prefix+"AZURE_STORAGE_ACCOUNT_KEY="+harness.AccountKey(account))
	}
	suite := harness.Client{
		Dir:     dir, // some tests leave files
		Command: []string{"go", "tool", "test2json", "-t", binary, "-test.v=test2json", "-test.timeout=18m"},
		Env:     env,
	}
	out := suite.Run(t, "")
	lines := bytes.LastIndexByte(out, '}') // what follows is about the exit status
	results, err := harness.ParseGoTest(bytes.NewReader(out[:lines+1]), name+"/")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	harness.Report(t, results, "../azblob/expected.txt", name+"/")
}

func suiteAccounts() []string {
	var names []string
	for _, a := range azblobAccounts {
		names = append(names, a)
	}
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// long skips a test of minutes unless make test-all asks for it.
func long(t *testing.T) {
	t.Helper()
	if !strings.Contains(os.Getenv("LEASEHOLD_TEST"), "long") {
		t.Skip("takes minutes: make test-all, or LEASEHOLD_TEST=long")
	}
}
