package harness

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the lists of tests that are expected to fail")

// Status is the outcome of a client's test.
type Status string

// The outcomes.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped" // by the client itself
)

// A Result is the outcome of one test of an outside client.
type Result struct {
	Name   string
	Status Status
	Output string // what the client said, for a failure
}

// ParseJUnit reads the report that pytest, Node's test runner and Maven Surefire
// write. A name is "class.test", or the test alone when it has no class.
func ParseJUnit(r io.Reader) ([]Result, error) {
	var results []Result
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return nil, fmt.Errorf("test report: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "testcase" {
			continue
		}
		var c junitCase
		if err := d.DecodeElement(&c, &start); err != nil {
			return nil, fmt.Errorf("test report: %w", err)
		}
		results = append(results, c.result())
	}
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitReason `xml:"failure"`
	Error   *junitReason `xml:"error"`
	Skipped *junitReason `xml:"skipped"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (c *junitCase) result() Result {
	r := Result{Name: c.Name, Status: Passed}
	if c.Class != "" && c.Class != "test" { // Node's runner calls every class "test"
		r.Name = c.Class + "." + c.Name
	}
	for _, why := range []*junitReason{c.Failure, c.Error} {
		if why != nil {
			r.Status = Failed
			r.Output += why.Message + "\n" + why.Text
		}
	}
	if r.Status == Passed && c.Skipped != nil {
		r.Status = Skipped
		r.Output = c.Skipped.Message
	}
	return r
}

// ParseGoTest reads the output of go test -json, or of go tool test2json, and puts
// prefix before the names. A test with subtests that have failed by themselves is
// left out, as is one whose only news is that they passed.
func ParseGoTest(r io.Reader, prefix string) ([]Result, error) {
	type event struct{ Action, Test, Output string }
	status := map[string]Status{"pass": Passed, "fail": Failed, "skip": Skipped}
	outcomes := make(map[string]*Result)
	d := json.NewDecoder(r)
	for {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("test report: %w", err)
		}
		if e.Test == "" {
			continue
		}
		o := outcomes[e.Test]
		if o == nil {
			// A test that never ends has failed.
			o = &Result{Name: prefix + e.Test, Status: Failed}
			outcomes[e.Test] = o
		}
		o.Output += e.Output
		if s, ok := status[e.Action]; ok {
			o.Status = s
		}
	}
	names := slices.Sorted(maps.Keys(outcomes))
	var results []Result
	for _, name := range names {
		parent := slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name+"/") })
		if !parent {
			results = append(results, *outcomes[name])
		}
	}
	return results, nil
}

// cargoLine matches the outcome of a test as Rust's test runner prints it.
var cargoLine = regexp.MustCompile(`(?m)^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)`)

// ParseCargoTest reads the output of cargo test.
func ParseCargoTest(output string) []Result {
	status := map[string]Status{"ok": Passed, "FAILED": Failed, "ignored": Skipped}
	var results []Result
	for _, m := range cargoLine.FindAllStringSubmatch(output, -1) {
		r := Result{Name: m[1], Status: status[m[2]]}
		if _, said, ok := strings.Cut(output, "---- "+r.Name+" stdout ----\n"); ok {
			r.Output, _, _ = strings.Cut(said, "\n\n")
		}
		results = append(results, r)
	}
	return results
}

// Expectations are the tests of a client that are known to fail, each with the
// reason.
type Expectations map[string]string

// ParseExpectations reads a list with one test a line: the name, two spaces or more,
// the reason. Empty lines and lines that begin with # are left out.
func ParseExpectations(r io.Reader) (Expectations, error) {
	list := make(Expectations)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, "  ")
		reason = strings.TrimSpace(reason)
		if !ok || reason == "" {
			return nil, fmt.Errorf("%q has no reason", line)
		}
		if _, twice := list[name]; twice {
			return nil, fmt.Errorf("%q is listed twice", name)
		}
		list[name] = reason
	}
	return list, lines.Err()
}

// ReadExpectations reads the list in a file.
func ReadExpectations(file string) (Expectations, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := ParseExpectations(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// Verdict compares a result with the list. It returns an error for a test that
// failed without being listed, or passed although it is.
func (e Expectations) Verdict(r Result) error {
	reason, listed := e[r.Name]
	switch {
	case r.Status == Failed && !listed:
		return errors.New(r.Output)
	case r.Status == Passed && listed:
		return fmt.Errorf("passes, but is listed as failing (%s): take it off the list", reason)
	}
	return nil
}

// Report makes each result a subtest of t. Tests that fail as the list in the
// file says are shown as skipped, with the reason; those listed that start with
// scope but did not run are errors, so that the list doesn't outlive its tests. The
// counts have to be those of the record beside the file.
func Report(t *testing.T, results []Result, file, scope string) {
	t.Helper()
	if len(results) == 0 {
		t.Fatal("the client ran no test")
	}
	expected := expectations(t, results, file, scope)
	ran := make(map[string]bool)
	for _, r := range results {
		ran[r.Name] = true
		t.Run(r.Name, func(t *testing.T) {
			if err := expected.Verdict(r); err != nil {
				t.Error(err)
			} else if r.Status != Passed {
				t.Skipf("%s: %s%s", r.Status, expected[r.Name], r.Output)
			}
		})
	}
	for name := range expected {
		if strings.HasPrefix(name, scope) && !ran[name] {
			t.Errorf("%s lists %s, which did not run", file, name)
		}
	}
}

// reports is held while a list and its record are read and rewritten, as the parts of a
// suite may run in parallel.
var reports sync.Mutex

// expectations reads the list in the file, which it brings up to date with -update, and
// checks the record beside it.
func expectations(t *testing.T, results []Result, file, scope string) Expectations {
	t.Helper()
	reports.Lock()
	defer reports.Unlock()
	expected, err := ReadExpectations(file)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := expected.rewrite(file, results, scope); err != nil {
			t.Fatal(err)
		}
	}
	checkRecord(t, results, filepath.Dir(file), scope)
	return expected
}

// rewrite brings the part of the list under scope into line with the results.
// Reasons that are there stay; new entries get the first words of the failure, to be
// replaced by hand.
func (e Expectations) rewrite(file string, results []Result, scope string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(string(text), "\n\n")
	for name := range e {
		if strings.HasPrefix(name, scope) && !slices.ContainsFunc(results, func(r Result) bool {
			return r.Name == name && r.Status != Passed
		}) {
			delete(e, name)
		}
	}
	for _, r := range results {
		if _, listed := e[r.Name]; r.Status == Failed && !listed {
			e[r.Name] = "unexplained: " + firstError(r.Output)
		}
	}
	var list strings.Builder
	list.WriteString(strings.TrimSpace(head) + "\n")
	if len(e) > 0 {
		list.WriteString("\n")
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		fmt.Fprintf(&list, "%s  %s\n", name, e[name])
	}
	return os.WriteFile(file, []byte(list.String()), 0o644)
}

// errorCode matches an error code of the service as the SDKs print it.
var errorCode = regexp.MustCompile(`(?:ERROR CODE: |ErrorCode:|<Code>)(\w+)`)

// firstError picks the most telling words of a failure: the service's error code
// if there is one, else how the message begins.
func firstError(output string) string {
	if m := errorCode.FindStringSubmatch(output); m != nil {
		return m[1]
	}
	if _, said, ok := strings.Cut(output, "Error: "); ok {
		output, _, _ = strings.Cut(said, "Test: ") // both words are testify's
	}
	output = strings.Join(strings.Fields(output), " ")
	return output[:min(len(output), 120)]
}
