package segment

import (
	"math"
	"testing"
)

func TestParseID(t *testing.T) {
	want := ID{0x00, 0x01, 0xfe, 0xff, 15: 0x80}
	got, err := ParseID(want.String())
	if err != nil || got != want {
		t.Errorf("ParseID(%q) = %v, %v; want %v", want.String(), got, err, want)
	}
	for _, s := range []string{"", "00", want.String() + "00", "zz" + want.String()[2:], want.String()[1:]} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %v, want an error", s, id)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("")
	f.Add("000102030405060708090a0b0c0d0e0f")
	f.Add("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")
	f.Add("000102030405060708090a0b0c0d0e0g")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		again, err := ParseID(id.String())
		if err != nil || again != id {
			t.Errorf("%q reads as %v, which reads as %v, %v", s, id, again, err)
		}
	})
}

func TestCheckRange(t *testing.T) {
	tests := []struct {
		size, off, n int64
		ok           bool
	}{
		{0, 0, 0, true},
		{10, 0, 10, true},
		{10, 10, 0, true},
		{10, 9, 1, true},
		{10, 9, 2, false},
		{10, 11, 0, false},
		{10, -1, 1, false},
		{10, 1, -1, false},
		{10, math.MaxInt64, 1, false},
		{10, 1, math.MaxInt64, false},
		{math.MaxInt64, 1, math.MaxInt64 - 1, true},
		{math.MaxInt64, 2, math.MaxInt64 - 1, false},
	}
	for _, tt := range tests {
		if err := (Ref{Size: tt.size}).CheckRange(tt.off, tt.n); (err == nil) != tt.ok {
			t.Errorf("CheckRange(%d, %d) of %d bytes = %v", tt.off, tt.n, tt.size, err)
		}
	}
}
