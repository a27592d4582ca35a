package wire

import (
	"unicode/utf8"
)

// XMLHeader starts every XML body that the service sends: a byte-order mark and the declaration.
const XMLHeader = "\xEF\xBB\xBF" + `<?xml version="1.0" encoding="utf-8"?>`

// encodedSince is the first version that lists names which XML cannot hold in percent-encoded form.
const encodedSince Version = "2021-02-12"

// AppendXMLText appends s as character data or as an attribute value in double quotes. What XML 1.0
// cannot hold becomes U+FFFD.
func AppendXMLText[T string | []byte](dst []byte, s T) []byte {
	if plain(s) {
		return append(dst, s...)
	}
	from := 0
	for i := 0; i < len(s); {
		if plainBytes[s[i]] {
			i++
			continue
		}
		r, width := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		}
		if sub := escape(r, width); sub != "" {
			dst = append(append(dst, s[from:i]...), sub...)
			from = i + width
		}
		i += width
	}
	return append(dst, s[from:]...)
}

// plain reports whether s needs no escaping in XML, which is so for almost every text. It may
// report false for text that is not ASCII.
func plain[T string | []byte](s T) bool {
	for i := range len(s) {
		if !plainBytes[s[i]] {
			return false
		}
	}
	return true
}

// plainBytes marks the bytes that [escape] leaves as they are.
var plainBytes = func() (is [256]bool) {
	for c := range rune(utf8.RuneSelf) {
		is[c] = escape(c, 1) == ""
	}
	return is
}()

// escape returns the replacement in XML of a rune that was read from width bytes; "" if the rune
// needs none.
func escape(r rune, width int) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	case '\r':
		return "&#xD;"
	case utf8.RuneError:
		if width == 1 {
			return "\uFFFD"
		}
	}
	if !xmlRune(r) {
		return "\uFFFD"
	}
	return ""
}

// xmlRune reports whether XML 1.0 can hold a rune.
func xmlRune(r rune) bool {
	return r >= ' ' && r < 0xFFFE || r >= 0x10000 || r == '\t' || r == '\n' || r == '\r'
}

// XMLSafe reports whether XML 1.0 can hold every character of s.
func XMLSafe(s string) bool {
	for i, r := range s {
		if !xmlRune(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, width := utf8.DecodeRuneInString(s[i:]); width == 1 {
				return false
			}
		}
	}
	return true
}

// AppendXMLElement appends <tag>text</tag>, or <tag /> without text, as the service writes it.
func AppendXMLElement(dst []byte, tag, text string) []byte {
	dst = append(append(dst, '<'), tag...)
	if text == "" {
		return append(dst, " />"...)
	}
	dst = AppendXMLText(append(dst, '>'), text)
	return appendEnd(dst, tag)
}

// appendEnd appends an end tag.
func appendEnd(dst []byte, tag string) []byte {
	return append(append(append(dst, "</"...), tag...), '>')
}

// AppendXMLName appends the Name element of a blob or prefix in a listing. From version 2021-02-12
// on, a name that XML cannot hold is percent-encoded and marked Encoded="true".
func AppendXMLName[T string | []byte](dst []byte, name T, v Version) []byte {
	if plain(name) && len(name) > 0 {
		return append(append(append(dst, "<Name>"...), name...), "</Name>"...)
	}
	if XMLSafe(string(name)) || !v.AtLeast(encodedSince) {
		return AppendXMLElement(dst, "Name", string(name))
	}
	const hexDigits = "0123456789ABCDEF"
	dst = append(dst, `<Name Encoded="true">`...)
	for i := range len(name) {
		c := name[i]
		if unreserved(c) || c == '/' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&0xF])
		}
	}
	return appendEnd(dst, "Name")
}

// unreserved reports whether a byte needs no percent-encoding anywhere in a URL.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
