// Package clients runs programs that nobody here wrote against the server: the
// SDKs' own test suites, and tests that use the SDKs and tools as their users do.
// Each client's tests are subtests by name; those that are known to fail stand, with
// the reason, in the file expected.txt beside them.
package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/test/harness"
	"github.com/leasehold/leasehold/test/proxy"
)

const azblobModule = "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

// A suiteAccount is one of the accounts that the suite's environment variables name.
type suiteAccount struct {
	prefix   string // of its variables
	name     string
	settings string // lines of the configuration file
}

// suiteAccounts are set up as the suite's description of its resources says.
var suiteAccounts = []suiteAccount{
	{"", "suite", "versioning = true\nrequire-https = true"},
	{"SECONDARY_", "suitesecond", ""},
	{"PREMIUM_", "suitepremium", "page-blob-tiers = true"},
	{"SOFT_DELETE_", "suitesoft", "versioning = true\ncontainer-retention-days = 1"},
	{"DATALAKE_", "suitelake", "expiry = true\ncontainer-retention-days = 1"},
	{"IMMUTABLE_", "suiteimmutable", "versioning = true\nimmutability = true"},
}

// suiteRoles lets the principal whose tokens the suite gets do everything.
const suiteRoles = `
[[role-assignment]]
principal = "developer"
role = "Storage Blob Data Owner"
scope = "*"
`

// TestAzblobLease runs the lease package of the official Go SDK's live suite.
func TestAzblobLease(t *testing.T) {
	runAzblob(t, "lease")
}

// TestAzblob runs the other packages of the suite.
func TestAzblob(t *testing.T) {
	harness.Long(t)
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
	build := harness.Client{Dir: "test/azblob", Command: []string{"go", "test", "-c", "-o", binary, path}, Env: []string{"GOWORK=off"}}
	if out := build.Run(t, ""); !exists(binary) {
		t.Fatalf("build the suite: %s", out)
	}

	accounts := make(map[string]string)
	env := []string{"AZURE_RECORD_MODE=live", "PROXY_MANUAL_START=true", "AZURE_STORAGE_ENCRYPTION_SCOPE=suitescope"}
	for _, a := range suiteAccounts {
		accounts[a.name] = a.settings
		env = append(env,
			a.prefix+"AZURE_STORAGE_ACCOUNT_NAME="+a.name,
			a.prefix+"AZURE_STORAGE_ACCOUNT_KEY="+harness.AccountKey(a.name))
	}
	server := harness.Start(t, &harness.Options{Accounts: accounts, Dev: true, Config: suiteRoles})
	suite := harness.Client{
		Dir:     dir, // some tests leave files
		Command: []string{"go", "tool", "test2json", "-t", binary, "-test.v=test2json", "-test.timeout=18m"},
		Env:     env,
	}
	if server.Data != "" {
		keepDeletedBlobs(t, server, "suitesoft")
		suite.Command = server.InEnvironment("", suite.Command...)
	} else {
		front, err := proxy.NewFront(proxy.FrontOptions{Plain: server.Addr, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer front.Close()
		suite.Env = append(suite.Env, front.Env()...)
	}
	out := suite.Run(t, "")
	lines := bytes.LastIndexByte(out, '}') // what follows is about the exit status
	results, err := harness.ParseGoTest(bytes.NewReader(out[:lines+1]), name+"/")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	harness.Report(t, results, "../azblob/expected.txt", name+"/")
}

// keepDeletedBlobs turns on soft delete for the blobs of an account, which may be deleted for
// good all the same.
func keepDeletedBlobs(t *testing.T, s *harness.Server, account string) {
	t.Helper()
	cred, err := service.NewSharedKeyCredential(account, harness.AccountKey(account))
	if err != nil {
		t.Fatal(err)
	}
	c, err := service.NewClientWithSharedKeyCredential(s.URL(account), cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.SetProperties(t.Context(), &service.SetPropertiesOptions{
		DeleteRetentionPolicy: &service.RetentionPolicy{Enabled: to.Ptr(true), Days: to.Ptr(int32(1)), AllowPermanentDelete: to.Ptr(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
