package wire

import (
	"math"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Range is a range of bytes that a client asked for. The zero value is "no range". A field of an
// argument struct that takes it has the tag `header:"x-ms-range|Range"`: the protocol's header wins
// over that of HTTP.
type Range struct {
	Start int64 // the first byte
	end   int64 // one beyond the last byte, which is why the zero value is none; math.MaxInt64 if open
}

// ParseRange reads "bytes=a-b" and "bytes=a-". Other forms (several ranges, a suffix, other units,
// signs) are no range, as if the header were absent. A range that ends before it starts is
// [fault.InvalidHeaderValue] of x-ms-range.
func ParseRange(s string) (Range, error) {
	const unit = "bytes="
	if len(s) < len(unit) || !strings.EqualFold(s[:len(unit)], unit) {
		return Range{}, nil
	}
	first, last, found := strings.Cut(s[len(unit):], "-")
	start, ok := offset(strings.TrimSpace(first))
	if !found || !ok {
		return Range{}, nil
	}
	last = strings.TrimSpace(last)
	if last == "" {
		return Range{start, math.MaxInt64}, nil
	}
	end, ok := offset(last)
	switch {
	case !ok:
		return Range{}, nil
	case end < start:
		return Range{}, fault.InvalidHeader("x-ms-range", s)
	}
	return Range{start, end + 1}, nil
}

// offset reads a byte position. A position that is too large becomes the largest one that still
// leaves room for one more.
func offset(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	n := int64(0)
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-10)/10 {
			n = math.MaxInt64/10 - 1
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// UnmarshalText is [ParseRange].
func (r *Range) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRange(string(text))
	return err
}

// IsZero reports whether there is no range.
func (r Range) IsZero() bool { return r.end == 0 }

// Open reports whether the range goes to the end of the blob.
func (r Range) Open() bool { return r.end == math.MaxInt64 }

// Last returns the last byte of the range; math.MaxInt64-1 if it is open. There has to be a range.
func (r Range) Last() int64 { return r.end - 1 }

// Len returns how many bytes the range has before it is clamped; a huge number if it is open, 0 if
// there is none.
func (r Range) Len() int64 { return r.end - r.Start }

// String returns the range as it stands in a header.
func (r Range) String() string {
	text := "bytes=" + strconv.FormatInt(r.Start, 10) + "-"
	if r.Open() {
		return text
	}
	return text + strconv.FormatInt(r.Last(), 10)
}

// Clamp returns what the range selects from size bytes: all of them if there is no range. A range
// that starts at or beyond the end, which any range does in an empty blob, is [fault.InvalidRange]
// with the size in the Content-Range header.
func (r Range) Clamp(size int64) (off, n int64, err error) {
	if r.IsZero() {
		return 0, size, nil
	}
	if r.Start >= size {
		value := "bytes */" + strconv.FormatInt(size, 10)
		return 0, 0, &fault.Error{Code: fault.InvalidRange, Header: []fault.Detail{{Name: "Content-Range", Value: value}}}
	}
	return r.Start, min(r.end, size) - r.Start, nil
}

// ContentRange returns the Content-Range header of n > 0 bytes at off out of size.
func ContentRange(off, n, size int64) string {
	b := make([]byte, 0, 48)
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, off, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, off+n-1, 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, size, 10)
	return string(b)
}
