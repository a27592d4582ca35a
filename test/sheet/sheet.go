// Package sheet reads the tables in Markdown that tests are driven by, so that what is
// expected can be held against the reference by eye.
package sheet

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Sheet is one table of a Markdown file.
type Sheet struct {
	Columns []string
	Rows    [][]string
}

// At returns the cell of a row in the named column.
func (s Sheet) At(t testing.TB, row []string, column string) string {
	t.Helper()
	i := slices.Index(s.Columns, column)
	if i < 0 {
		t.Fatalf("no column %q in %q", column, s.Columns)
	}
	return row[i]
}

// Row returns the row whose first cell is key. It fails the test if there is none.
func (s Sheet) Row(t testing.TB, key string) []string {
	t.Helper()
	for _, row := range s.Rows {
		if row[0] == key {
			return row
		}
	}
	t.Fatalf("no row %q", key)
	return nil
}

// Read returns the table below a heading of level two. It fails the test if there is
// none, if it has no rows, or if a row has a cell too many or too few.
func Read(t testing.TB, path, heading string) Sheet {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s Sheet
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "):
			inside = line == "## "+heading
		case !inside || !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--"):
		case s.Columns == nil:
			s.Columns = cells(line)
		default:
			s.Rows = append(s.Rows, cells(line))
		}
	}
	if len(s.Rows) == 0 {
		t.Fatalf("%s has no table %q", path, heading)
	}
	for _, row := range s.Rows {
		if len(row) != len(s.Columns) {
			t.Fatalf("%s, %s: row %q has %d cells", path, heading, row[0], len(row))
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
