package service_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
	"github.com/leasehold/leasehold/test/sheet"
)

// errorBody is the body of an error with everything that may name what is to blame.
type errorBody struct {
	Code, Message                  string
	HeaderName, HeaderValue        string
	QueryParameterName             string
	QueryParameterValue            string
	MinimumAllowed, MaximumAllowed string
	XMLNodeName                    string `xml:"XmlNodeName"`
	MaxLimit                       string
}

// refusedFor tells what an answer lacks to be the given refusal that names a header or
// parameter and its value: "" if nothing.
func (s *store) refusedFor(a *answer, code, name, value, method string) string {
	if a.code() != code || a.status != fault.Code(code).Status() {
		return fmt.Sprintf("%d %s, want %s", a.status, a.code(), code)
	}
	if method == "HEAD" {
		return ""
	}
	var e errorBody
	if err := xml.Unmarshal(bytes.TrimPrefix(a.body, []byte("\xEF\xBB\xBF")), &e); err != nil {
		return err.Error()
	}
	named, valued := e.HeaderName+e.QueryParameterName, e.HeaderValue+e.QueryParameterValue
	if e.Code != code || !strings.EqualFold(named, name) || valued != value {
		return fmt.Sprintf("%s names %q with %q", e.Code, named, valued)
	}
	return ""
}

// TestMalformedFields sends every operation every value of testdata/fields.md for every
// header and parameter that its arguments have.
func TestMalformedFields(t *testing.T) {
	sheets := map[string]sheet.Sheet{"header": sheet.Read(t, fieldSheets, "headers"), "query": sheet.Read(t, fieldSheets, "parameters")}
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			f := &fieldTrial{sample: s, t: t, store: s.store(t)}
			f.remake()
			fields := f.op.Arguments()
			if strings.HasPrefix(s.name, "List ") || strings.HasPrefix(s.name, "Find ") {
				fields = append(fields, wire.Field{In: "query", Name: "include"})
			}
			for _, field := range fields {
				values, ok := sheets[field.In]
				if !ok || s.name == "List leases" && field.Name == "include" {
					continue
				}
				f.try(field, fieldRow(t, values, field.Name, f.op))
			}
			f.tryAddress(fields)
			f.tryEmpty(fields)
		})
	}
}

const fieldSheets = "testdata/fields.md"

// fieldRow finds the row of a header or parameter.
func fieldRow(t *testing.T, s sheet.Sheet, name string, op *service.Operation) []string {
	for _, row := range s.Rows {
		if row[0] == name+" on "+op.Name || op.On.Level == wire.LevelService && row[0] == name+" on the service" {
			return row
		}
	}
	return s.Row(t, name)
}

// fieldTrial tries malformed values on one sample.
type fieldTrial struct {
	sample
	t      *testing.T
	store  *store
	n      int
	place  *place
	ask    ask
	op     *service.Operation
	before string
}

// remake makes a place, at first and after something was changed.
func (f *fieldTrial) remake() {
	f.n++
	f.place = f.sample.at(f.store, f.n)
	f.ask = f.sample.ask(f.place)
	f.op = f.place.row(f.ask)
	f.before = f.place.dump()
}

// refuses sends a request that has to be refused, and makes sure that nothing changed.
func (f *fieldTrial) refuses(what string, a ask, check func(*answer) string) {
	f.t.Helper()
	got := f.place.send(a)
	if problem := check(got); problem != "" {
		f.t.Errorf("%s: %s", what, problem)
	}
	if f.place.dump() != f.before {
		f.t.Errorf("%s: answered %d and changed something", what, got.status)
		f.remake()
	}
}

// with returns the request with one field set; values of parameters are in the escaped form.
func with(a ask, field wire.Field, value string) ask {
	if field.In == "header" {
		a.headers = append(a.headers[:len(a.headers):len(a.headers)], field.Name, value)
		return a
	}
	path, query, _ := strings.Cut(a.target, "?")
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); part != "" && name != field.Name {
			parts = append(parts, part)
		}
	}
	a.target = path + "?" + strings.Join(append(parts, field.Name+"="+value), "&")
	return a
}

