package auth

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// Protocol versions from which a rule of Shared Key holds.
const (
	zeroLengthIsEmpty  = "2015-02-21" // a Content-Length of 0 is signed as an empty line
	emptyHeaderIsNamed = "2016-05-31" // an x-ms- header without a value is signed by its name
)

// signedHeaders are the lines 2 to 12 of a string-to-sign, in order.
var signedHeaders = [...]string{
	"Content-Encoding", "Content-Language", "Content-Length", "Content-Md5", "Content-Type", "Date",
	"If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
}

// liteHeaders are the lines 2 to 4 of a Shared Key Lite string-to-sign.
var liteHeaders = [...]string{"Content-Md5", "Content-Type", "Date"}

// header is an x-ms- header; its name is in canonical form.
type header struct{ name, value string }

// form is one way to write what a request signs. Shipped clients differ in these points; the first
// form, the zero value with the path of the request line, is the documented one.
type form struct {
	path      string
	bare      bool // the account is not put before the path
	keepPlus  bool // '+' in the query is a plus, not a space
	byteOrder bool // headers are sorted by bytes, not by culture
}

// canon writes the strings-to-sign of one request.
type canon struct {
	req     *Request
	lite    bool
	headers []header
	params  query.Query
	text    []byte
}

var canons = sync.Pool{New: func() any { return new(canon) }}

// newCanon collects the headers of a request. It refuses a request that repeats a signed header,
// because only one of the values would be signed. The caller releases the result.
func newCanon(req *Request, lite bool) (*canon, error) {
	c := canons.Get().(*canon)
	c.req, c.lite = req, lite
	for _, name := range signedHeaders {
		if len(req.Header[name]) > 1 {
			c.release()
			return nil, repeated(name)
		}
	}
	for name, values := range req.Header {
		if len(name) <= 5 || !strings.EqualFold(name[:5], "X-Ms-") {
			continue
		}
		if len(values) > 1 {
			c.release()
			return nil, repeated(name)
		}
		value := strings.Trim(first(values), " \t")
		if value != "" || req.Version >= emptyHeaderIsNamed {
			c.headers = append(c.headers, header{name, value})
		}
	}
	return c, nil
}

// repeated returns the error for a repeated header. It leaves out the values, since one of them may
// be a secret.
func repeated(name string) error {
	return fault.InvalidHeader(strings.ToLower(name), "")
}

func (c *canon) release() {
	clear(c.headers)
	clear(c.params)
	c.req, c.headers, c.params, c.text = nil, c.headers[:0], c.params[:0], c.text[:0]
	canons.Put(c)
}

// write returns the string-to-sign in the given form. It is valid until the next call.
func (c *canon) write(f form) []byte {
	compare := compareCulture
	if f.byteOrder {
		compare = compareBytes
	}
	slices.SortFunc(c.headers, func(a, b header) int { return compare(a.name, b.name) })

	c.text = append(append(c.text[:0], c.req.Method...), '\n')
	lines := signedHeaders[:]
	if c.lite {
		lines = liteHeaders[:]
	}
	for _, name := range lines {
		c.text = append(c.appendLine(c.text, name), '\n')
	}
	for _, h := range c.headers {
		for _, b := range []byte(h.name) {
			c.text = append(c.text, lower(b))
		}
		c.text = append(append(append(c.text, ':'), h.value...), '\n')
	}
	c.appendResource(f)
	return c.text
}

// appendLine appends the value of a header as it is signed.
func (c *canon) appendLine(text []byte, name string) []byte {
	values := c.req.Header[name]
	switch name {
	case "Content-Length":
		if c.req.ContentLength > 0 || c.req.ContentLength == 0 && len(values) > 0 && c.req.Version < zeroLengthIsEmpty {
			return strconv.AppendInt(text, c.req.ContentLength, 10)
		}
		return text
	case "Date":
		if len(c.req.Header["X-Ms-Date"]) > 0 {
			return text
		}
	}
	return append(text, first(values)...)
}

