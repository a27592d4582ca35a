package wire

import (
	"net/http"
	"time"
)

// HTTPTime is a moment as HTTP headers carry it: in whole seconds. It is read from RFC 1123, RFC 850 and asctime form and
// written in the first. The zero value stands for "none".
type HTTPTime struct{ time.Time }

// UnmarshalText reads any of the three forms.
func (t *HTTPTime) UnmarshalText(text []byte) error {
	parsed, ok := parseRFC1123(text)
	if !ok {
		var err error
		if parsed, err = http.ParseTime(string(text)); err != nil {
			return errForm
		}
	}
	t.Time = parsed
	return nil
}

// AppendText appends the RFC 1123 form.
func (t HTTPTime) AppendText(dst []byte) ([]byte, error) { return AppendHTTPTime(dst, t.Time), nil }

// MarshalText returns the RFC 1123 form.
func (t HTTPTime) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// httpTimeLen is the length of every RFC 1123 date in GMT.
const httpTimeLen = len(http.TimeFormat)

const (
	dayNames   = "SunMonTueWedThuFriSat"
	monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// AppendHTTPTime appends t as an RFC 1123 date in GMT, such as "Tue, 03 Mar 2026 08:00:00 GMT". The year has to be one of
// four digits.
func AppendHTTPTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	wd, m := 3*int(t.Weekday()), 3*int(month-1)
	dst = append(dst, dayNames[wd:wd+3]...)
	dst = append(dst, ',', ' ', digit(day/10), digit(day), ' ')
	dst = append(dst, monthNames[m:m+3]...)
	return append(dst, ' ', digit(year/1000), digit(year/100), digit(year/10), digit(year),
		' ', digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute), ':', digit(second/10), digit(second),
		' ', 'G', 'M', 'T')
}

// digit returns the last decimal digit of n.
func digit(n int) byte { return '0' + byte(n%10) }

// parseRFC1123 reads the form that all clients send without the general parser. ok is false for anything unusual, which the
// general parser then judges.
func parseRFC1123(s []byte) (t time.Time, ok bool) {
	if len(s) != httpTimeLen || s[3] != ',' || s[19] != ':' || s[22] != ':' || string(s[25:]) != " GMT" {
		return t, false
	}
	month := 0
	for ; month < 12 && monthNames[3*month:3*month+3] != string(s[8:11]); month++ {
	}
	day, ok1 := number(s[5:7])
	year, ok2 := number(s[12:16])
	hour, ok3 := number(s[17:19])
	minute, ok4 := number(s[20:22])
	second, ok5 := number(s[23:25])
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || month == 12 || hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	t = time.Date(year, time.Month(month+1), day, hour, minute, second, 0, time.UTC)
	wd := 3 * int(t.Weekday())
	return t, t.Day() == day && dayNames[wd:wd+3] == string(s[:3]) && s[4] == ' ' && s[7] == ' ' && s[11] == ' ' && s[16] == ' '
}

// number reads decimal digits.
func number(s []byte) (int, bool) {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
