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
	parsed, err := http.ParseTime(string(text))
	if err != nil {
		return errForm
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
