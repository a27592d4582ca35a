package auth

import (
	"slices"
	"strings"
)

// parameter is one name and value of a query, both decoded, the name in lower case.
type parameter struct{ name, value string }

// appendParameters splits a query at '&' only and appends its parts to dst in their order. A '+' is a space if plusIsSpace. What
// is not valid percent-encoding is taken literally: the signature decides, not the splitter.
func appendParameters(dst []parameter, raw string, plusIsSpace bool) []parameter {
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		dst = append(dst, parameter{strings.ToLower(unescape(name, plusIsSpace)), unescape(value, plusIsSpace)})
	}
	return dst
}

// sortParameters orders by name, and by value among those of one name.
func sortParameters(list []parameter) {
	slices.SortFunc(list, func(a, b parameter) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
}

// unescape decodes percent-encoding once. It returns s itself when there is nothing to decode.
func unescape(s string, plusIsSpace bool) string {
	if !strings.Contains(s, "%") && (!plusIsSpace || !strings.Contains(s, "+")) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
		case c == '+' && plusIsSpace:
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