// appendResource appends the canonicalized resource.
func (c *canon) appendResource(f form) {
	if !f.bare {
		c.text = append(append(c.text, '/'), c.req.Account...)
	}
	c.text = append(c.text, f.path...)
	if c.req.RawQuery == "" {
		return
	}
	var err error
	if c.params, err = query.Append(c.params[:0], c.req.RawQuery, !f.keepPlus); err != nil {
		c.text = c.text[:0] // nobody signs a query that can't be read
		return
	}
	if c.lite {
		if i := slices.IndexFunc(c.params, func(p query.Param) bool { return p.Name == "comp" }); i >= 0 {
			c.text = append(append(c.text, "?comp="...), c.params[i].Value...)
		}
		return
	}
	sortParameters(c.params)
	for i, p := range c.params {
		if i > 0 && p.Name == c.params[i-1].Name {
			c.text = append(append(c.text, ','), p.Value...)
			continue
		}
		c.text = append(append(c.text, '\n'), p.Name...)
		c.text = append(append(c.text, ':'), p.Value...)
	}
}

// documented is the form that the documentation describes.
func (c *canon) documented() form { return form{path: orSlash(c.req.RawPath)} }

// others yields the forms that shipped clients sign besides the documented one. They are tried only
// if the documented form does not match, so they cost nothing on the usual path.
func (c *canon) others(reencoded bool) iter.Seq[form] {
	return func(yield func(form) bool) {
		plus := strings.Contains(c.req.RawQuery, "+")
		for i, base := range c.paths(reencoded) {
			for v := range 4 {
				f := base
				f.byteOrder, f.keepPlus = v&1 != 0, v&2 != 0
				if i == 0 && v == 0 || f.keepPlus && !plus || f.byteOrder && !c.orderMatters() {
					continue
				}
				if !yield(f) {
					return
				}
			}
		}
	}
}

// orderMatters reports whether the two orders of header names differ for this request.
func (c *canon) orderMatters() bool {
	return !slices.IsSortedFunc(c.headers, func(a, b header) int { return compareBytes(a.name, b.name) }) ||
		!slices.IsSortedFunc(c.headers, func(a, b header) int { return compareCulture(a.name, b.name) })
}

// paths returns the ways to write account and path, the documented one first.
func (c *canon) paths(reencoded bool) []form {
	list := []form{c.documented()}
	if c.req.PathStyle && c.req.Account == devAccount {
		list = append(list, form{path: c.req.RawPath, bare: true})
	}
	if secondary := "/" + c.req.Account + "-secondary"; c.req.PathStyle && c.req.Secondary {
		if rest, ok := strings.CutPrefix(c.req.RawPath, secondary); ok {
			list = append(list, form{path: "/" + c.req.Account + rest})
		}
	}
	if reencoded {
		for _, f := range list[:len(list):len(list)] {
			for _, path := range []string{encodeMinimally(f.path), encodeMarks(f.path)} {
				if path != f.path {
					list = append(list, form{path: path, bare: f.bare})
				}
			}
		}
	}
	return list
}

// devAccount is the well-known account of emulators, which some clients sign once although it also
// begins the path.
const devAccount = "devstoreaccount1"

// encodeMinimally decodes every escaped character that may stand in a path as it is, the slash
// excepted.
func encodeMinimally(path string) string {
	return rewriteEscapes(path, func(c byte) bool { return isPathCharacter(c) }, func(byte) bool { return false })
}

// encodeMarks decodes the same characters, but escapes the marks that clients disagree about.
func encodeMarks(path string) string {
	mark := func(c byte) bool { return strings.IndexByte("(),'!*~", c) >= 0 }
	return rewriteEscapes(path, func(c byte) bool { return isPathCharacter(c) && !mark(c) }, mark)
}

// rewriteEscapes decodes the escapes of characters that decode names and escapes the plain
// characters that encode names.
func rewriteEscapes(path string, decode, encode func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		escaped := c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2])
		if escaped {
			c = unhex(path[i+1])<<4 | unhex(path[i+2])
			i += 2
		}
		if escaped && !decode(c) || !escaped && encode(c) {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// isPathCharacter reports whether c may stand in a path segment unescaped (RFC 3986, section 3.3).
func isPathCharacter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
