package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/httpdate"
)

// upper is a text type that accepts capitals only, refuses "fault" with a fault of its own, and
// reads "NONE" as nothing.
type upper string

func (u *upper) UnmarshalText(text []byte) error {
	switch s := string(text); {
	case s == "fault":
		return fault.InvalidInput
	case s != strings.ToUpper(s):
		return errors.New("not in capitals")
	case s == "NONE":
	default:
		*u = upper(s)
	}
	return nil
}

func (u upper) MarshalText() ([]byte, error) { return []byte("<" + u + ">"), nil }
func (u upper) IsZero() bool                 { return u == "" }

type conditions struct {
	IfMatch string `header:"If-Match"`
	Since   moment `header:"If-Modified-Since,lenient"`
}

type group struct {
	Inner int32 `header:"x-ms-inner"`
}

type everything struct {
	conditions
	group
	Name     string        `header:"x-ms-name,required"`
	Flag     bool          `header:"x-ms-flag"`
	Count    int64         `header:"x-ms-count"`
	Size     *uint64       `header:"x-ms-size"`
	Period   time.Duration `header:"x-ms-period"`
	MD5      []byte        `header:"Content-MD5"`
	When     *moment       `header:"x-ms-when"`
	Upper    upper         `header:"x-ms-upper"`
	UpperPtr *upper        `header:"x-ms-upper-ptr"`
	Range    Range         `header:"x-ms-range|Range"`
	Snapshot string        `query:"snapshot"`
	Max      int           `query:"maxresults"`
	Mixed    string        `query:"startFrom"`
	New      string        `query:"new,since=2026-02-06"`
	Meta     Metadata      `meta:"x-ms-meta-"`
}

// TestDecodeRefusesRepetition: nobody can tell which value is meant. Repeated parameters never come
// so far.
func TestDecodeRefusesRepetition(t *testing.T) {
	for _, r := range []*Request{
		parse(t, "PUT /a/c/b", "x-ms-name: n", "x-ms-name: n"),
		parse(t, "PUT /a/c/b", "x-ms-name: n", "Range: bytes=1-2", "Range: bytes=1-2"),
	} {
		full, ok := fault.Of(CompileArgs[everything]().Decode(r, new(everything)))
		if !ok || full.Status != 400 || full.Details[1].Value != "" {
			t.Errorf("%v: got %v", r.Header, full)
		}
	}
}

