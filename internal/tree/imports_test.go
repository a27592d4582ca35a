package tree

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the import table of CONTRIBUTING.md anew")

// A layer says what the non-test files of one folder may import beside the
// standard library.
type layer struct {
	dir      string   // folder, or "x/*" for every folder below x without a row of its own
	internal []string // folders of this module; a "/*" covers what is below
	external []string // prefixes of import paths of other modules; "*" for any
}

// layers is the import table: downward only. A new folder needs a row, and a new
// library in a package without "*" needs an entry, each with the reason in the commit.
var layers = []layer{
	{dir: "internal/fault"},
	{dir: "internal/httpdate"},
	{dir: "internal/kv", external: []string{"golang.org/x/sys/"}}, // the clock that goes on while the machine sleeps
	{dir: "internal/segment"},
	{dir: "internal/query", internal: []string{"internal/fault"}},
	{dir: "internal/lease", internal: []string{"internal/fault"}},
	{dir: "internal/blob", internal: []string{"internal/fault", "internal/lease", "internal/httpdate"}},
	{
		dir:      "internal/meta",
		internal: []string{"internal/blob", "internal/lease", "internal/kv", "internal/segment"},
		external: []string{"github.com/fxamacker/cbor/"},
	},
	{
		dir:      "internal/catalog",
		internal: []string{"internal/fault", "internal/blob", "internal/lease", "internal/meta", "internal/kv", "internal/segment"},
	},
	{
		dir:      "internal/auth",
		internal: []string{"internal/fault", "internal/query", "internal/httpdate"},
		external: []string{"github.com/go-jose/go-jose/"}, // signatures of bearer tokens
	},
	{dir: "internal/journal", internal: []string{"internal/fault", "internal/lease"}},
	{
		dir:      "internal/console",
		internal: []string{"internal/fault", "internal/lease", "internal/auth", "internal/journal", "internal/wire", "internal/service"},
	},
	{dir: "internal/waiting", internal: []string{"internal/fault"}},
	{dir: "internal/wire", internal: []string{"internal/fault", "internal/query", "internal/httpdate"}},
	{dir: "internal/fetch", internal: []string{"internal/fault", "internal/blob", "internal/wire", "internal/encryption"}},
	{dir: "internal/encryption", internal: []string{"internal/fault"}},
	{dir: "internal/structured", internal: []string{"internal/fault"}, external: []string{"github.com/minio/crc64nvme"}},
	{
		dir: "internal/service",
		internal: []string{
			"internal/fault", "internal/lease", "internal/blob", "internal/meta", "internal/catalog",
			"internal/kv", "internal/segment", "internal/auth", "internal/journal", "internal/waiting", "internal/wire", "internal/fetch",
			"internal/encryption", "internal/structured", "internal/query",
		},
		external: []string{"github.com/minio/crc64nvme"},
	},
	{dir: "internal/identity", external: []string{"github.com/go-jose/go-jose/"}},
	{dir: "internal/certificate", internal: []string{"internal/durable"}, external: []string{"software.sslmate.com/src/go-pkcs12"}}, // the trust stores of Java
	{dir: "internal/tunnel"},
	{dir: "internal/durable"},
	{
		dir:      "internal/config",
		internal: []string{"internal/auth", "internal/identity", "internal/server", "internal/service", "internal/datadir", "internal/durable"},
		external: []string{"github.com/BurntSushi/toml", "github.com/go-jose/go-jose/"},
	},
	{
		dir: "internal/observe",
		internal: []string{
			"internal/config", "internal/datadir", "internal/fault", "internal/journal", "internal/kv", "internal/segment/reserve", "internal/service",
			"internal/waiting", "internal/wire",
		},
		external: []string{"github.com/prometheus/client_golang/"},
	},
	{
		dir:      "internal/datadir",
		internal: []string{"internal/durable", "internal/kv", "internal/segment", "internal/meta", "internal/catalog"},
		external: []string{"golang.org/x/sys/windows"}, // locking a file
	},
	{dir: "internal/guard", external: []string{"golang.org/x/sys/"}}, // adopting orphans, control groups, job objects
	{
		dir:      "internal/server",
		internal: []string{"internal/fault", "internal/wire"},
		external: []string{"github.com/prometheus/client_golang/"},
	},
	{
		dir:      "internal/kv/kvtest",
		internal: []string{"internal/kv"},
		external: []string{"pgregory.net/rapid"},
	},
	{dir: "internal/segment/segmenttest", internal: []string{"internal/segment"}},
	{dir: "internal/kv/*", internal: []string{"internal/kv"}, external: []string{"*"}},
	{dir: "internal/segment/*", internal: []string{"internal/segment"}, external: []string{"*"}},
	{dir: "internal/tree"},
	{dir: "cmd/*", internal: []string{"internal/*", "hold"}, external: []string{"*"}},
	{dir: "hold", external: []string{"github.com/Azure/azure-sdk-for-go/sdk/"}},
	{dir: "hold/certmagiclock", internal: []string{"hold"}, external: []string{"github.com/Azure/azure-sdk-for-go/sdk/", "github.com/caddyserver/certmagic"}},
	{dir: "hold/k8slock", internal: []string{"hold"}, external: []string{"github.com/Azure/azure-sdk-for-go/sdk/", "k8s.io/"}},
	{dir: "hold/*", internal: []string{"hold"}, external: []string{"github.com/Azure/azure-sdk-for-go/sdk/"}},
	{dir: "test/*", internal: []string{"internal/*", "hold", "test/*"}, external: []string{"*"}},
	{dir: "tools/*", external: []string{"*"}}, // a module of its own, so that its libraries never reach the server
	{dir: "bench/*", internal: []string{"internal/*", "hold", "test/*"}, external: []string{"*"}},
	{dir: "bench", internal: []string{"internal/*", "hold", "test/*"}, external: []string{"*"}},
}

