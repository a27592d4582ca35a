package tree

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxTour is how many lines a newcomer can be asked to read.
const maxTour = 150

// TestTour holds every name in docs/tour.md to exist: files and folders by their paths, functions,
// types and values by their names.
func TestTour(t *testing.T) {
	root := root(t)
	text, err := os.ReadFile(filepath.Join(root, "docs/tour.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > maxTour {
		t.Errorf("docs/tour.md has %d lines, over %d", n, maxTour)
	}
	names := declared(t)
	checked := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		checked++
		if strings.Contains(name, "/") {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("docs/tour.md names %s, which does not exist", name)
			}
			continue
		}
		if last := name[strings.LastIndex(name, ".")+1:]; !names[last] {
			t.Errorf("docs/tour.md names %s, which nothing declares", name)
		}
	}
	if checked < 50 {
		t.Errorf("only %d names were found in docs/tour.md", checked)
	}
}

// declared returns the names of all functions, methods, types, constants and variables outside of
// tests.
func declared(t *testing.T) map[string]bool {
	names := make(map[string]bool)
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							names[n.Name] = true
						}
					}
				}
			}
		}
	}
	return names
}
