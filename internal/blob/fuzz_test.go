package blob

import (
	"encoding/base64"
	"testing"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

// refused fails the test unless an error is one that a client can be told.
func refused(t *testing.T, text string, err error) {
	t.Helper()
	if full, ok := fault.Of(err); !ok || full.Status != 400 {
		t.Errorf("%q: %v", text, err)
	}
}

func FuzzParseBlockID(f *testing.F) {
	for _, text := range []string{"AAAA", "AA==", "", "%%%", "AAA", "AB==", "\nAAAA"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseBlockID("blockid", text)
		if err != nil {
			refused(t, text, err)
			return
		}
		again, err := ParseBlockID("blockid", base64.StdEncoding.EncodeToString([]byte(id)))
		if err != nil || again != id || len(id) == 0 || len(id) > maxBlockID {
			t.Errorf("%q: %q, then %q, %v", text, id, again, err)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"a", "a/b", "$root", "a--b", "-a", "\u0081", "\xff", "", "x\x00", "a./b", "\u007f", "\uf003"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := CheckContainerName(name); err != nil {
			refused(t, name, err)
		} else if len(name) < minContainerName || len(name) > maxContainerName {
			t.Errorf("%q can be a container", name)
		}
		for _, container := range []string{"box", RootContainer} {
			if err := CheckBlobName(container, name); err != nil {
				refused(t, name, err)
			} else if name == "" || len(name) > 4*maxBlobName || !utf8.ValidString(name) || Dotted(name) {
				t.Errorf("%q can be a blob", name)
			}
		}
	})
}
