// Package httpdate reads and writes dates as HTTP headers carry them, without the general parser
// and formatter of package time: every signed request carries one, and every answer and every
// entry of a listing carries two.
package httpdate

import (
	"net/http"
	"time"
)

// Len is the length of every date in bytes.
const Len = len(http.TimeFormat)

const (
	weekdays = "SunMonTueWedThuFriSat"
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

// Append appends t in the form of RFC 1123 with the zone GMT, such as "Tue, 03 Mar 2026 08:00:00
// GMT". The year has to be one of four digits.
func Append(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	w, m := 3*int(t.Weekday()), 3*int(month-1)
	dst = append(dst, weekdays[w:w+3]...)
	dst = append(dst, ',', ' ', digit(day/10), digit(day), ' ')
	dst = append(dst, months[m:m+3]...)
	return append(dst, ' ', digit(year/1000), digit(year/100), digit(year/10), digit(year),
		' ', digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute), ':', digit(second/10), digit(second),
		' ', 'G', 'M', 'T')
}

// digit returns the last decimal digit of n.
func digit(n int) byte { return '0' + byte(n%10) }

// Parse reads what [http.TimeFormat] describes, the form in which all clients send dates, as
// [time.Parse] does.
func Parse(s string) (time.Time, error) {
	if t, ok := parse(s); ok {
		return t, nil
	}
	return time.Parse(http.TimeFormat, s)
}

// parse reads the form without the general parser. ok is false for anything unusual, which the
// general parser then judges.
func parse(s string) (t time.Time, ok bool) {
	if len(s) != Len || s[3:5] != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' ||
		s[19] != ':' || s[22] != ':' || s[25:] != " GMT" {
		return t, false
	}
	month := 0
	for ; month < 12 && months[3*month:3*month+3] != s[8:11]; month++ {
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
	w := 3 * int(t.Weekday())
	return t, t.Day() == day && weekdays[w:w+3] == s[:3]
}

// number reads decimal digits.
func number(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}
