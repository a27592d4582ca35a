package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseJUnit(t *testing.T) {
	// In the forms of pytest, of Node's runner (nested suites), and of Surefire.
	const report = `<?xml version="1.0"?>
<testsuites><testsuite name="pytest" tests="3">
<testcase classname="test_lease" name="test_ok" time="0.1"/>
<testcase classname="test_lease" name="test_bad"><failure message="assert 1 == 2">trace</failure></testcase>
<testcase classname="test_lease" name="test_setup"><error message="no server">more</error></testcase>
<testcase classname="test_lease" name="test_not"><skipped type="pytest.skip" message="old SDK"/></testcase>
</testsuite>
<testsuite name="lease"><testsuite name="inner"><testcase name="acquires &amp; releases" classname="test"/></testsuite></testsuite>
</testsuites>`
	got, err := ParseJUnit(strings.NewReader(report))
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{
		{"test_lease.test_ok", Passed, ""},
		{"test_lease.test_bad", Failed, "assert 1 == 2\ntrace"},
		{"test_lease.test_setup", Failed, "no server\nmore"},
		{"test_lease.test_not", Skipped, "old SDK"},
		{"acquires & releases", Passed, ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if _, err := ParseJUnit(strings.NewReader("<testsuites><testcase>")); err == nil {
		t.Error("a report cut short was accepted")
	}
}

func TestParseGoTest(t *testing.T) {
	const report = `{"Action":"run","Test":"Test"}
{"Action":"output","Test":"Test/TestA","Output":"one\n"}
{"Action":"pass","Test":"Test/TestA"}
{"Action":"output","Test":"Test/TestB","Output":"two\n"}
{"Action":"fail","Test":"Test/TestB"}
{"Action":"skip","Test":"Test/TestC"}
{"Action":"run","Test":"Test/TestD"}
{"Action":"fail","Test":"Test"}
{"Action":"pass","Test":"TestAlone"}
{"Action":"fail"}
`
	got, err := ParseGoTest(strings.NewReader(report), "lease/")
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{
		{"lease/Test/TestA", Passed, "one\n"},
		{"lease/Test/TestB", Failed, "two\n"},
		{"lease/Test/TestC", Skipped, ""},
		{"lease/Test/TestD", Failed, ""}, // never ended
		{"lease/TestAlone", Passed, ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseExpectations(t *testing.T) {
	got, err := ParseExpectations(strings.NewReader("# heading\n\nlease/Test/TestB  the test is wrong: deletes twice\na b c   why\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["lease/Test/TestB"] != "the test is wrong: deletes twice" || got["a b c"] != "why" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"name without reason", "name  ", "a  x\na  y"} {
		if _, err := ParseExpectations(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestVerdict(t *testing.T) {
	e := Expectations{"listed": "because"}
	cases := []struct {
		name   string
		status Status
		ok     bool
	}{
		{"other", Passed, true}, {"other", Failed, false}, {"other", Skipped, true},
		{"listed", Passed, false}, {"listed", Failed, true}, {"listed", Skipped, true},
	}
	for _, c := range cases {
		if err := e.Verdict(Result{c.name, c.status, "out"}); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.name, c.status, err)
		}
	}
}

func TestRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "expected.txt")
	before := "# Heading\n# of two lines\n\nlease/A  known\nlease/B  passes now\nlease/Gone  was removed\nblob/X  out of scope\n"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	e, err := ParseExpectations(strings.NewReader(before))
	if err != nil {
		t.Fatal(err)
	}
	results := []Result{
		{"lease/A", Failed, "x"}, {"lease/B", Passed, ""},
		{"lease/C", Failed, "  Error: \tReceived unexpected error\n  ERROR CODE: BlobNotFound\n"},
	}
	if err := e.rewrite(file, results, "lease/"); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Heading\n# of two lines\n\nblob/X  out of scope\nlease/A  known\nlease/C  unexplained: BlobNotFound\n"
	if string(after) != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
}

func TestReadyAddr(t *testing.T) {
	cases := map[string]string{
		"leasehold ready at http://127.0.0.1:43211/acct": "127.0.0.1:43211",
		"listening on 127.0.0.1:43211":                   "",
		"leasehold ready":                                "",
	}
	for line, want := range cases {
		if got, ok := readyAddr(line); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", line, got, ok, want)
		}
	}
}

func TestParseCargoTest(t *testing.T) {
	const output = `
running 3 tests
test azure::tests::one ... ok
test azure::tests::two ... FAILED
test azure::tests::three ... ignored, by hand

failures:

---- azure::tests::two stdout ----
thread 'azure::tests::two' panicked
note: no more

failures:
    azure::tests::two

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s
`
	got := ParseCargoTest(output)
	want := []Result{
		{"azure::tests::one", Passed, ""},
		{"azure::tests::two", Failed, "thread 'azure::tests::two' panicked\nnote: no more"},
		{"azure::tests::three", Skipped, ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestLineWriter(t *testing.T) {
	var lines []string
	w := &lineWriter{line: func(l []byte) { lines = append(lines, string(l)) }}
	for _, text := range []string{"one\ntw", "o", "\n\nthree"} {
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	if got := strings.Join(lines, "|"); got != "one|two|" {
		t.Errorf("lines %q", got)
	}
}
