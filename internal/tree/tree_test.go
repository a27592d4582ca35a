// Package tree holds the tests that the source tree runs on itself: which
// package may import which, how long functions and files may grow, what must be
// documented, and which calls pure packages and tests may not make.
//
// It reads source files and needs no build, so it is the first test to fail
// and the cheapest to run: go test ./internal/tree
package tree

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/leasehold/leasehold"

// A source is one parsed Go file.
type source struct {
	path string // slash-separated, relative to the module's root
	dir  string // its folder, "." for the root
	test bool   // a _test.go file
	file *ast.File
	text []byte
	fset *token.FileSet
}

// lines returns the number of lines of the file.
func (s *source) lines() int {
	return s.fset.File(s.file.Pos()).LineCount()
}

// line returns the line on which pos stands.
func (s *source) line(pos token.Pos) int {
	return s.fset.Position(pos).Line
}

// imports yields the unquoted import paths of the file.
func (s *source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// root finds the folder of the main module above the working folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module "+module+"\n") {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod of " + module + " above the test")
		}
		dir = parent
	}
}

// files returns the slash-separated paths of the files that belong to the tree,
// relative to root. What is built or installed (hidden folders other than .ci,
// bin, node_modules, target) is left out.
func files(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && name != ".ci" && p != root
			if hidden || name == "bin" || name == "node_modules" || name == "target" || name == "__pycache__" || name == "leasehold-data" {
				return filepath.SkipDir
			}
			return nil
		}
		if name == ".git" {
			return nil // a linked work tree has a file here
		}
		rel, err := filepath.Rel(root, p)
		found = append(found, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sources parses the Go files of what is published: the main module, package hold and its
// adapters. Test folders with a go.mod of their own hold what others wrote.
func sources(t *testing.T) []*source {
	t.Helper()
	root := root(t)
	all := files(t, root)
	var modules []string
	for _, f := range all {
		if strings.HasSuffix(f, "/go.mod") && strings.HasPrefix(f, "test/") {
			modules = append(modules, strings.TrimSuffix(f, "go.mod"))
		}
	}
	fset := token.NewFileSet()
	var parsed []*source
	for _, f := range all {
		inOther := slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(f, m) })
		if !strings.HasSuffix(f, ".go") || inOther || strings.Contains(f, "/testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, f, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, &source{
			path: f, dir: path.Dir(f), test: strings.HasSuffix(f, "_test.go"),
			file: file, text: text, fset: fset,
		})
	}
	if len(parsed) < 2 {
		t.Fatalf("only %d Go files found: the walk is broken", len(parsed))
	}
	return parsed
}
