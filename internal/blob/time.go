package blob

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/leasehold/leasehold/internal/httpdate"
)

// Time is an instant in ticks of 100 nanoseconds since 1970-01-01 UTC: the
// resolution of the service's time stamps. The zero value stands for no time.
type Time int64

const ticksPerSecond = int64(time.Second / 100)

// Day is the number of ticks in a day.
const Day = Time(24 * 3600 * ticksPerSecond)

// TimeOf returns the last tick that is not after t.
func TimeOf(t time.Time) Time {
	return Time(t.Unix()*ticksPerSecond + int64(t.Nanosecond()/100))
}

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time {
	s, rest := int64(t)/ticksPerSecond, int64(t)%ticksPerSecond
	return time.Unix(s, rest*100).UTC()
}

// IsZero reports whether there is no time.
func (t Time) IsZero() bool { return t == 0 }

// Second returns t cut to the whole second, the granularity of Last-Modified
// (docs/reference/conditions-and-errors.md 2.1).
func (t Time) Second() Time { return t - t%Time(ticksPerSecond) }

const stampLayout = "2006-01-02T15:04:05.0000000Z"

// Stamp returns t in the form of snapshot and version IDs, with seven
// fractional digits.
func (t Time) Stamp() string { return t.Std().Format(stampLayout) }

// ParseStamp reads what Stamp writes, and only that.
func ParseStamp(s string) (Time, error) {
	std, err := time.Parse(stampLayout, s)
	if t := TimeOf(std); err == nil && t.Stamp() == s {
		return t, nil
	}
	return 0, fmt.Errorf("%q is not of the form %s", s, stampLayout)
}

// MarshalText writes the RFC 1123 form of HTTP headers; nothing for no time.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// AppendText is MarshalText onto b.
func (t Time) AppendText(b []byte) ([]byte, error) {
	if t.IsZero() {
		return b, nil
	}
	return t.AppendHTTP(b), nil
}

// AppendHTTP appends t in the form of RFC 1123 with the zone GMT.
func (t Time) AppendHTTP(b []byte) []byte { return httpdate.Append(b, t.Std()) }

// ETag is the version stamp of a blob or container: a count of 100 ns ticks
// that only rises for one name. It is written as the service writes it, as the
// hexadecimal number of ticks since the year 1.
type ETag uint64

// ticksToUnix is the number of ticks from year 1 to 1970.
const ticksToUnix = 621355968000000000

// Time returns when the change was made that the ETag stands for, to the tick unless
// changes came faster than ticks.
func (e ETag) Time() Time { return Time(e - ticksToUnix) }

// NextETag returns the ETag of a change made at now on a thing whose ETag was
// previous (0 for none): new in every case, also when now stands still.
func NextETag(previous ETag, now Time) ETag {
	return max(previous+1, ETag(int64(now)+ticksToUnix))
}

// AppendBare appends the ETag without quotation marks, as listings show it: 15 digits, or
// all 16 if it takes them.
func (e ETag) AppendBare(b []byte) []byte {
	digits := binary.BigEndian.AppendUint64(make([]byte, 0, 16), upperHex(uint32(e>>32)))
	digits = binary.BigEndian.AppendUint64(digits, upperHex(uint32(e)))
	b = append(b, "0x"...)
	if e>>60 != 0 {
		return append(b, digits...)
	}
	return append(b, digits[1:]...)
}

// upperHex returns the eight hexadecimal digits of n as text, one in each byte, all at once:
// every entry of a listing has an ETag.
func upperHex(n uint32) uint64 {
	const ones = 0x0101_0101_0101_0101
	d := uint64(n)
	d = (d | d<<16) & 0x0000_FFFF_0000_FFFF
	d = (d | d<<8) & 0x00FF_00FF_00FF_00FF
	d = (d | d<<4) & (0x0F * ones)
	letters := (d + 6*ones) >> 4 & ones // 1 where the digit is above 9
	return d + '0'*ones + ('A'-'9'-1)*letters
}

// AppendText appends the ETag in quotation marks, as headers show it.
func (e ETag) AppendText(b []byte) ([]byte, error) {
	if e == 0 {
		return b, nil
	}
	return append(e.AppendBare(append(b, '"')), '"'), nil
}

// MarshalText is AppendText; nothing for no ETag.
func (e ETag) MarshalText() ([]byte, error) { return e.AppendText(nil) }

// String returns the quoted form.
func (e ETag) String() string {
	b, _ := e.AppendText(make([]byte, 0, 20))
	return string(b)
}
