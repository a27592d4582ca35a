package judges

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// page is where users read what this package and test/clients found.
const page = "docs/compatibility.md"

// A client is an entry of the page: a suite, with its list and its record in a folder below test.
type client struct {
	title  string
	folder string
	pinned string // file below test that names the version
	by     string // expression whose group is the version in that file
	what   string
	run    string // how a user runs it
}

// outsiders are the suites that other projects wrote.
var outsiders = []client{
	{
		title: "Live suite of the official Go SDK", folder: "azblob",
		pinned: "azblob/go.mod", by: `sdk/storage/azblob (v\S+)`,
		what: "The tests by which the makers of the SDK check it against the service: leases, containers, block, append and page blobs, " +
			"snapshots, versions, SAS, batches, copies, immutability.",
		run: "LEASEHOLD_TEST=long go test ./test/clients -run TestAzblob",
	},
	{
		title: "gocloud.dev, driver conformance", folder: "judges/gocloud",
		pinned: "judges/gocloud_test.go", by: `gocloudVersion = "(.*)"`,
		what: "What every driver of the portable package `blob` has to do, for `azureblob`: reading, writing, listing, copying, conditional writes, signed URLs.",
		run:  "LEASEHOLD_TEST=long go test ./test/judges -run TestGoCloud",
	},
	{
		title: "rclone, backend suite", folder: "judges/rclone",
		pinned: "judges/rclone_test.go", by: `rcloneVersion = "(.*)"`,
		what: "What every backend of rclone has to do, for `azureblob`, once with and once without directory markers: odd names, streams, " +
			"multipart uploads, tiers, modification times. rclone skips what this backend doesn't offer.",
		run: "LEASEHOLD_TEST=long go test ./test/judges -run TestRcloneBackend",
	},
	{
		title: "Rust object_store, integration tests", folder: "judges/objectstore",
		pinned: "judges/objectstore_test.go", by: `objectStoreVersion = "(.*)"`,
		what: "One long case goes through all that the crate promises of a store: conditional puts, multipart uploads and their races, listing, " +
			"renaming, attributes, tags, signed URLs. The crate skips what needs an account of the service with HTTPS or private links.",
		run: "LEASEHOLD_TEST=long go test ./test/judges -run TestObjectStore",
	},
	{
		title: "adlfs", folder: "judges/adlfs",
		pinned: "judges/adlfs/requirements.txt", by: `adlfs==(\S+)`,
		what: "The tests of the driver through which fsspec, pandas and Dask reach the service.",
		run:  "LEASEHOLD_TEST=long go test ./test/judges -run TestAdlfs",
	},
	{
		title: "Hadoop WASB, live tests", folder: "judges/wasb",
		pinned: "judges/wasb/pom.xml", by: `<hadoop>(.*)</hadoop>`,
		what: "File system and concurrency tests of the driver for `wasb://`, which takes leases to rename and to delete.",
		run:  "LEASEHOLD_TEST=long go test ./test/judges -run TestWASB",
	},
}

// insiders are tests of this tree that use a client as its users do.
var insiders = []client{
	{
		title: "Python SDK, synchronous and asynchronous", folder: "python",
		pinned: "python/requirements.txt", by: `azure-storage-blob==(\S+)`,
		run: "go test ./test/clients -run TestPython",
	},
	{
		title: "JavaScript SDK", folder: "js",
		pinned: "js/package.json", by: `"@azure/storage-blob": "(.*)"`,
		run: "go test ./test/clients -run TestJavaScript",
	},
	{
		title: "Java SDK, synchronous and reactive", folder: "java",
		pinned: "java/pom.xml", by: `azure-storage-blob</artifactId>\s*<version>(.*)</version>`,
		run: "LEASEHOLD_TEST=long go test ./test/clients -run TestJava",
	},
}

// TestCompatibilityPage holds the page to the lists and the records. With -update it writes the
// page.
func TestCompatibilityPage(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	want := compatibility(t, filepath.Join(root, "test"))
	file := filepath.Join(root, page)
	if harness.Updating() {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the lists and records say; go test ./test/judges -run TestCompatibilityPage -update writes it", page)
	}
}

