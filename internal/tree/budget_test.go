package tree

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The budgets, in lines. Lines of a function count from "func" to the closing brace.
const (
	functionMax = 75   // none longer outside tests
	functionP99 = 45   // ninety-nine of a hundred, over the whole module
	fileMax     = 700  // files of the program
	testFileMax = 1000 // files of tests
	packageMax  = 5000 // the non-test files of one folder
)

// larger packages, each with its own limit and the reason.
var larger = map[string]int{
	// Some 70 operations in files of their own, over one scope that is nobody
	// else's business: splitting the package would have to export it.
	"internal/service": 10000,
}

// TestBudgets holds functions, files and packages to their lengths.
func TestBudgets(t *testing.T) {
	var lengths []int
	packages := make(map[string]int)
	for _, s := range sources(t) {
		limit := fileMax
		if s.test {
			limit = testFileMax
		} else {
			packages[s.dir] += s.lines()
		}
		if n := s.lines(); n > limit {
			t.Errorf("%s has %d lines, over %d", s.path, n, limit)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			n := s.line(f.End()) - s.line(f.Type.Pos()) + 1
			if s.test {
				continue
			}
			lengths = append(lengths, n)
			if n > functionMax {
				t.Errorf("%s:%d: %s has %d lines, over %d", s.path, s.line(f.Pos()), f.Name.Name, n, functionMax)
			}
		}
	}
	for dir, n := range packages {
		if limit := max(packageMax, larger[dir]); n > limit {
			t.Errorf("package in %s has %d lines, over %d", dir, n, limit)
		}
	}
	slices.Sort(lengths)
	if len(lengths) >= 20 {
		if p99 := lengths[len(lengths)*99/100]; p99 > functionP99 {
			t.Errorf("one function in a hundred is longer than %d lines (the 99th percentile is %d)", functionP99, p99)
		}
	}
}

// commentMax is how many columns a comment may take that stands alone, with tabs of four.
const commentMax = 100

// TestCommentWidth holds comments to a width at which they are read easily. Code may be wider, and
// so may a comment behind it, a line of a table or list in a comment, and a word that can't be
// broken.
func TestCommentWidth(t *testing.T) {
	for _, s := range sources(t) {
		for n, line := range strings.Split(string(s.text), "\n") {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), "// ")
			width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			if ok && width > commentMax && strings.Contains(text, " ") && !strings.HasPrefix(text, " ") && !strings.HasPrefix(text, "- ") {
				t.Errorf("%s:%d: the comment takes %d columns, over %d", s.path, n+1, width, commentMax)
			}
		}
	}
}
