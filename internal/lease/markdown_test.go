package lease

import (
	"path/filepath"
	"testing"

	"github.com/leasehold/leasehold/test/sheet"
)

// readSheet returns the table below a heading of level two of a file in testdata.
func readSheet(t *testing.T, file, heading string) sheet.Sheet {
	t.Helper()
	return sheet.Read(t, filepath.Join("testdata", file), heading)
}
