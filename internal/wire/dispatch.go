package wire

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Selector says which requests belong to a row of a [Table].
type Selector struct {
	// Method is a method, or several with commas between. A row for OPTIONS matches any restype and
	// comp, because a preflight carries the ones of the request that it asks about.
	Method   string
	Level    Level
	AnyLevel bool // every level; Level is ignored
	// Restype and Comp are the values of these parameters, compared without case; "" stands for
	// absent or empty.
	Restype, Comp string
	// Query names parameters, in lower case, that must be present and not empty. "name=value"
	// demands the value as well, without regard to case, as in "deletetype=permanent".
	Query []string
	// Header holds conditions on header fields, all of which must hold.
	Header []HeaderIs
}

// HeaderIs is a condition on a header field.
type HeaderIs struct {
	Name string
	// Value is "" if the field must be present, "-" if it must be absent, else the value that it
	// must have, without regard to case.
	Value string
}

// holds reports whether the condition holds. Name must be canonical.
func (c HeaderIs) holds(h http.Header) bool {
	sent := headerValue(h, c.Name)
	switch c.Value {
	case "":
		return sent != ""
	case "-":
		return sent == ""
	}
	return strings.EqualFold(sent, c.Value)
}

// headerValue returns the value of a field whose name is canonical, "" if it was not sent. Several
// values are joined by commas, as HTTP defines.
func headerValue(h http.Header, canonical string) string {
	switch v := h[canonical]; len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		return strings.Join(v, ",")
	}
}

// route is the key under which rows are looked up.
type route struct {
	method        string
	level         Level
	restype, comp string
}

// candidate is a row of a route, with the further conditions of the row.
type candidate[T any] struct {
	row    *T
	query  []string
	header []HeaderIs
}

// matches reports whether a request meets the conditions of the row.
func (c *candidate[T]) matches(r *Request) bool {
	for _, q := range c.query {
		name, value, valued := strings.Cut(q, "=")
		if sent := r.Query.Get(name); sent == "" || valued && !strings.EqualFold(sent, value) {
			return false
		}
	}
	for _, h := range c.header {
		if !h.holds(r.Header) {
			return false
		}
	}
	return true
}

// covers reports whether every request that matches d matches c as well, so that d behind c would
// never be reached.
func (c *candidate[T]) covers(d *candidate[T]) bool {
	for _, q := range c.query {
		implied := func(e string) bool { return e == q || strings.HasPrefix(e, q+"=") }
		if !slices.ContainsFunc(d.query, implied) {
			return false
		}
	}
	for _, h := range c.header {
		implied := slices.ContainsFunc(d.header, func(e HeaderIs) bool {
			return e.Name == h.Name && (strings.EqualFold(e.Value, h.Value) || h.Value == "" && e.Value != "-")
		})
		if !implied {
			return false
		}
	}
	return true
}

// area is a level with a restype.
type area struct {
	level   Level
	restype string
}

// choice holds the rows of a route.
type choice[T any] struct {
	candidates []candidate[T]
	headers    []string // canonical names of the header fields by which they differ
}

// Table finds the row that a request belongs to.
type Table[T any] struct {
	places   map[route]*choice[T]
	restypes map[area]bool // that have a row at all
}

// methods lists the methods that may have rows; others are answered as unknown.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodPatch,
}

// NewTable builds a table of all rows; sel returns the selector of a row. Rows for the same method,
// level, restype and comp are tried in order, so the specific ones come first. NewTable panics on a
// row that can't be reached because an earlier row takes all its requests.
func NewTable[T any](all []T, sel func(*T) Selector) *Table[T] {
	t := &Table[T]{places: map[route]*choice[T]{}, restypes: map[area]bool{}}
	for i := range all {
		s := sel(&all[i])
		c := candidate[T]{row: &all[i], query: s.Query}
		for _, h := range s.Header {
			c.header = append(c.header, HeaderIs{textproto.CanonicalMIMEHeaderKey(h.Name), h.Value})
		}
		for method := range strings.SplitSeq(s.Method, ",") {
			for l := range Level(levels) {
				if s.AnyLevel || l == s.Level {
					t.add(route{method, l, strings.ToLower(s.Restype), strings.ToLower(s.Comp)}, c)
				}
			}
		}
	}
	return t
}

