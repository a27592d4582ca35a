// Package query reads the queries of URLs. It is their only reader: the code that authorizes a
// request, the code that serves it, and the code that reads the source of a copy must see the same
// parameters, or a request could do something that its signature does not cover.
package query

import (
	"strings"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

// Param is one parameter: its name in lower case and its value, both decoded.
type Param struct{ Name, Value string }

// Query holds parameters in the order they were sent. Names are matched without regard to case, so
// look-ups take them in lower case.
type Query []Param

// maxParams is how many parameters a query may have. A signature with every field there is has 33,
// and no operation reads more than ten besides; the bound keeps the search for repeats short.
const maxParams = 100

// repeatable is the one parameter whose values may be sent one by one.
const repeatable = "include"

// Parse reads a query, in which a plus sign is a space. Values may be empty. A parameter other than
// include that is sent twice, in whatever case, is [fault.InvalidQueryParameterValue], as are more
// than 100 parameters, and a value that is not percent-encoded UTF-8; a name that is not is
// [fault.InvalidURI].
func Parse(raw string) (Query, error) {
	if raw == "" {
		return nil, nil
	}
	q, err := Append(make(Query, 0, min(strings.Count(raw, "&")+1, maxParams)), raw, true)
	if err != nil {
		return nil, err
	}
	for i := range q {
		if q[i].Name != repeatable && q[:i].Has(q[i].Name) {
			return nil, fault.InvalidQuery(q[i].Name, "", "The parameter is given more than once.")
		}
	}
	return q, nil
}

// Append appends the parameters of a raw query to dst. It splits at ampersands and nowhere else. A
// plus sign is a space if plusIsSpace, else itself. It refuses the same queries as [Parse], except
// for repeats.
func Append(dst Query, raw string, plusIsSpace bool) (Query, error) {
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, ok := Unescape(rawName, plusIsSpace)
		if !ok || !utf8.ValidString(name) {
			return dst, fault.InvalidURI
		}
		name = strings.ToLower(name)
		value, ok := Unescape(rawValue, plusIsSpace)
		if !ok || !utf8.ValidString(value) {
			return dst, fault.InvalidQuery(name, rawValue, "The value is not valid percent-encoded UTF-8.")
		}
		if len(dst) == maxParams {
			return dst, fault.InvalidQuery(name, "", "There are too many parameters.")
		}
		dst = append(dst, Param{name, value})
	}
	return dst, nil
}

// Named reports whether a raw query has a parameter. It reads names as [Append] does.
func Named(raw, name string) bool {
	for part := range strings.SplitSeq(raw, "&") {
		rawName, _, _ := strings.Cut(part, "=")
		if found, ok := Unescape(rawName, true); ok && strings.ToLower(found) == name {
			return true
		}
	}
	return false
}

// Get returns the first value of a parameter, or "".
func (q Query) Get(name string) string {
	for i := range q {
		if q[i].Name == name {
			return q[i].Value
		}
	}
	return ""
}

// Has reports whether a parameter was sent, be it empty.
func (q Query) Has(name string) bool {
	for i := range q {
		if q[i].Name == name {
			return true
		}
	}
	return false
}

// Values returns all values of a parameter in order.
func (q Query) Values(name string) []string {
	var all []string
	for i := range q {
		if q[i].Name == name {
			all = append(all, q[i].Value)
		}
	}
	return all
}

// Unescape decodes percent escapes once and, if plusIsSpace, plus signs. It returns s itself when
// there is nothing to decode. ok is false for a broken escape.
func Unescape(s string, plusIsSpace bool) (text string, ok bool) {
	i := 0
	for i < len(s) && s[i] != '%' && !(plusIsSpace && s[i] == '+') {
		i++
	}
	if i == len(s) {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+' && plusIsSpace:
			b.WriteByte(' ')
		case c != '%':
			b.WriteByte(c)
		default:
			if i+2 >= len(s) {
				return "", false
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi|lo > 0xF {
				return "", false
			}
			b.WriteByte(hi<<4 | lo)
			i += 2
		}
	}
	return b.String(), true
}

// unhex returns the value of a hexadecimal digit, or 0xFF.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}
