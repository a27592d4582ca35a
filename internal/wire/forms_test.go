package wire

import (
	"encoding/xml"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// between returns the range from start to last, both included.
func between(start, last int64) Range { return Range{start, last + 1} }

func TestParseRange(t *testing.T) {
	none := Range{}
	tests := []struct {
		text string
		want Range
	}{
		{"bytes=0-0", between(0, 0)},
		{"bytes=5-9", between(5, 9)},
		{"Bytes= 5 - 9 ", between(5, 9)},
		{"bytes=5-", Range{5, math.MaxInt64}},
		{"bytes=-5", none},
		{"bytes=0--1", none},
		{"bytes=1-2,5-6", none},
		{"bytes=", none},
		{"bytes=-", none},
		{"bytes=5", none},
		{"items=1-2", none},
		{"bytes=+1-2", none},
		{"", none},
	}
	for _, tt := range tests {
		if got, err := ParseRange(tt.text); err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
	}
	if _, err := ParseRange("bytes=9-8"); !errors.Is(err, fault.InvalidHeaderValue) {
		t.Error(err)
	}
	huge, err := ParseRange("bytes=7-99999999999999999999999999")
	if off, n, cerr := huge.Clamp(10); err != nil || cerr != nil || off != 7 || n != 3 {
		t.Errorf("%+v, %v, %v", huge, err, cerr)
	}
}

func TestClamp(t *testing.T) {
	tests := []struct {
		r            Range
		size, off, n int64
	}{
		{Range{}, 10, 0, 10},
		{Range{}, 0, 0, 0},
		{between(0, 9), 10, 0, 10},
		{between(0, 10), 10, 0, 10},
		{between(9, 9), 10, 9, 1},
		{Range{3, math.MaxInt64}, 10, 3, 7},
	}
	for _, tt := range tests {
		if off, n, err := tt.r.Clamp(tt.size); err != nil || off != tt.off || n != tt.n {
			t.Errorf("%+v: %d, %d, %v", tt, off, n, err)
		}
	}
	for size, r := range map[int64]Range{0: between(0, 0), 10: {10, math.MaxInt64}} {
		_, _, err := r.Clamp(size)
		e, _ := fault.Of(err)
		if e.Code != fault.InvalidRange || len(e.Header) != 1 || !strings.HasPrefix(e.Header[0].Value, "bytes */") {
			t.Errorf("size %d: %+v", size, e)
		}
	}
	if got := ContentRange(5, 10, 100); got != "bytes 5-14/100" {
		t.Error(got)
	}
	if r := between(512, 1023); r.Len() != 512 || r.Last() != 1023 || r.Open() || r.IsZero() {
		t.Errorf("%+v", r)
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=5-", "bytes=-1", "bytes=9223372036854775807-", "bytes=0-9223372036854775807"} {
		f.Add(s, int64(100))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		off, n, err := r.Clamp(size)
		if err == nil && (off < 0 || n < 0 || n == 0 && size > 0 || off+n > size) {
			t.Fatalf("%q of %d: %d, %d", s, size, off, n)
		}
	})
}

func TestXMLName(t *testing.T) {
	tests := []struct {
		name    string
		version Version
		want    string
	}{
		{"a&b/<c>\"'", "2021-12-02", "<Name>a&amp;b/&lt;c&gt;&quot;'</Name>"},
		{"job/\uFFFE é", "2021-12-02", `<Name Encoded="true">job/%EF%BF%BE%20%C3%A9</Name>`},
		{"job/\uFFFE", "2020-12-06", "<Name>job/\uFFFD</Name>"},
		{"\U0001F600\uFFFD", "2021-12-02", "<Name>\U0001F600\uFFFD</Name>"},
		{"", "2021-12-02", "<Name />"},
	}
	for _, tt := range tests {
		if got := string(AppendXMLName(nil, tt.name, tt.version)); got != tt.want {
			t.Errorf("%q: %s", tt.name, got)
		}
	}
	if XMLSafe("\xFF") || XMLSafe("\x01") || !XMLSafe("a\t\n\r\uFFFD") {
		t.Error("XMLSafe")
	}
}

func FuzzXMLText(f *testing.F) {
	f.Add("a<b>&\"'\r\n\t\x00\xFF\uFFFE\uFFFD\U0001F600")
	f.Fuzz(func(t *testing.T, s string) {
		doc := AppendXMLElement(nil, "T", s)
		var got struct {
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		if XMLSafe(s) && got.Text != s {
			t.Fatalf("%q came back as %q", s, got.Text)
		}
	})
}
