package main

import (
	"net/textproto"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// field is one request header. Name is in lower case.
type field struct {
	name, value string
	canonical   string // as net/http spells it
}

// call is one request, prepared so that repeating it with another path or another header value
// costs next to nothing. A call belongs to one worker: signing writes into it.
type call struct {
	method string
	path   string // escaped, begins with the account on path-style addresses
	query  string // raw, without the question mark
	body   []byte

	fields []field // plain headers first, then x-ms-* in signing order
	plain  int     // number of plain headers
	date   int     // index of x-ms-date in fields

	lines     string // the first twelve lines of the string to sign
	resource  string // what follows the path in the canonical resource
	leaseName string // value of x-ms-lease-action, empty for other requests
}

// newCall prepares a request. Headers are pairs of name and value; x-ms-date is added. Plain
// headers and the body are fixed from here on; the path and the values of x-ms-* headers may be
// changed between requests.
func newCall(method, path, query string, body []byte, headers ...string) *call {
	c := &call{method: method, path: path, query: query, body: body}
	var plain, ms []field
	for i := 0; i+1 < len(headers); i += 2 {
		f := field{name: strings.ToLower(headers[i]), value: headers[i+1]}
		f.canonical = textproto.CanonicalMIMEHeaderKey(f.name)
		if strings.HasPrefix(f.name, "x-ms-") {
			ms = append(ms, f)
		} else {
			plain = append(plain, f)
		}
	}
	ms = append(ms, field{name: "x-ms-date", canonical: "X-Ms-Date"})
	sort.SliceStable(ms, func(i, j int) bool { return headerLess(ms[i].name, ms[j].name) })
	c.plain, c.fields = len(plain), append(plain, ms...)
	c.date = c.index("x-ms-date")
	c.lines = standardLines(method, len(body), plain)
	c.resource = canonicalQuery(query)
	if i := c.index("x-ms-lease-action"); i >= 0 {
		c.leaseName = c.fields[i].value
	}
	return c
}

// index returns the place of a header, or -1.
func (c *call) index(name string) int {
	for i := range c.fields {
		if c.fields[i].name == name {
			return i
		}
	}
	return -1
}

// target returns the request target: path and query.
func (c *call) target() string {
	if c.query == "" {
		return c.path
	}
	return c.path + "?" + c.query
}

// standardLines returns the method and the eleven standard headers in signing order, each with its
// newline. A length of zero is signed as empty, and Date is empty because x-ms-date is always sent.
func standardLines(method string, length int, plain []field) string {
	value := func(name string) string {
		for _, f := range plain {
			if f.name == name {
				return f.value
			}
		}
		return ""
	}
	size := ""
	if length > 0 {
		size = strconv.Itoa(length)
	}
	return strings.Join([]string{method, value("content-encoding"), value("content-language"), size, value("content-md5"),
		value("content-type"), "", value("if-modified-since"), value("if-match"), value("if-none-match"),
		value("if-unmodified-since"), value("range")}, "\n") + "\n"
}

// canonicalQuery returns the query part of the canonical resource: for every parameter, sorted by
// lower-case name, a newline, the name, a colon and the decoded values joined with commas.
func canonicalQuery(raw string) string {
	values := map[string][]string{}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		name = strings.ToLower(name)
		values[name] = append(values[name], value)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, name := range names {
		sort.Strings(values[name])
		b.WriteString("\n" + name + ":" + strings.Join(values[name], ","))
	}
	return b.String()
}

// headerLess orders header names as the service does: hyphens do not count at first, punctuation
// sorts before digits and digits before letters.
func headerLess(a, b string) bool {
	i, j := 0, 0
	for {
		for i < len(a) && a[i] == '-' {
			i++
		}
		for j < len(b) && b[j] == '-' {
			j++
		}
		switch {
		case i == len(a) && j == len(b):
			return a < b
		case i == len(a) || j == len(b):
			return i == len(a)
		}
		if wa, wb := headerWeight(a[i]), headerWeight(b[j]); wa != wb {
			return wa < wb
		}
		i, j = i+1, j+1
	}
}

// headerWeight ranks one byte of a header name in lower case.
func headerWeight(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return 512 + int(c)
	case c >= '0' && c <= '9':
		return 256 + int(c)
	}
	return int(c)
}
