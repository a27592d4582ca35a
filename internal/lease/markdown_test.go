package lease

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sheet is one table of a Markdown file in testdata.
type sheet struct {
	columns []string
	rows    [][]string
}

// at returns the cell of a row in the named column.
func (s sheet) at(t *testing.T, row []string, column string) string {
	t.Helper()
	i := slices.Index(s.columns, column)
	if i < 0 {
		t.Fatalf("no column %q in %q", column, s.columns)
	}
	return row[i]
}

// readSheet returns the table below a heading of level two. It fails the test if there is none, or if it has no rows.
func readSheet(t *testing.T, file, heading string) sheet {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var s sheet
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			inside = line == "## "+heading
		case !inside || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--"):
		case s.columns == nil:
			s.columns = cells(line)
		default:
			s.rows = append(s.rows, cells(line))
		}
	}
	if len(s.rows) == 0 {
		t.Fatalf("%s has no table %q", file, heading)
	}
	for _, row := range s.rows {
		if len(row) != len(s.columns) {
			t.Fatalf("%s, %s: row %q has %d cells", file, heading, row[0], len(row))
		}
	}
	return s
}

func cells(line string) []string {
	parts := strings.Split(strings.Trim(line, "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
