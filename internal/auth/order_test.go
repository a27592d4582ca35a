package auth

import (
	"slices"
	"testing"
)

func TestHeaderOrders(t *testing.T) {
	tests := []struct {
		a, b           string
		culture, bytes int // of a against b
	}{
		{"x-ms-meta-a1", "x-ms-meta-a_b", 1, -1},
		{"x-ms-meta-A", "x-ms-meta-a", 0, 0},
		{"x-ms-meta-ab", "x-ms-meta-a-b", -1, 1},
		{"x-ms-meta-ab", "x-ms-meta-a-a", 1, 1},
		{"x-ms-meta-a", "x-ms-meta-a-", -1, -1},
		{"x-ms-meta-a'b", "x-ms-meta-a-b", -1, -1},
		{"x-ms-meta-a", "x-ms-meta-ab", -1, -1},
		{"x-ms-meta-1", "x-ms-meta-a", -1, -1},
		{"x-ms-meta-_", "x-ms-meta-1", -1, 1},
		{"x-ms-meta-~", "x-ms-meta-0", -1, 1},
		{"x-ms-blob-content-type", "x-ms-blob-type", -1, -1},
		{"", "-", -1, -1},
	}
	for _, tt := range tests {
		if got := sign(compareCulture(tt.a, tt.b)); got != tt.culture {
			t.Errorf("culture: %q against %q is %d", tt.a, tt.b, got)
		}
		if got := sign(compareBytes(tt.a, tt.b)); got != tt.bytes {
			t.Errorf("bytes: %q against %q is %d", tt.a, tt.b, got)
		}
		if compareCulture(tt.a, tt.b) != -compareCulture(tt.b, tt.a) || compareBytes(tt.a, tt.b) != -compareBytes(tt.b, tt.a) {
			t.Errorf("%q and %q: not antisymmetric", tt.a, tt.b)
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

func FuzzHeaderOrders(f *testing.F) {
	f.Add("a-b", "ab", "a'b")
	f.Add("", "-", "_")
	f.Add("\xff", "Z", "z1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, compare := range []func(a, b string) int{compareCulture, compareBytes} {
			if sign(compare(a, b)) != -sign(compare(b, a)) {
				t.Errorf("%q and %q: not antisymmetric", a, b)
			}
			list := []string{a, b, c}
			slices.SortFunc(list, compare)
			if compare(list[0], list[2]) > 0 {
				t.Errorf("%q: not transitive", list)
			}
		}
	})
}
