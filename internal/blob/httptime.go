package blob

import (
	"net/http"
	"time"
)

// ParseHTTP reads what [http.TimeFormat] describes, the form in which all clients send
// dates, as [time.Parse] does.
func ParseHTTP(s string) (time.Time, error) {
	if t, ok := parseRFC1123(s); ok {
		return t, nil
	}
	return time.Parse(http.TimeFormat, s)
}

// parseRFC1123 reads the form without the general parser: a date comes with every request
// that is signed with a key. ok is false for anything unusual, which the general parser then
// judges.
func parseRFC1123(s string) (t time.Time, ok bool) {
	if len(s) != len(http.TimeFormat) || s[3:5] != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' ||
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