// TestEveryListIsOnThePage holds every list of expected failures to be one that the page shows,
// with a record and with a reason for each exception.
func TestEveryListIsOnThePage(t *testing.T) {
	for _, depth := range []string{"../*/expected.txt", "../judges/*/expected.txt"} {
		lists, err := filepath.Glob(depth)
		if err != nil || lists == nil {
			t.Fatalf("no lists under %s: %v", depth, err)
		}
		for _, list := range lists {
			folder, err := filepath.Rel("..", filepath.Dir(list))
			if err != nil {
				t.Fatal(err)
			}
			if folder = filepath.ToSlash(folder); !slices.ContainsFunc(slices.Concat(outsiders, insiders), func(c client) bool { return c.folder == folder }) {
				t.Errorf("%s does not show test/%s", page, folder)
			}
			expected, record := findings(t, filepath.Dir(list))
			if got := record.Total(); got.Failed != len(expected) || got.Passed == 0 {
				t.Errorf("%s: %d exceptions, and the record is %s", list, len(expected), got)
			}
			for name, reason := range expected {
				if strings.HasPrefix(reason, "unexplained") {
					t.Errorf("%s: %s has no reason", list, name)
				}
				if strings.Contains(strings.ToLower(name), "lease") {
					t.Errorf("%s: %s, but the page says that leases have no exception", list, name)
				}
			}
		}
	}
}

func findings(t *testing.T, folder string) (harness.Expectations, harness.Record) {
	t.Helper()
	expected, err := harness.ReadExpectations(filepath.Join(folder, "expected.txt"))
	if err != nil {
		t.Fatal(err)
	}
	record, err := harness.ReadRecord(folder)
	if err != nil {
		t.Fatal(err)
	}
	return expected, record
}

const pageHead = `# Compatibility

<!-- Written by go test ./test/judges -run TestCompatibilityPage -update -->

How closely this server follows the Azure Blob service is judged by programs that nobody here wrote. This page shows what they
found, so that you can decide whether to trust the server with yours. A suite's cases are counted as the suite names them; it skips
some by itself, for reasons of its own. An *exception* is a case that fails here. Each one is listed below with its reason, and the
list is exact: a case that begins to fail without standing in it fails our tests, and so does one that stands in it and passes.

Leases have no exception in any suite. [What differs on purpose](facts/deliberate-differences.md), whether or not a suite notices, is
listed with the reasons.

## Suites that other projects wrote

They run as they are, but for the address, the account and its key, and for what would start an emulator or replay recorded answers.
All but the first run twice: in peace, and while the server is killed with SIGKILL in the middle and started again on the same data.
Both runs have to end the same, and in neither may the server answer a single request with a 5xx status.

`

const pageMiddle = `
## Clients that our own tests use

These tests are ours, and the clients are the official ones, unmodified. They use leases, uploads, listings, copies, signatures and
tokens as programs do.

`

const pageFoot = `
The Azure CLI, rclone and restic are run as commands (` + "`go test ./test/clients`" + `), and each of their steps has to succeed.

## Run them yourself

Each command above is run in a clone of this repository; it starts a server of its own, fetches the client, and prints every case with
` + "`-v`" + `. Under plain ` + "`go test`" + ` a client that is not installed is skipped with a word on how to install it; ` + "`make test-all`" + ` installs what it
can and fails for what is missing. To see how another server does, point the clients at it with ` + "`LEASEHOLD_TEST_ADDR=127.0.0.1:10000`" + `:
it has to serve the account ` + "`devstoreaccount1`" + ` with the published key.
`

func compatibility(t *testing.T, tests string) string {
	var b strings.Builder
	b.WriteString(pageHead)
	table(t, &b, tests, outsiders)
	for _, c := range outsiders {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n    %s\n", c.title, c.what, c.run)
		c.exceptions(t, &b, tests)
	}
	b.WriteString(pageMiddle)
	table(t, &b, tests, insiders)
	b.WriteString("\n")
	for _, c := range insiders {
		fmt.Fprintf(&b, "    %s\n", c.run)
	}
	for _, c := range insiders {
		c.exceptions(t, &b, tests)
	}
	b.WriteString(pageFoot)
	return b.String()
}

func table(t *testing.T, b *strings.Builder, tests string, clients []client) {
	t.Helper()
	b.WriteString("| | version | cases | passed | skipped | exceptions |\n|---|---|--:|--:|--:|--:|\n")
	for _, c := range clients {
		text, err := os.ReadFile(filepath.Join(tests, c.pinned))
		if err != nil {
			t.Fatal(err)
		}
		version := regexp.MustCompile(c.by).FindSubmatch(text)
		if version == nil {
			t.Fatalf("%s names no version of %s", c.pinned, c.title)
		}
		_, record := findings(t, filepath.Join(tests, c.folder))
		n := record.Total()
		fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %d |\n", c.title, strings.TrimPrefix(string(version[1]), "v"), n.Sum(), n.Passed, n.Skipped, n.Failed)
	}
}

func (c *client) exceptions(t *testing.T, b *strings.Builder, tests string) {
	t.Helper()
	expected, _ := findings(t, filepath.Join(tests, c.folder))
	if len(expected) == 0 {
		return
	}
	b.WriteString("\n| exception | reason |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(expected[name], "|", `\|`))
	}
}