func TestDecode(t *testing.T) {
	r := parse(t, "PUT /a/c/b?Snapshot=s+1&maxresults=5&startFrom=m&new=n", "x-ms-name: n", "If-Match: *", "If-Modified-Since: Tue, 03 Mar 2026 08:00:00 GMT",
		"x-ms-flag: True", "x-ms-count: -7", "x-ms-size: 18446744073709551615", "x-ms-period: -1", "Content-MD5: AQID",
		"x-ms-when: Tuesday, 03-Mar-26 08:00:00 GMT", "x-ms-upper: UP", "x-ms-upper-ptr: PTR", "Range: bytes=1-2", "x-ms-inner: 3",
		"x-ms-meta-One: 1", "x-ms-meta-two_: ")
	r.MetaNames = func(canonical string) string {
		return map[string]string{"X-Ms-Meta-One": "x-ms-meta-oNe", "X-Ms-Meta-Two_": "wrong"}[canonical]
	}
	var got everything
	if err := CompileArgs[everything]().Decode(r, &got); err != nil {
		t.Fatal(err)
	}
	when := moment{time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	size, ptr := uint64(1<<64-1), upper("PTR")
	want := everything{
		conditions: conditions{IfMatch: "*", Since: when}, group: group{3}, Name: "n", Flag: true, Count: -7, Size: &size,
		Period: -time.Second, MD5: []byte{1, 2, 3}, When: &when, Upper: "UP", UpperPtr: &ptr, Range: between(1, 2),
		Snapshot: "s 1", Max: 5, Mixed: "m", Meta: Metadata{"oNe": "1", "two_": ""},
	}
	got.When.Time = got.When.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeAbsentAndLenient(t *testing.T) {
	var got everything
	r := parse(t, "PUT /a/c/b?maxresults=", "x-ms-name: n", "x-ms-count: ", "If-Modified-Since: null", "x-ms-range: items=1", "Range: bytes=5-")
	if err := CompileArgs[everything]().Decode(r, &got); err != nil {
		t.Fatal(err)
	}
	if want := (everything{Name: "n"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	type strict struct {
		Name  string `header:"x-ms-name"`
		Q     string `query:"where,required"`
		Upper upper  `header:"x-ms-source,required"`
	}
	args, stricter := CompileArgs[everything](), CompileArgs[strict]()
	tests := []struct{ request, want string }{
		{"PUT /a/b", "MissingRequiredHeader [{HeaderName x-ms-name}]"},
		{"PUT /a/b|x-ms-name: ", "MissingRequiredHeader [{HeaderName x-ms-name}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-flag: 1", "InvalidHeaderValue [{HeaderName x-ms-flag} {HeaderValue 1}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-count: 1.5", "InvalidHeaderValue [{HeaderName x-ms-count} {HeaderValue 1.5}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-inner: 3000000000", "InvalidHeaderValue [{HeaderName x-ms-inner} {HeaderValue 3000000000}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-size: -1", "InvalidHeaderValue [{HeaderName x-ms-size} {HeaderValue -1}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-period: soon", "InvalidHeaderValue [{HeaderName x-ms-period} {HeaderValue soon}]"},
		{"PUT /a/b|x-ms-name: n|Content-MD5: *", "InvalidHeaderValue [{HeaderName Content-MD5} {HeaderValue *}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-when: today", "InvalidHeaderValue [{HeaderName x-ms-when} {HeaderValue today}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-upper: low", "InvalidHeaderValue [{HeaderName x-ms-upper} {HeaderValue low}]"},
		{"PUT /a/b|x-ms-name: n|x-ms-upper: fault", "InvalidInput []"},
		{"PUT /a/b|x-ms-name: n|Range: bytes=9-1", "InvalidHeaderValue [{HeaderName x-ms-range} {HeaderValue bytes=9-1}]"},
		{"PUT /a/b?maxresults=x|x-ms-name: n", "InvalidQueryParameterValue [{QueryParameterName maxresults} {QueryParameterValue x} {Reason }]"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-: v", "EmptyMetadataKey []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-1a: v", "InvalidMetadata []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-a-b: v", "InvalidMetadata []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-a: caf\u00e9", "InvalidMetadata []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-a: caf\xe9", "InvalidMetadata []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-a: v|x-ms-meta-A: w", "InvalidMetadata []"},
		{"PUT /a/b|x-ms-name: n|x-ms-meta-a: " + strings.Repeat("v", MaxMetadata), "MetadataTooLarge []"},
		{"GET /a/b|x-ms-source: UP", "MissingRequiredQueryParameter [{QueryParameterName where}]"},
		{"GET /a/b?where=x|x-ms-source: NONE", "InvalidHeaderValue [{HeaderName x-ms-source} {HeaderValue NONE}]"},
	}
	for _, tt := range tests {
		r := parse(t, strings.Split(tt.request, "|")...)
		err := args.Decode(r, new(everything))
		if r.Method == "GET" {
			err = stricter.Decode(r, new(strict))
		}
		e, ok := fault.Of(err)
		if !ok {
			t.Errorf("%s: %v", tt.request, err)
		} else if got := fmt.Sprint(e.Code, " ", e.Details); got != tt.want {
			t.Errorf("%s:\n got  %s\n want %s", tt.request, got, tt.want)
		}
	}
}

func TestMetadataNamesThatDifferOnlyInCase(t *testing.T) {
	r := parse(t, "PUT /a/b")
	r.Header["x-ms-meta-a"], r.Header["x-ms-meta-A"] = []string{"1"}, []string{"2"}
	if _, err := decodeMetadata(r, "X-Ms-Meta-"); !errors.Is(err, fault.InvalidMetadata) {
		t.Error(err)
	}
	delete(r.Header, "x-ms-meta-a")
	if m, err := decodeMetadata(r, "X-Ms-Meta-"); err != nil || m["A"] != "2" {
		t.Errorf("%v, %v", m, err)
	}
}

type blockList struct {
	XMLName xml.Name `xml:"BlockList"`
	Latest  []string `xml:"Latest"`
}

type xmlArgs struct {
	List blockList `body:"xml,max=100,required"`
}

// withBody makes a request with a body; length -1 is chunked, -2 sends no length at all.
func withBody(t testing.TB, body string, length int64) *Request {
	r := parse(t, "PUT /a/c/b?comp=blocklist")
	r.Request.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), length
	switch length {
	case -2:
		r.ContentLength = 0
	default:
		r.Header.Set("Content-Length", fmt.Sprint(length))
	}
	return r
}

func TestDecodeXML(t *testing.T) {
	args := CompileArgs[xmlArgs]()
	for _, body := range []string{
		"<BlockList><Latest>QQ==</Latest></BlockList>",
		"\xEF\xBB\xBF<?xml version='1.0' encoding='UTF-8'?>\n<BlockList>\n<Latest>QQ==</Latest></BlockList>\n<!-- end -->",
	} {
		for _, length := range []int64{int64(len(body)), -1} {
			var got xmlArgs
			if err := args.Decode(withBody(t, body, length), &got); err != nil || len(got.List.Latest) != 1 || got.List.Latest[0] != "QQ==" {
				t.Errorf("%q: %+v, %v", body, got, err)
			}
		}
	}
	var lax struct {
		List *blockList `body:"xml"`
	}
	if err := CompileArgs[struct {
		List *blockList `body:"xml"`
	}]().Decode(withBody(t, "", 0), &lax); err != nil || lax.List != nil {
		t.Errorf("an empty body that is not required: %+v, %v", lax, err)
	}
	long := strings.Repeat(" ", 101)
	tests := []struct {
		body   string
		length int64
		want   string
	}{
		{"<BlockList>", 11, "InvalidXmlDocument [{LineNumber 1} {LinePosition 12} {Reason The document is not well formed.}]"},
		{"", 0, "InvalidXmlDocument [{LineNumber 1} {LinePosition 1} {Reason The document is not well formed.}]"},
		{"<Other/>", 8, "InvalidXmlDocument [{LineNumber 1} {LinePosition 9} {Reason The document does not have the expected content.}]"},
		{"<BlockList/><x/>", 16, "InvalidXmlDocument [{LineNumber 1} {LinePosition 17} {Reason The document does not have the expected content.}]"},
		{"<BlockList/>x", 13, "InvalidXmlDocument [{LineNumber 1} {LinePosition 14} {Reason The document does not have the expected content.}]"},
		{long, 101, "RequestBodyTooLarge [{MaxLimit 100}]"},
		{long, -1, "RequestBodyTooLarge [{MaxLimit 100}]"},
	}
	for _, tt := range tests {
		e, ok := fault.Of(args.Decode(withBody(t, tt.body, tt.length), new(xmlArgs)))
		if got := fmt.Sprint(e.Code, " ", e.Details); !ok || got != tt.want {
			t.Errorf("%q: got %s", tt.body, got)
		}
	}
}

func TestDecodeStream(t *testing.T) {
	type streamArgs struct {
		Body Body `body:"stream"`
	}
	type fullArgs struct {
		Body Body `body:"stream,required"`
	}
	var got streamArgs
	if err := CompileArgs[streamArgs]().Decode(withBody(t, "hello", -1), &got); err != nil || got.Body.Length != -1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if b, err := io.ReadAll(got.Body); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if err := CompileArgs[fullArgs]().Decode(withBody(t, "", 0), new(fullArgs)); !errors.Is(err, fault.InvalidHeaderValue) {
		t.Error(err)
	}
}

func TestCheckLength(t *testing.T) {
	for _, method := range []string{"PUT", "POST", "GET", "HEAD", "DELETE", "OPTIONS"} {
		for _, length := range []int64{-2, -1, 0, 5} {
			for _, version := range []int{1, 2} {
				for _, whole := range []*Request{nil, {}} {
					r := withBody(t, "", length)
					r.Method, r.ProtoMajor, r.PartOf = method, version, whole
					if length == -1 {
						r.Header.Del("Content-Length") // as net/http does with chunks
					}
					told := length >= 0 || length == -2 && version == 2
					want := told || method != "PUT" && method != "POST" || whole != nil
					err := r.CheckLength()
					if e, _ := fault.Of(err); (err == nil) != want || err != nil && fmt.Sprint(e.Code, e.Details) != "MissingContentLengthHeader[{HeaderName Content-Length}]" {
						t.Errorf("%s HTTP/%d length %d: %v", method, version, length, err)
					}
				}
			}
		}
	}
}

func TestCompilePanics(t *testing.T) {
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	panics("no tag", func() { CompileArgs[struct{ A string }]() })
	panics("unknown tag", func() {
		CompileArgs[struct {
			A string `cookie:"a"`
		}]()
	})
	panics("two tags", func() {
		CompileArgs[struct {
			A string `header:"a" query:"a"`
		}]()
	})
	panics("unknown option", func() {
		CompileArgs[struct {
			A string `header:"a,odd"`
		}]()
	})
	panics("no name", func() {
		CompileArgs[struct {
			A string `header:""`
		}]()
	})
	panics("unexported", func() {
		CompileArgs[struct {
			a string `header:"a"`
		}]()
	})
	panics("float", func() {
		CompileArgs[struct {
			A float64 `header:"a"`
		}]()
	})
	panics("twice", func() {
		CompileArgs[struct {
			A string `header:"x-a"`
			B string `header:"X-A"`
		}]()
	})
	panics("status in arguments", func() {
		CompileArgs[struct {
			A int `status:""`
		}]()
	})
	panics("query in results", func() {
		CompileResults[struct {
			A string `query:"a"`
		}]()
	})
	panics("metadata of another type", func() {
		CompileArgs[struct {
			A map[string]string `meta:"a"`
		}]()
	})
	panics("a body of an unknown kind", func() {
		CompileArgs[struct {
			A string `body:"json"`
		}]()
	})
	panics("not a struct", func() { CompileArgs[string]() })
}

type answer struct {
	ETag     string        `header:"ETag"`
	Modified moment        `header:"Last-Modified"`
	Count    int64         `header:"x-ms-count"`
	Zero     int64         `header:"x-ms-zero,always"`
	Flag     *bool         `header:"x-ms-flag"`
	Off      bool          `header:"x-ms-off"`
	Left     time.Duration `header:"x-ms-left"`
	MD5      []byte        `header:"Content-MD5"`
	Upper    upper         `header:"x-ms-upper"`
	New      string        `header:"x-ms-new,since=2021-12-02"`
	Meta     Metadata      `meta:"x-ms-meta-"`
	Status   int           `status:""`
	Content  Content       `body:"stream"`
}

// fixed is a Content.
type fixed struct {
	text   string
	closed int
}

func (c *fixed) Length() int64 { return int64(len(c.text)) }
func (c *fixed) Close() error  { c.closed++; return nil }
func (c *fixed) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, c.text)
	return int64(n), err
}

// sent renders what a request was answered with: the status, the headers in order, the body.
func sent(r *Request) string {
	w := r.Writer.(*httptest.ResponseRecorder)
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	w.Header().Write(&b)
	b.Write(w.Body.Bytes())
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "\r\n", "\n"), r.ID, "ID")
}