func (f *fieldTrial) invalid(in string) string {
	if in == "header" {
		return "InvalidHeaderValue"
	}
	return "InvalidQueryParameterValue"
}

// try sends the values of a row.
func (f *fieldTrial) try(field wire.Field, row []string) {
	f.t.Helper()
	for i, text := range strings.Split(row[1], "`") {
		if i%2 == 0 {
			continue
		}
		f.refuses(field.Name+" "+text, with(f.ask, field, text), func(a *answer) string {
			value := text
			if field.In == "query" {
				value, _ = url.QueryUnescape(text)
			}
			return f.place.refusedFor(a, f.invalid(field.In), field.Name, value, f.ask.method)
		})
	}
	cells := strings.Split(row[2], "`")
	for i := 1; i < len(cells); i += 2 {
		code := strings.Trim(cells[i+1], " ,")
		f.refuses(field.Name+" "+cells[i], with(f.ask, field, cells[i]), func(a *answer) string {
			if a.code() != code || a.status < 400 || a.status >= 500 {
				return fmt.Sprintf("%d %s, want %s", a.status, a.code(), code)
			}
			return ""
		})
	}
	f.tryTwice(field)
}

// tryTwice sends the field twice.
func (f *fieldTrial) tryTwice(field wire.Field) {
	if field.Name == "include" || field.Name == "Content-Length" {
		return
	}
	a := with(f.ask, field, "A")
	if field.In == "query" {
		a.target += "&" + field.Name + "=B"
	} else {
		a.headers = append(a.headers, "+"+field.Name, "B")
	}
	f.refuses(field.Name+" twice", a, func(got *answer) string {
		return f.place.refusedFor(got, f.invalid(field.In), field.Name, "", a.method)
	})
}

// tryEmpty sends required fields empty, and then all optional ones at once.
func (f *fieldTrial) tryEmpty(fields []wire.Field) {
	all := f.ask
	for _, field := range fields {
		switch {
		case field.In != "header" && field.In != "query" || field.Name == "Content-Length" || selects(f.op, field.Name),
			field.Required && slices.Contains(f.op.On.Query, field.Name):
		case field.Required:
			f.refuses(field.Name+" empty", with(f.ask, field, ""), func(a *answer) string {
				code := map[string]string{"header": "MissingRequiredHeader", "query": "MissingRequiredQueryParameter"}[field.In]
				return f.place.refusedFor(a, code, field.Name, "", f.ask.method)
			})
		case !slices.Contains(f.ask.headers, field.Name) && !strings.Contains(f.ask.target, field.Name+"="):
			all = with(all, field, "")
		}
	}
	if a := f.place.send(all); !f.succeeded(f.op, a) {
		f.t.Errorf("with every optional field empty: %d %s\n%s", a.status, a.code(), a.body)
	}
}

// tryAddress names a snapshot or version to operations that work on the base blob only
// (docs/reference/conditions-and-errors.md 2.4).
func (f *fieldTrial) tryAddress(fields []wire.Field) {
	if f.op.On.Level != wire.LevelBlob || f.op.On.AnyLevel {
		return
	}
	for _, name := range []string{"snapshot", "versionid"} {
		if slices.ContainsFunc(fields, func(field wire.Field) bool { return field.Name == name }) {
			continue
		}
		const at = "2026-03-03T08:00:00.0000000Z"
		f.refuses(name, with(f.ask, wire.Field{In: "query", Name: name}, at), func(a *answer) string {
			return f.place.refusedFor(a, "InvalidQueryParameterValue", name, at, f.ask.method)
		})
	}
}

// selects tells whether a header decides which operation a request is for.
func selects(op *service.Operation, name string) bool {
	return slices.ContainsFunc(op.On.Header, func(h wire.HeaderIs) bool { return h.Name == name })
}
