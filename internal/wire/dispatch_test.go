package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

type row struct {
	name string
	sel  Selector
}

func (r *row) selector() Selector { return r.sel }

// rows is a cut of the protocol with every kind of selector.
var rows = []row{
	{"list containers", Selector{Method: "GET", Level: LevelService, Comp: "list"}},
	{"account info", Selector{Method: "GET,HEAD", AnyLevel: true, Restype: "account", Comp: "properties"}},
	{"preflight", Selector{Method: "OPTIONS", AnyLevel: true}},
	{"create container", Selector{Method: "PUT", Level: LevelContainer, Restype: "container"}},
	{"list blobs by hierarchy", Selector{Method: "GET", Level: LevelContainer, Restype: "container", Comp: "list", Query: []string{"delimiter"}}},
	{"list blobs", Selector{Method: "GET", Level: LevelContainer, Restype: "container", Comp: "list"}},
	{"get blob", Selector{Method: "GET", Level: LevelBlob}},
	{"head blob", Selector{Method: "HEAD", Level: LevelBlob}},
	{"copy from url", Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-copy-source", ""}, {"x-ms-requires-sync", "true"}}}},
	{"put from url", Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-copy-source", ""}, {"x-ms-blob-type", "BlockBlob"}}}},
	{"copy", Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-copy-source", ""}, {"x-ms-blob-type", "-"}}}},
	{"put page blob", Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-blob-type", "PageBlob"}}}},
	{"put block blob", Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-blob-type", "BlockBlob"}}}},
	{"acquire", Selector{Method: "PUT", Level: LevelBlob, Comp: "lease", Header: []HeaderIs{{"x-ms-lease-action", "acquire"}}}},
	{"renew", Selector{Method: "PUT", Level: LevelBlob, Comp: "lease", Header: []HeaderIs{{"x-ms-lease-action", "renew"}}}},
	{"abort copy", Selector{Method: "PUT", Level: LevelBlob, Comp: "copy", Query: []string{"copyid"}}},
	{"immutability", Selector{Method: "PUT", Level: LevelBlob, Comp: "immutabilityPolicies"}},
}

// parse makes a request of lines: the request line, then headers.
func parse(t testing.TB, lines ...string) *Request {
	t.Helper()
	method, target, _ := strings.Cut(lines[0], " ")
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost"
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	req, err := NewRequest(httptest.NewRecorder(), r, time.Date(2026, 3, 3, 8, 0, 0, 123456700, time.UTC), nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestMatch(t *testing.T) {
	table := NewTable(rows, (*row).selector)
	tests := []struct{ request, want string }{
		{"GET /a?comp=list", "list containers"},
		{"GET /a?COMP=LIST&restype=", "list containers"},
		{"HEAD /a/c/b?restype=account&comp=properties", "account info"},
		{"GET /a?restype=account&comp=properties", "account info"},
		{"OPTIONS /a/c/b?comp=whatever&restype=odd", "preflight"},
		{"PUT /a/c?restype=container", "create container"},
		{"GET /a/c?restype=container&comp=list", "list blobs"},
		{"GET /a/c?restype=container&comp=list&delimiter=/", "list blobs by hierarchy"},
		{"GET /a/c?restype=container&comp=list&delimiter=", "list blobs"},
		{"GET /a/c/b", "get blob"},
		{"GET /a/b", "get blob"},
		{"HEAD /a/c/b?snapshot=x", "head blob"},
		{"PUT /a/c/b|x-ms-copy-source: u|x-ms-requires-sync: TRUE|x-ms-blob-type: BlockBlob", "copy from url"},
		{"PUT /a/c/b|x-ms-copy-source: u|x-ms-blob-type: BlockBlob", "put from url"},
		{"PUT /a/c/b|x-ms-copy-source: u", "copy"},
		{"PUT /a/c/b|x-ms-blob-type: PageBlob", "put page blob"},
		{"PUT /a/c/b|x-ms-blob-type: BlockBlob", "put block blob"},
		{"PUT /a/c/b?comp=lease|x-ms-lease-action: Renew", "renew"},
		{"PUT /a/c/b?comp=immutabilitypolicies", "immutability"},

		{"PUT /a/c/b", "MissingRequiredHeader [{HeaderName x-ms-blob-type}]"},
		{"PUT /a/c/b|x-ms-blob-type: Odd", "InvalidHeaderValue [{HeaderName x-ms-blob-type} {HeaderValue Odd}]"},
		{"PUT /a/c/b?comp=lease", "MissingRequiredHeader [{HeaderName x-ms-lease-action}]"},
		{"PUT /a/c/b?comp=lease|x-ms-lease-action: steal", "InvalidHeaderValue [{HeaderName x-ms-lease-action} {HeaderValue steal}]"},
		{"PUT /a/c/b?comp=copy", "MissingRequiredQueryParameter [{QueryParameterName copyid}]"},
		{"POST /a/c/b", "UnsupportedHttpVerb []"},
		{"DELETE /a/c/b?comp=lease", "UnsupportedHttpVerb []"},
		{"TRACE /a/c/b?comp=odd", "UnsupportedHttpVerb []"},
		{"GET /a", "InvalidQueryParameterValue [{QueryParameterName comp} {QueryParameterValue } {Reason }]"},
		{"GET /a/c/b?comp=odd", "InvalidQueryParameterValue [{QueryParameterName comp} {QueryParameterValue odd} {Reason }]"},
		{"GET /a/c?restype=odd&comp=list", "InvalidQueryParameterValue [{QueryParameterName restype} {QueryParameterValue odd} {Reason }]"},
		{"GET /a/c/b?restype=container", "InvalidQueryParameterValue [{QueryParameterName restype} {QueryParameterValue container} {Reason }]"},
		{"GET /a/c/b?restype=container&comp=list", "InvalidQueryParameterValue [{QueryParameterName restype} {QueryParameterValue container} {Reason }]"},
		{"GET /a/c?restype=container&comp=odd", "InvalidQueryParameterValue [{QueryParameterName comp} {QueryParameterValue odd} {Reason }]"},
	}
	for _, tt := range tests {
		found, err := table.Match(parse(t, strings.Split(tt.request, "|")...))
		got := ""
		if e, ok := fault.Of(err); ok {
			got = fmt.Sprint(e.Code, " ", e.Details)
		} else {
			got = found.name
		}
		if got != tt.want {
			t.Errorf("%s:\n got  %s\n want %s", tt.request, got, tt.want)
		}
	}
}

func TestNewTableRefusesRowsItCannotTellApart(t *testing.T) {
	base := Selector{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-a", "1"}}}
	tests := map[string][]Selector{
		"the same twice":        {base, base},
		"general before":        {{Method: "PUT", Level: LevelBlob}, base},
		"presence before value": {{Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"X-Ms-A", ""}}}, base},
		"by any level":          {{Method: "GET,PUT", AnyLevel: true}, base},
		"unknown method":        {{Method: "FETCH"}},
		"no method":             {{}},
	}
	for name, selectors := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			NewTable(selectors, func(s *Selector) Selector { return *s })
		})
	}
	NewTable([]Selector{base, {Method: "PUT", Level: LevelBlob, Header: []HeaderIs{{"x-ms-a", "-"}}}, {Method: "PUT", Level: LevelBlob}},
		func(s *Selector) Selector { return *s })
}

func BenchmarkMatch(b *testing.B) {
	table := NewTable(rows, (*row).selector)
	r := parse(b, "PUT /a/c/b?comp=lease", "x-ms-lease-action: renew")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Match(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewRequest(b *testing.B) {
	raw := httptest.NewRequest(http.MethodPut, "/acct/container/some/blob%20name?comp=lease&timeout=30", nil)
	raw.Host = "127.0.0.1:10000"
	raw.Header.Set("x-ms-version", "2021-12-02")
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewRequest(w, raw, time.Time{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTarget(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTarget("acct.blob.core.windows.net:443", "/container/some/blob/name", nil); err != nil {
			b.Fatal(err)
		}
	}
}
