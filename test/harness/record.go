package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recordName is the file beside a list of expected failures that holds a Record.
const recordName = "record.txt"

// recordHead explains the file to its readers.
const recordHead = `# How many tests of this client ran against this server, and how they ended. The run
# of the client checks the numbers, and rewrites them with -update.

`

// Counts are the numbers of a client's tests by outcome.
type Counts struct {
	Passed, Failed, Skipped int
}

// Sum returns the number of tests.
func (c Counts) Sum() int { return c.Passed + c.Failed + c.Skipped }

// Add returns the counts of both.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.Passed + d.Passed, c.Failed + d.Failed, c.Skipped + d.Skipped}
}

// String returns the form in which a Record holds the counts.
func (c Counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.Passed, c.Failed, c.Skipped)
}

// Count counts results.
func Count(results []Result) (c Counts) {
	for _, r := range results {
		switch r.Status {
		case Passed:
			c.Passed++
		case Failed:
			c.Failed++
		case Skipped:
			c.Skipped++
		}
	}
	return c
}

// A Record holds the counts of a client's last checked run, by the part of its suite;
// "all" is a suite that has no parts.
type Record map[string]Counts

// Total returns the counts of all parts together.
func (r Record) Total() (sum Counts) {
	for _, c := range r {
		sum = sum.Add(c)
	}
	return sum
}

// ParseRecord reads a record with one part a line: the name, two spaces, the counts.
// Empty lines and lines that begin with # are left out.
func ParseRecord(r io.Reader) (Record, error) {
	record := make(Record)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, counts, _ := strings.Cut(line, "  ")
		var c Counts
		if _, err := fmt.Sscanf(counts, "%d passed, %d failed, %d skipped", &c.Passed, &c.Failed, &c.Skipped); err != nil || counts != c.String() {
			return nil, fmt.Errorf("%q is no line of a record", line)
		}
		if _, twice := record[part]; twice {
			return nil, fmt.Errorf("%q is recorded twice", part)
		}
		record[part] = c
	}
	return record, lines.Err()
}

// ReadRecord reads the record in a folder. A folder without one has an empty record.
func ReadRecord(dir string) (Record, error) {
	f, err := os.Open(filepath.Join(dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ParseRecord(f)
}

func (r Record) write(dir string) error {
	var text strings.Builder
	text.WriteString(recordHead)
	for _, part := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&text, "%s  %s\n", part, r[part])
	}
	return os.WriteFile(filepath.Join(dir, recordName), []byte(text.String()), 0o644)
}

// checkRecord compares the counts of a run with those recorded for its scope, or records
// them. The record is about the server of this tree, no other.
func checkRecord(t *testing.T, results []Result, dir, scope string) {
	t.Helper()
	if os.Getenv("LEASEHOLD_TEST_ADDR") != "" {
		return
	}
	part := strings.Trim(scope, "/")
	if part == "" {
		part = "all"
	}
	record, err := ReadRecord(dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	got := Count(results)
	switch {
	case got == record[part]:
	case *update:
		record[part] = got
		if err := record.write(dir); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: %s records %q for %s; see to it that no test was lost, and record with -update",
			got, filepath.Join(dir, recordName), record[part], part)
	}
}

// Updating reports whether the test runs with -update.
func Updating() bool { return *update }