const common = "Date: Tue, 03 Mar 2026 08:00:00 GMT\n"

func TestWrite(t *testing.T) {
	no := false
	full := answer{
		ETag: `"0x1"`, Modified: moment{time.Date(2026, 3, 3, 7, 0, 0, 5, time.UTC)}, Count: 9, Flag: &no, Left: 14900 * time.Millisecond,
		MD5: []byte{1, 2, 3}, Upper: "UP", New: "new", Meta: Metadata{"oNe": "1"}, Status: 206, Content: &fixed{text: "hello"},
	}
	r := parse(t, "GET /a/c/b", "x-ms-version: 2021-12-02", "x-ms-client-request-id: mine")
	if err := CompileResults[answer]().Write(r, 200, &full); err != nil {
		t.Fatal(err)
	}
	want := `206
Content-Length: 5
Content-MD5: AQID
Date: Tue, 03 Mar 2026 08:00:00 GMT
ETag: "0x1"
Last-Modified: Tue, 03 Mar 2026 07:00:00 GMT
Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0
x-ms-client-request-id: mine
x-ms-count: 9
x-ms-flag: false
x-ms-left: 14
x-ms-meta-oNe: 1
x-ms-new: new
x-ms-request-id: ID
x-ms-upper: <UP>
x-ms-version: 2021-12-02
x-ms-zero: 0
hello`
	if got := sent(r); got != want {
		t.Errorf("got\n%s", got)
	}
	if full.Content.(*fixed).closed != 1 {
		t.Error("the content was not closed once")
	}
}