// add appends a row to the rows of its route.
func (t *Table[T]) add(p route, c candidate[T]) {
	if !slices.Contains(methods, p.method) {
		panic(fmt.Sprintf("wire: row for method %q", p.method))
	}
	at := t.places[p]
	if at == nil {
		at = &choice[T]{}
		t.places[p] = at
	}
	for _, earlier := range at.candidates {
		if earlier.covers(&c) {
			panic(fmt.Sprintf("wire: %v %v can never be reached behind %v", p, c.header, earlier.header))
		}
	}
	at.candidates = append(at.candidates, c)
	for _, h := range c.header {
		if !slices.Contains(at.headers, h.Name) {
			at.headers = append(at.headers, h.Name)
		}
	}
	t.restypes[area{p.level, p.restype}] = true
}

// Match returns the row that a request belongs to. If there is none, the error names the cause: the
// method ([fault.UnsupportedHTTPVerb]), restype or comp ([fault.InvalidQueryParameterValue]), or
// the parameter or header that the last row of the route demands. A header by which the rows of a
// route differ must not be empty, whatever row there is: [fault.InvalidHeaderValue].
func (t *Table[T]) Match(r *Request) (*T, error) {
	p := route{r.Method, r.Level, lowered(r.Query.Get("restype")), lowered(r.Query.Get("comp"))}
	if r.Method == http.MethodOptions {
		p.restype, p.comp = "", ""
	}
	found := t.places[p]
	if found == nil {
		return nil, t.misplaced(p, r)
	}
	if err := found.valued(r); err != nil {
		return nil, err
	}
	for i := range found.candidates {
		if found.candidates[i].matches(r) {
			return found.candidates[i].row, nil
		}
	}
	return nil, found.candidates[len(found.candidates)-1].refuse(r)
}

// valued refuses an empty header by which the rows differ: it leaves open which row the request is
// for.
func (c *choice[T]) valued(r *Request) error {
	for _, name := range c.headers {
		if len(r.Header[name]) > 0 && headerValue(r.Header, name) == "" {
			return fault.InvalidHeader(strings.ToLower(name), "")
		}
	}
	return nil
}

// lowered is strings.ToLower with a fast path for the short values that nearly all requests carry.
func lowered(s string) string {
	for i := range len(s) {
		if c := s[i]; c < 'a' || c > 'z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// misplaced returns the error for a request whose route has no row.
func (t *Table[T]) misplaced(p route, r *Request) error {
	for _, m := range methods {
		if p.method = m; m != http.MethodOptions && t.places[p] != nil {
			return fault.UnsupportedHTTPVerb
		}
	}
	if !slices.Contains(methods, r.Method) {
		return fault.UnsupportedHTTPVerb
	}
	name := "comp"
	if p.restype != "" && (p.comp == "" || !t.restypes[area{p.level, p.restype}]) {
		name = "restype"
	}
	return fault.InvalidQuery(name, r.Query.Get(name), "")
}

// refuse returns the error for the condition of the row that a request does not meet.
func (c *candidate[T]) refuse(r *Request) error {
	for _, q := range c.query {
		switch name, value, valued := strings.Cut(q, "="); {
		case r.Query.Get(name) == "":
			return fault.MissingQuery(name)
		case valued && !strings.EqualFold(r.Query.Get(name), value):
			return fault.InvalidQuery(name, r.Query.Get(name), "")
		}
	}
	for _, h := range c.header {
		if h.holds(r.Header) {
			continue
		}
		name := strings.ToLower(h.Name)
		switch sent := headerValue(r.Header, h.Name); {
		case sent == "":
			return fault.MissingHeader(name)
		case h.Value == "-":
			return fault.UnsupportedHeaderNamed(name, sent)
		default:
			return fault.InvalidHeader(name, sent)
		}
	}
	return fault.InternalError
}
