package harness

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	if r, err := ReadRecord(dir); err != nil || len(r) != 0 {
		t.Errorf("a folder without a record: %v, %v", r, err)
	}
	want := Record{"lease": {77, 0, 1}, "blob": {200, 2, 0}}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		t.Fatal(err)
	}
	const lines = "\n\nblob  200 passed, 2 failed, 0 skipped\nlease  77 passed, 0 failed, 1 skipped\n"
	if !strings.HasSuffix(string(text), lines) {
		t.Errorf("written as\n%s", text)
	}
	got, err := ReadRecord(dir)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("read back as %v, %v", got, err)
	}
	if sum := got.Total(); sum != (Counts{277, 2, 1}) || sum.Sum() != 280 {
		t.Errorf("total %v, %d", sum, sum.Sum())
	}
	for _, bad := range []string{"lease", "lease  77 passed", "lease  1 passed, 0 failed, 0 skipped, 3 lost", "a  1 passed, 0 failed, 0 skipped\na  1 passed, 0 failed, 0 skipped"} {
		if _, err := ParseRecord(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestCount(t *testing.T) {
	got := Count([]Result{{"a", Passed, ""}, {"b", Failed, ""}, {"c", Passed, ""}, {"d", Skipped, ""}})
	if want := (Counts{2, 1, 1}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
