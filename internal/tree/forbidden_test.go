package tree

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pure packages compute from what they are given: no clock, no chance, no I/O,
// no cancellation.
var pure = []string{
	"internal/fault", "internal/lease", "internal/blob", "internal/auth", "internal/encryption", "internal/structured",
}

// impureImports may not be imported by pure packages. net/http is not among them
// for its types, such as http.Header; its clients and servers are impureCalls.
var impureImports = []string{
	"context", "crypto/rand", "log", "log/slog", "math/rand", "math/rand/v2", "net", "os", "os/exec", "syscall",
}

var impureCalls = []string{
	"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick",
	"http.Get", "http.Post", "http.PostForm", "http.Head", "http.Client", "http.Server", "http.ListenAndServe",
}

// TestPure holds the pure packages to their name.
func TestPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !slices.Contains(pure, s.dir) {
			continue
		}
		for _, p := range s.imports() {
			if slices.Contains(impureImports, p) {
				t.Errorf("%s: pure package imports %s", s.path, p)
			}
		}
		for pos, call := range qualified(s) {
			if slices.Contains(impureCalls, call) {
				t.Errorf("%s:%d: pure package uses %s", s.path, s.line(pos), call)
			}
		}
	}
}

// qualified returns every use of a name of an imported package, such as time.Now,
// under the package's last path element even where it is imported under another name.
func qualified(s *source) map[token.Pos]string {
	names := make(map[string]string)
	for _, spec := range s.file.Imports {
		base := path.Base(strings.Trim(spec.Path.Value, `"`))
		if spec.Name != nil {
			names[spec.Name.Name] = base
		} else {
			names[base] = base
		}
	}
	uses := make(map[token.Pos]string)
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
				uses[sel.Pos()] = names[x.Name] + "." + sel.Sel.Name
			}
		}
		return true
	})
	return uses
}

// waits names the tests that wait by <-time.After outside of a function passed to synctest.Test,
// each with the reason.
var waits = map[string]string{
	"cmd/leasehold/script_test.go":          "the commands that the scripts run, until they are killed",
	"hold/client_test.go":                   "called in synctest.Test",
	"hold/holdtest/store_test.go":           "called in synctest.Test",
	"hold/live_test.go":                     "a server does not tell when a request is in its queue",
	"internal/guard/guard_linux_test.go":    "the commands are processes, and the deadlines those of the system's clock",
	"internal/kv/pebble/bench_unix_test.go": "a benchmark, until the engine has nothing more to compact",
	"internal/kv/pebble/db_test.go":         "gives way to other goroutines, for no time",
	"internal/server/stall_test.go":         "called in synctest.Test",
	"test/golang/tunnel_test.go":            "a client that is slow on purpose",
	"test/hold/handover_test.go":            "in the long suite, for the pauses of those who poll",
	"test/hold/holder_test.go":              "the work of a process that holds a lease",
	"test/hold/invariant_test.go":           "several processes under signals, which no clock can step",
	"test/hold/restart_test.go":             "an upload that never ends",
	"test/hold/sheets_test.go":              "called in synctest.Test",
	"test/lock/line_test.go":                "answers that are late on purpose",
	"test/lock/lock_test.go":                "processes, signals and leases that end in their own time",
	"test/lock/witness_test.go":             "processes that take their time to end",
	"test/hold/thousand_test.go":            "measures processor time over a minute, in the long suite",
}

// TestNoSleepInTests: a test that waits for real time is slow and, on a busy
// machine, wrong. In a function passed to synctest.Test time is virtual.
func TestNoSleepInTests(t *testing.T) {
	unused := maps.Clone(waits)
	for _, s := range sources(t) {
		if !s.test && !strings.HasPrefix(s.dir, "test/") {
			continue
		}
		bubbles := bubbles(s)
		for pos, call := range qualified(s) {
			inBubble := slices.ContainsFunc(bubbles, func(b ast.Node) bool { return b.Pos() <= pos && pos < b.End() })
			if call == "time.Sleep" && !inBubble {
				t.Errorf("%s:%d: time.Sleep in a test; step a clock, or run in synctest.Test", s.path, s.line(pos))
			}
		}
		for _, wait := range bareWaits(s) {
			if slices.ContainsFunc(bubbles, func(b ast.Node) bool { return b.Pos() <= wait.Pos() && wait.Pos() < b.End() }) {
				continue
			}
			if waits[s.path] == "" && s.test {
				t.Errorf("%s:%d: a test waits for real time; step a clock, or run in synctest.Test", s.path, s.line(wait.Pos()))
			}
			delete(unused, s.path)
		}
	}
	for path := range unused {
		t.Errorf("%s is listed as waiting for real time, and does not", path)
	}
	foreign := regexp.MustCompile(`\b(time\.sleep|asyncio\.sleep|Thread\.sleep|setTimeout|timers/promises)\b`)
	root := root(t)
	for _, f := range files(t, root) {
		if !strings.HasPrefix(f, "test/") || !slices.Contains([]string{".py", ".js", ".mjs", ".java"}, path.Ext(f)) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		if m := foreign.Find(text); m != nil {
			t.Errorf("%s: %s in a test", f, m)
		}
	}
}

// bareWaits returns the statements <-time.After(d). In a select statement such a receive bounds
// another wait, and is none of them.
func bareWaits(s *source) (found []ast.Node) {
	bounds := make(map[ast.Node]bool)
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CommClause:
			bounds[n.Comm] = true
		case *ast.ExprStmt:
			if receive, ok := n.X.(*ast.UnaryExpr); ok && receive.Op == token.ARROW && !bounds[n] && isTimeAfter(receive.X) {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

func isTimeAfter(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "After"
}

// bubbles returns the function literals passed to synctest.Test.
func bubbles(s *source) []ast.Node {
	var found []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Test" {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "synctest" {
			found = append(found, call)
		}
		return true
	})
	return found
}

// TestSkipsGiveReasons: a skipped test says why.
func TestSkipsGiveReasons(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			bare := sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0
			if x, isName := sel.X.(*ast.Ident); isName && bare && (x.Name == "t" || x.Name == "b" || x.Name == "f" || x.Name == "tb") {
				t.Errorf("%s:%d: skip without a reason", s.path, s.line(call.Pos()))
			}
			return true
		})
	}
}

// TestText looks through every text file of the tree for what does not belong
// into it: notes of unfinished work, and paths of one person's machine.
func TestText(t *testing.T) {
	root := root(t)
	unfinished := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "not " + "implemented", "unimpl" + "emented"}
	machine := regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/(work|root|home/\w+)/`)
	for _, f := range files(t, root) {
		if f == "LICENSE" || strings.HasSuffix(f, ".sum") || strings.HasSuffix(f, "package-lock.json") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not a text file
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			where := fmt.Sprintf("%s:%d", f, i+1)
			for _, w := range unfinished {
				if bytes.Contains(line, []byte(w)) && strings.HasSuffix(f, ".go") {
					t.Errorf("%s: %q", where, w)
				}
			}
			if m := machine.Find(line); m != nil {
				t.Errorf("%s: path of one machine: %q", where, m)
			}
		}
	}
}

// TestLockfile: the lockfile of the JavaScript tests names no registry host, so
// that it works behind any mirror.
func TestLockfile(t *testing.T) {
	root := root(t)
	for _, f := range files(t, root) {
		if path.Base(f) != "package-lock.json" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"resolved"`)) {
			t.Errorf("%s records download addresses; make it with npm's omit-lockfile-registry-resolved", f)
		}
	}
}