// covers reports whether pattern names folder: exactly, or, ending in "/*",
// anything below.
func covers(pattern, folder string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(folder, prefix)
	}
	return pattern == folder
}

func layerOf(dir string) (layer, bool) {
	for _, l := range layers {
		if l.dir == dir {
			return l, true
		}
	}
	for _, l := range layers {
		if covers(l.dir, dir) {
			return l, true
		}
	}
	return layer{}, false
}

// allows reports whether a file of the layer may import the path.
func (l layer) allows(imported string) bool {
	if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
		for _, p := range l.internal {
			if covers(p, folder) {
				return true
			}
		}
		return false
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // standard library
	}
	for _, p := range l.external {
		if p == "*" || strings.HasPrefix(imported, p) {
			return true
		}
	}
	return false
}

// permission returns the entry of the layer that lets it import the path, "" for the standard
// library.
func (l layer) permission(imported string) string {
	if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
		for _, p := range l.internal {
			if covers(p, folder) {
				return p
			}
		}
	}
	for _, p := range l.external {
		if p == "*" || strings.HasPrefix(imported, p) {
			return p
		}
	}
	return ""
}

// TestImports holds the tree to the table, and the table to the tree: a permission that no file
// uses fails. Test files may import what they like, except that nothing imports test folders from
// below.
func TestImports(t *testing.T) {
	type use struct{ dir, permission string }
	used := make(map[use]bool)
	for _, s := range sources(t) {
		l, ok := layerOf(s.dir)
		if !ok {
			t.Errorf("%s: folder %s has no row in the import table", s.path, s.dir)
			continue
		}
		if s.test {
			continue
		}
		for _, p := range s.imports() {
			if !l.allows(p) {
				t.Errorf("%s: %s may not import %s", s.path, s.dir, p)
			}
			used[use{l.dir, l.permission(p)}] = true
		}
	}
	for _, l := range layers {
		if strings.HasSuffix(l.dir, "*") || l.dir == "bench" {
			continue // a folder that may come
		}
		for _, p := range append(l.internal, l.external...) {
			if !strings.HasSuffix(p, "*") && !used[use{l.dir, p}] {
				t.Errorf("the import table lets %s import %s, which no file does", l.dir, p)
			}
		}
	}
}

// TestContributingTable keeps the import table of CONTRIBUTING.md what the layers say.
func TestContributingTable(t *testing.T) {
	const begin, end = "<!-- imports -->\n", "<!-- end of imports -->\n"
	path := filepath.Join(root(t), "CONTRIBUTING.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("CONTRIBUTING.md does not have the marks %q and %q", begin, end)
	}
	want := before + begin + table() + end + after
	if string(text) == want {
		return
	}
	if !*update {
		t.Fatal("the import table of CONTRIBUTING.md is not that of the layers; run go test ./internal/tree -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table returns the layers as a Markdown table, packages by their path below internal.
func table() string {
	var b strings.Builder
	b.WriteString("| package | may import, beside the standard library |\n|---|---|\n")
	for _, l := range layers {
		if strings.HasPrefix(l.dir, "test/") || strings.HasPrefix(l.dir, "bench") {
			continue
		}
		var names []string
		for _, p := range append(append([]string{}, l.internal...), l.external...) {
			switch p {
			case "*":
				names = append(names, "any library")
			case "internal/*":
				names = append(names, "every package")
			default:
				names = append(names, "`"+strings.Trim(strings.TrimPrefix(p, "internal/"), "/")+"`")
			}
		}
		if len(names) == 0 {
			names = []string{"nothing"}
		}
		b.WriteString("| `" + strings.TrimPrefix(l.dir, "internal/") + "` | " + strings.Join(names, ", ") + " |\n")
	}
	return b.String()
}

// TestTable checks the table's own logic on cases that must be told apart.
func TestTable(t *testing.T) {
	cases := []struct {
		dir, imported string
		want          bool
	}{
		{"internal/lease", module + "/internal/fault", true},
		{"internal/lease", module + "/internal/kv", false},
		{"internal/lease", "golang.org/x/text/cases", false},
		{"internal/lease", "strings", true},
		{"internal/kv/pebble", "github.com/cockroachdb/pebble/v2", true},
		{"internal/kv/pebble", module + "/internal/meta", false},
		{"internal/kv", "github.com/cockroachdb/pebble/v2", false},
		{"hold", module + "/internal/lease", false},
		{"hold", "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob", true},
		{"internal/server", module + "/internal/kv", false},
		{"internal/server", module + "/internal/service", false},
		{"cmd/leasehold", module + "/internal/kv/pebble", true},
		{"cmd/leasehold", module + "/test/proxy", false},
	}
	for _, c := range cases {
		l, ok := layerOf(c.dir)
		if got := ok && l.allows(c.imported); got != c.want {
			t.Errorf("%s importing %s: allowed = %t, want %t", c.dir, c.imported, got, c.want)
		}
	}
}
