package wire

import (
	"strings"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

// Param is one query parameter: its name in lower case and its value, both decoded.
type Param struct{ Name, Value string }

// Query holds the query parameters in the order they were sent. Names are matched without regard to case, so look-ups take
// them in lower case.
type Query []Param

// ParseQuery splits a raw query at its ampersands and nowhere else, and decodes plus signs as spaces. Values may be empty. A
// broken escape or text that is not UTF-8 is [fault.InvalidQueryParameterValue], or [fault.InvalidURI] in a name.
func ParseQuery(raw string) (Query, error) {
	if raw == "" {
		return nil, nil
	}
	q := make(Query, 0, strings.Count(raw, "&")+1)
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, ok := unescape(rawName, true)
		if !ok || !utf8.ValidString(name) {
			return nil, fault.InvalidURI
		}
		name = strings.ToLower(name)
		value, ok := unescape(rawValue, true)
		if !ok || !utf8.ValidString(value) {
			return nil, fault.InvalidQuery(name, rawValue, "The value is not valid percent-encoded UTF-8.")
		}
		q = append(q, Param{name, value})
	}
	return q, nil
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

// times returns how often a parameter was sent.
func (q Query) times(name string) (n int) {
	for i := range q {
		if q[i].Name == name {
			n++
		}
	}
	return n
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