type (
	namedPart struct {
		Name string `header:"x-ms-name"`
	}
	surePart struct {
		Sure bool `header:"x-ms-sure,always"`
	}
	countPart struct {
		Count *int `header:"x-ms-count"`
	}
	groups struct {
		namedPart
		surePart
		nestedPart
		Last string `header:"x-ms-last"`
	}
	nestedPart struct {
		countPart
		Hash []byte `header:"x-ms-hash"`
	}
)

// TestWriteGroups: what a group says does not depend on whether others of its members, or of
// those around it, say something.
func TestWriteGroups(t *testing.T) {
	const rest = "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\n"
	for v, want := range map[*groups]string{
		{}:                                     rest + "x-ms-request-id: ID\nx-ms-sure: false\n",
		{namedPart: namedPart{"n"}, Last: "l"}: rest + "x-ms-last: l\nx-ms-name: n\nx-ms-request-id: ID\nx-ms-sure: false\n",
		{nestedPart: nestedPart{countPart: countPart{new(int)}}}:            rest + "x-ms-count: 0\nx-ms-request-id: ID\nx-ms-sure: false\n",
		{nestedPart: nestedPart{Hash: []byte{1}}, surePart: surePart{true}}: rest + "x-ms-hash: AQ==\nx-ms-request-id: ID\nx-ms-sure: true\n",
	} {
		r := parse(t, "HEAD /a/c/b")
		if err := CompileResults[groups]().Write(r, 200, v); err != nil {
			t.Fatal(err)
		}
		if got, want := sent(r), "200\n"+common+want+"x-ms-version: 2014-02-14\n"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestWriteLittle(t *testing.T) {
	const rest = "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\nx-ms-request-id: ID\nx-ms-version: 2019-12-12\nx-ms-zero: 0\n"
	tests := []struct {
		request string
		status  int
		v       answer
		want    string
	}{
		{"PUT /a/c/b", 201, answer{New: "not yet"}, "201\nContent-Length: 0\n" + common + rest},
		{"GET /a/c/b", 200, answer{Content: &fixed{}}, "200\nContent-Length: 0\n" + common + rest},
		{"HEAD /a/c/b", 200, answer{}, "200\n" + common + rest},
		{"HEAD /a/c/b", 200, answer{Content: &fixed{text: "hello"}}, "200\nContent-Length: 5\n" + common + rest},
		{"GET /a/c/b", 200, answer{Status: 204, Content: &fixed{}}, "204\n" + common + rest},
	}
	for _, tt := range tests {
		r := parse(t, tt.request, "x-ms-version: 2019-12-12")
		if err := CompileResults[answer]().Write(r, tt.status, &tt.v); err != nil {
			t.Fatal(err)
		}
		if got := sent(r); got != tt.want {
			t.Errorf("%s: got\n%s", tt.request, got)
		}
	}
}

type handmade struct{ n int }

func (h *handmade) AppendXML(dst []byte) []byte { return fmt.Appendf(dst, "<N>%d</N>", h.n) }

func TestWriteXML(t *testing.T) {
	type byHand struct {
		Body *handmade `body:"xml"`
	}
	type byReflection struct {
		Body blockList `body:"xml"`
	}
	r := parse(t, "GET /a/c/b")
	if err := CompileResults[byHand]().Write(r, 200, &byHand{&handmade{7}}); err != nil {
		t.Fatal(err)
	}
	if got := sent(r); !strings.HasPrefix(got, "200\nContent-Length: 49\nContent-Type: application/xml\n") || !strings.HasSuffix(got, "\n"+XMLHeader+"<N>7</N>") {
		t.Errorf("got\n%s", got)
	}
	r = parse(t, "GET /a/c/b")
	if err := CompileResults[byReflection]().Write(r, 200, &byReflection{blockList{Latest: []string{"a&b"}}}); err != nil {
		t.Fatal(err)
	}
	if got := sent(r); !strings.HasSuffix(got, "\n"+XMLHeader+"<BlockList><Latest>a&amp;b</Latest></BlockList>") {
		t.Errorf("got\n%s", got)
	}
	r = parse(t, "GET /a/c/b")
	if err := CompileResults[byHand]().Write(r, 200, &byHand{}); err != nil || !strings.HasPrefix(sent(r), "200\nContent-Length: 0\n") {
		t.Errorf("got %v\n%s", err, sent(r))
	}
}

func TestFields(t *testing.T) {
	got := fmt.Sprint(Fields(reflect.TypeFor[struct {
		conditions
		Range Range    `header:"x-ms-range|Range,required"`
		Q     *int64   `query:"maxresults"`
		Meta  Metadata `meta:"x-ms-meta-"`
	}]()))
	want := "[{If-Match  header string string false } {If-Modified-Since  header text wire.moment false } " +
		"{x-ms-range Range header text wire.Range true } {maxresults  query integer *int64 false } {x-ms-meta-  metadata string wire.Metadata false }]"
	if got != want {
		t.Errorf("got %s", got)
	}
}

func BenchmarkDecode(b *testing.B) {
	args := CompileArgs[everything]()
	r := parse(b, "PUT /a/c/b?maxresults=5", "x-ms-name: n", "If-Match: *", "If-Modified-Since: Tue, 03 Mar 2026 08:00:00 GMT",
		"x-ms-flag: true", "x-ms-count: 7", "x-ms-size: 18", "x-ms-period: 15", "Content-MD5: AQID", "x-ms-when: Tue, 03 Mar 2026 08:00:00 GMT",
		"x-ms-upper: UP", "x-ms-range: bytes=1-2", "x-ms-inner: 3")
	b.ReportAllocs()
	for b.Loop() {
		var into everything
		if err := args.Decode(r, &into); err != nil {
			b.Fatal(err)
		}
	}
}

// bare is a writer that keeps nothing.
type bare struct{ h http.Header }

func (w bare) Header() http.Header         { return w.h }
func (w bare) Write(p []byte) (int, error) { return len(p), nil }
func (w bare) WriteHeader(int)             {}

func BenchmarkWrite(b *testing.B) {
	no := false
	v := answer{
		ETag: `"0x1"`, Modified: moment{time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC)}, Count: 9, Flag: &no, Left: time.Second,
		MD5: []byte{1, 2, 3}, Upper: "UP", New: "new", Content: &fixed{text: "hello"},
	}
	results := CompileResults[answer]()
	r := parse(b, "GET /a/c/b", "x-ms-client-request-id: mine")
	h := make(http.Header, 32)
	r.Writer = bare{h}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		r.nvalues = 0
		if err := results.Write(r, 200, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// moment is a time that reads and writes itself, in whole seconds.
type moment struct{ time.Time }

// UnmarshalText reads a date of HTTP.
func (m *moment) UnmarshalText(text []byte) (err error) {
	m.Time, err = http.ParseTime(string(text))
	return err
}

// AppendText writes a date of HTTP.
func (m moment) AppendText(dst []byte) ([]byte, error) { return httpdate.Append(dst, m.Time), nil }

// MarshalText is AppendText.
func (m moment) MarshalText() ([]byte, error) { return m.AppendText(nil) }
