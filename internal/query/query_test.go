package query

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

func TestParse(t *testing.T) {
	q, err := Parse("&Comp=list&prefix=a%2Bb+c;d&include=&flag&include=x%3Dy=z&&")
	if err != nil {
		t.Fatal(err)
	}
	want := Query{{"comp", "list"}, {"prefix", "a+b c;d"}, {"include", ""}, {"flag", ""}, {"include", "x=y=z"}}
	if !slices.Equal(q, want) {
		t.Fatalf("got %q", q)
	}
	if q.Get("comp") != "list" || q.Get("none") != "" || !q.Has("flag") || q.Has("none") || strings.Join(q.Values("include"), "|") != "|x=y=z" {
		t.Error("look-ups disagree with the parameters")
	}
	for raw, code := range map[string]fault.Code{
		"%=1": fault.InvalidURI, "a=%": fault.InvalidQueryParameterValue, "a=%FF": fault.InvalidQueryParameterValue, "%FF": fault.InvalidURI,
		strings.Repeat("include=a&", 101): fault.InvalidQueryParameterValue,
	} {
		if _, err := Parse(raw); !errors.Is(err, code) {
			t.Errorf("%.40q: %v", raw, err)
		}
	}
}

// TestRepeatsAreRefused: whoever takes the first and whoever takes the last would read different
// requests.
func TestRepeatsAreRefused(t *testing.T) {
	for _, raw := range []string{
		"snapshot=1&snapshot=2", "snapshot=&snapshot=2", "snapshot=1&Snapshot=2", "snapshot&%53napshot=2", "x=1&x=1", "sig=&sv=1&SIG=a", "a&a",
	} {
		if q, err := Parse(raw); !errors.Is(err, fault.InvalidQueryParameterValue) {
			t.Errorf("%s: %q, %v", raw, q, err)
		}
	}
}

func TestNamed(t *testing.T) {
	for raw, want := range map[string]bool{"sig=1": true, "a=1&SIG": true, "%73ig=": true, "sign=1": false, "a=sig": false, "": false, "\u017fig=1": false} {
		if Named(raw, "sig") != want {
			t.Errorf("%q: %v", raw, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, raw := range []string{"a=b&C=%20+&&=;x", "restype=container&comp=list&include=", "a=b&c=d+e&%41=%2B", "a=%&&=&b;c=%zz&A=1", "sig=a%3d&sig"} {
		f.Add(raw, true)
		f.Add(raw, false)
	}
	f.Fuzz(func(t *testing.T, raw string, plusIsSpace bool) {
		if q, err := Parse(raw); err != nil {
			if _, ok := fault.Of(err); !ok {
				t.Fatal(err)
			}
		} else if len(q) > maxParams || Named(raw, "sig") != q.Has("sig") {
			t.Fatalf("%q is read as %q", raw, q)
		}
		q, err := Append(nil, raw, plusIsSpace)
		if err != nil {
			return
		}
		decode := url.PathUnescape
		if plusIsSpace {
			decode = url.QueryUnescape
		}
		parts := slices.DeleteFunc(strings.Split(raw, "&"), func(s string) bool { return s == "" })
		if len(q) != len(parts) {
			t.Fatalf("%q is read as %q", raw, q)
		}
		for i, part := range parts {
			rawName, rawValue, _ := strings.Cut(part, "=")
			name, err1 := decode(rawName)
			value, err2 := decode(rawValue)
			if err1 != nil || err2 != nil || q[i] != (Param{strings.ToLower(name), value}) || !utf8.ValidString(name+value) {
				t.Errorf("%q is read as %q", part, q[i])
			}
		}
	})
}
