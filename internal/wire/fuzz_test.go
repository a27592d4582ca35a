package wire

import (
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

func FuzzParseVersion(f *testing.F) {
	for _, text := range []string{"2026-12-06", "2009-04-14", "2012-02-12", "2012-02-11", "2026-13-01", "2026-1-1", "", "２026-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVersion(text)
		if full, ok := fault.Of(err); err != nil && (!ok || full.Status != 400 || v != "") {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && (string(v) != text || !v.AtLeast(older[0])) {
			t.Errorf("%q became %q", text, v)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, name := range []string{"X-Ms-Meta-A", "X-Ms-Meta-", "x-ms-meta-1", "X-Ms-Meta-A-B", "X-Ms-Meta-é", "X-Ms-Met"} {
		f.Add(name, "value")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		r := parse(t, "PUT /a/c/b")
		r.Header[name] = []string{value}
		m, err := decodeMetadata(r, "X-Ms-Meta-")
		if full, ok := fault.Of(err); err != nil && (!ok || full.Status != 400) {
			t.Fatalf("%q: %v", name, err)
		}
		for key, got := range m {
			if err == nil && (!identifier(key) || got != value || len(key)+len(got) > MaxMetadata) {
				t.Errorf("%q: %q became %q", name, key, got)
			}
		}
	})
}
