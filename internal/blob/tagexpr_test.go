package blob

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// tagsOf reads tags in the form of the header.
func tagsOf(t testing.TB, text string) Tags {
	t.Helper()
	tags, err := ParseTags("x-ms-tags", text)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestTagExpr(t *testing.T) {
	tags := tagsOf(t, "state=open&Owner=a b&n=0042&1x=y&empty=")
	for text, want := range map[string]bool{
		`state='open'`:     true,
		`"state" = 'open'`: true,
		`state = 'Open'`:   false,
		`State = 'open'`:   false,
		`"1x"='y'`:         true,
		`Owner='a b'`:      true,
		`empty=''`:         true,
		`empty<'a'`:        true,

		`n > '0041'`: true, `n > '0042'`: false,
		`n >= '0042'`: true, `n >= '0043'`: false,
		`n < '0043'`: true, `n < '0042'`: false,
		`n <= '0042'`: true, `n <= '0041'`: false,
		`n <> '0041'`: true, `n <> '0042'`: false,
		`n > '0'`: true, `n < '5'`: true, `n > 'A'`: false,

		`none = ''`: false, `none <> 'x'`: true, `none < 'x'`: false, `none >= ''`: false,

		`state='open' AND n='0042'`:                                    true,
		`state='open' and n='1'`:                                       false,
		`state='shut' OR n='0042'`:                                     true,
		`state='open' OR state='shut' AND n='1'`:                       true,
		`(state='open' OR state='shut') AND n='1'`:                     false,
		`n='1' AND state='shut' OR state='open'`:                       true,
		`n='1' AND (state='shut' OR state='open')`:                     false,
		"((\tstate\n=\r'open' ))":                                      true,
		`state='open'AND(n='0042')`:                                    true,
		strings.Repeat("n='1' OR ", 10) + "state='open'":               true,
		strings.Repeat("n<>'1' AND ", 10) + "n='1'":                    false,
		strings.Repeat("(", 32) + "n='0042'" + strings.Repeat(")", 32): true,
	} {
		e, err := ParseTagExpr(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := e.Match(tags); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestTagExprRefusals(t *testing.T) {
	for _, text := range []string{
		``, ` `, `state`, `state=`, `='open'`, `state 'open'`, `state=open`, `state="open"`, `state='open`, `"state='open'`, `""='x'`,
		`state=='open'`, `state=>'open'`, `state!='open'`, `1x='y'`, `a-b='c'`, `"a&b"='c'`, `"` + strings.Repeat("k", 129) + `"='v'`,
		`state='open' AND`, `AND state='open'`, `state='open' n='1'`, `state='open' XOR n='1'`, `NOT state='open'`,
		`(state='open'`, `state='open')`, `()`, `(`, `state('open')`, `@container='c'`, `"@container"='c'`, `@='c'`, `é='c'`, "a='b'\x00",
		`Year='1'`, `month='1'`, `NULL='1'`, `not='1'`, `state='it''s'`, `state=''''`, `state='é'`, `state='` + strings.Repeat("v", 257) + `'`,
		`a='1' OR b='1' OR c='1' OR d='1' OR e='1' OR f='1' OR g='1' OR h='1' OR i='1' OR j='1' OR k='1'`,
		strings.Repeat("n='1' OR ", 11) + "n='1'",
		strings.Repeat("n='1' AND ", 11) + "n='1'",
		strings.Repeat("(", 33) + "n='1'" + strings.Repeat(")", 33),
	} {
		if e, err := ParseTagExpr(text); err == nil {
			t.Errorf("%s: got %v", text, e)
		}
	}
}

// showQuery writes a query so that tests can compare it.
func showQuery(q *TagQuery) string {
	var b strings.Builder
	if q.Container != "" {
		fmt.Fprintf(&b, "in %s ", q.Container)
	}
	for _, r := range q.Ranges {
		if v, ok := r.Exact(); ok {
			fmt.Fprintf(&b, "%s:%q ", r.Key, v)
		} else if r.Bounded {
			fmt.Fprintf(&b, "%s:[%q %q) ", r.Key, r.Low, r.High)
		} else {
			fmt.Fprintf(&b, "%s:[%q ∞) ", r.Key, r.Low)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestParseWhere(t *testing.T) {
	for text, want := range map[string]string{
		`"state"='open'`:                          `state:"open"`,
		`b='2' AND a='1'`:                         `a:"1" b:"2"`,
		`@container = 'locks' AND state = 'open'`: `in locks state:"open"`,
		`state = 'open' AND @container='locks'`:   `in locks state:"open"`,
		`a > '1'`:                                 `a:["1\x00" ∞)`,
		`a >= '1'`:                                `a:["1" ∞)`,
		`a < '1'`:                                 `a:["" "1")`,
		`a <= '1'`:                                `a:["" "1\x00")`,
		`a < '5' AND a > '2'`:                     `a:["2\x00" "5")`,
		`a >= '1' and a <= '1'`:                   `a:"1"`,
		`a = ''`:                                  `a:""`,
	} {
		q, err := ParseWhere(text, false)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := showQuery(q); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{
		``, `a`, `a<>'1'`, `a='1' OR b='2'`, `(a='1')`, `a='1' AND`, `a='1' b='2'`, `@container='c'`, `@container>'c' AND a='1'`,
		`@other='c' AND a='1'`, `"@container"='c' AND a='1'`, `@Container='c' AND a='1'`, strings.Repeat("a='1' AND ", 11) + "a='1'",
		`a>'1' AND a>='2'`, `a<'5' AND a<='4'`, `a='1' AND a='2'`, `a='1' AND a<'2'`, `a>='' AND a>'1'`, `@container='b' AND @container='b' AND a='1'`,
		`Year='1'`, `hour>'1'`, `a='x''y'`, `a='*'`, "a='" + strings.Repeat("v", 257) + "'",
		`a='1' AND b='1' AND c='1' AND d='1' AND e='1' AND f='1' AND g='1' AND h='1' AND i='1' AND j='1' AND k='1'`,
	} {
		_, err := ParseWhere(text, false)
		full, ok := fault.Of(err)
		if !ok || full.Code != fault.InvalidQueryParameterValue || full.Details[0].Value != "where" || full.Details[2].Value == "" {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// TestTagSyntaxErrorsTellTheirPosition in characters, and what stands there.
func TestTagSyntaxErrorsTellTheirPosition(t *testing.T) {
	const begin = "Error parsing query at or near character position "
	for text, want := range map[string]string{
		``:                             "1: unexpected end of the expression",
		`Year = '2020'`:                "1: unexpected 'Year'",
		`a = '1' AND Month > '2'`:      "13: unexpected 'Month'",
		`a == '1'`:                     "4: unexpected '='",
		`a = 1`:                        "5: unexpected '1'",
		`a = 'é' AND b = '1'`:          "5: unexpected ''é''",
		`a = '1' OR b = '2'`:           "9: unexpected 'OR'",
		`a = '1' b = '2'`:              "9: unexpected 'b'",
		`a > '1' AND a >= '2'`:         "13: unexpected 'a'",
		`@container = 'c'`:             "17: unexpected end of the expression",
		`a = 'open`:                    "5: unexpected ''open'",
		`a <> '1'`:                     "3: unexpected '<>'",
		"a = '1' AND \u65e5 = '2'":     "13: unexpected '\u65e5'",
		"a = '1' AND \"\u65e5\" = '2'": "13: unexpected '\"\u65e5\"'",
		`"` + strings.Repeat("k", 200): `1: unexpected '"` + strings.Repeat("k", 63) + "'",
	} {
		_, err := ParseWhere(text, false)
		if e, ok := fault.Of(err); !ok || e.Message != begin+want {
			t.Errorf("%s: %+v, want %s", text, e, want)
		}
	}
	_, err := ParseWhere(`@container = 'c' AND a = '1'`, true)
	if e, ok := fault.Of(err); !ok || e.Message != begin+"1: unexpected '@container'" {
		t.Errorf("%+v", e)
	}
	if _, err := ParseTagExpr(`a = '1' OR Day = '2'`); err == nil || !strings.HasPrefix(err.Error(), begin+"12: unexpected 'Day'") {
		t.Error(err)
	}
}

func TestQueryMatch(t *testing.T) {
	tags := tagsOf(t, "a=2&b=x&c=y")
	for text, want := range map[string]bool{
		`a='2'`: true, `a='1'`: false, `a>'1' AND a<'3'`: true, `a>'2'`: false, `a<'2'`: false, `a>='2' AND b='x'`: true, `z=''`: false,
		`@container='box' AND a='2'`: true, `@container='other' AND a='2'`: false,
		`@container='' AND a='2'`: false,
	} {
		q, err := ParseWhere(text, false)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := q.Match("box", tags); got != want || got && q.Empty() {
			t.Errorf("%s: got %v; empty: %v", text, got, q.Empty())
		}
	}
	for text, want := range map[string]bool{
		`a<''`: true, `a>'1' AND a<'1'`: true, `a>'1' AND a<='1'`: true, `a='1'`: false, `a>='1' AND a<='1'`: false,
		`a='1' AND @container=''`: true,
	} {
		if q, err := ParseWhere(text, false); err != nil || q.Empty() != want {
			t.Errorf("%s: empty is not %v, %v", text, want, err)
		}
	}
}

func TestBestAndNamed(t *testing.T) {
	for text, want := range map[string]string{
		`a>'1' AND b='2' AND c<'3'`:            "b",
		`a>'1' AND b>'2' AND c>'3' AND c<'4'`:  "c",
		`z>'1'`:                                "z",
		`a='1' AND b>='2' AND b<='2' AND c>''`: "a",
	} {
		q, err := ParseWhere(text, false)
		if err != nil || q.Best().Key != want {
			t.Errorf("%s: best is not %s, %v", text, want, err)
		}
	}
	q, _ := ParseWhere(`c>'' AND a='1' AND z='9'`, false)
	if got := q.Named(tagsOf(t, "a=1&b=2&c=3")).String(); got != "a=1&c=3" {
		t.Errorf("named are %s", got)
	}
}

func FuzzTagExpr(f *testing.F) {
	for _, text := range []string{
		`state='open' AND ("n" >= '1' OR n<>'it''s')`, `((a='b'))`, `@container='c' AND a<='b'`, `a='b' OR`, `"`, `'`, `a<`,
	} {
		f.Add(text)
	}
	tags := tagsOf(f, "state=open&n=2&a=b")
	f.Fuzz(func(t *testing.T, text string) {
		e, exprErr := ParseTagExpr(text)
		q, whereErr := ParseWhere(text, false)
		if full, ok := fault.Of(whereErr); whereErr != nil && (!ok || full.Status != 400) {
			t.Fatalf("%q: %v", text, whereErr)
		}
		// What both forms accept means the same in both.
		if exprErr == nil && whereErr == nil && e.Match(tags) != q.Match("c", tags) {
			t.Errorf("%q: as a condition %v, as a query %v", text, e.Match(tags), q.Match("c", tags))
		}
		if whereErr == nil && (len(q.Ranges) == 0 || !slices.IsSortedFunc(q.Ranges, func(a, b TagRange) int { return strings.Compare(a.Key, b.Key) })) {
			t.Errorf("%q: ranges %v", text, q.Ranges)
		}
	})
}

func BenchmarkTagExprMatch(b *testing.B) {
	tags := tagsOf(b, "state=open&owner=me&n=42")
	e, err := ParseTagExpr(`state='open' AND (owner<>'you' OR n>'50')`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !e.Match(tags) {
			b.Fatal("no match")
		}
	}
}
