package tree

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// citation matches the name of a Markdown document, and the sections behind it: "2.3", "2.2 and
// 2.3", "4.4, 7.4".
var citation = regexp.MustCompile("([A-Za-z0-9_./-]*[A-Za-z0-9_-]\\.md)\\b`?(?:,? (?:section )?(\\d+(?:\\.\\d+)*(?:(?:, | and )\\d+(?:\\.\\d+)*)*))?")

// foreign documents belong to others: the sources of the reference.
var foreign = []string{
	"articles/", "includes/", "storage-dev-guide-",
}

// TestCitations holds every document that a comment or another document names to exist, and to
// have the section that is named with it.
func TestCitations(t *testing.T) {
	root := root(t)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, broken := range brokenCitations(root, s.path, group.Text()) {
				t.Errorf("%s:%d: %s", s.path, s.line(group.Pos()), broken)
			}
		}
	}
	for _, f := range files(t, root) {
		switch path.Ext(f) {
		case ".md", ".py", ".js", ".java", ".sh", ".txt", ".txtar", "":
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		for _, broken := range brokenCitations(root, f, string(text)) {
			t.Errorf("%s: %s", f, broken)
		}
	}
}

// TestPlantedCitations shows that the check sees a document and a section that are not there.
func TestPlantedCitations(t *testing.T) {
	root := root(t)
	for text, broken := range map[string]int{
		"as docs/reference/leases.md 2.3 says":                    0,
		"docs/reference/leases.md 2.3 and\n2.4":                   0,
		"docs/reference/leases.md 2.33":                           1,
		"docs/reference/conditions-and-errors.md\n2.2, 99.1":      1,
		"see docs/reference/lease.md":                             1,
		"see leases.md 2.3":                                       1,
		"docs/reference/operations.md 5, docs/design.md":          0,
		"[why](docs/decisions/none.md), docs/facts/deletion.md 1": 1,
	} {
		if got := brokenCitations(root, "internal/tree/planted.go", text); len(got) != broken {
			t.Errorf("%q: %d broken citations, want %d: %q", text, len(got), broken, got)
		}
	}
}

// brokenCitations returns what is wrong with the documents that text cites. A document is named
// by its path from the root of the tree or from the folder of the file that cites it.
func brokenCitations(root, file, text string) (broken []string) {
	text = strings.Join(strings.Fields(text), " ")
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
		name, sections := m[1], m[2]
		if isForeign(name) {
			continue
		}
		document, err := os.ReadFile(filepath.Join(root, path.Dir(file), name))
		if err != nil {
			document, err = os.ReadFile(filepath.Join(root, name))
		}
		if err != nil {
			broken = append(broken, name+" does not exist")
			continue
		}
		for _, section := range regexp.MustCompile(`[\d.]+`).FindAllString(sections, -1) {
			if !hasSection(string(document), section) {
				broken = append(broken, name+" has no section "+section)
			}
		}
	}
	return broken
}

func isForeign(name string) bool {
	for _, prefix := range foreign {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// hasSection reports whether a document has a heading, or a statement of a numbered list, with
// that number.
func hasSection(document, number string) bool {
	n := regexp.QuoteMeta(number)
	return regexp.MustCompile(`(?m)^(#+ ` + n + `\.? |` + n + `\. )`).MatchString(document)
}
