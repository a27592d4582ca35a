package httpdate

import (
	"net/http"
	"testing"
	"time"
)

// FuzzParse reads dates as the general parser does, and those of four-digit years without it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 29 Feb 2024 00:00:00 GMT", "Wed, 29 Feb 2023 00:00:00 GMT", "Mon, 06 Nov 1994 08:49:37 GMT",
		"sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun,006 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:60 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "",
	} {
		f.Add(s, int64(784111777))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		got, err := Parse(s)
		if want, failure := time.Parse(http.TimeFormat, s); (err == nil) != (failure == nil) || !got.Equal(want) {
			t.Fatalf("%q is %v, %v, want %v, %v", s, got, err, want, failure)
		}
		moment := time.Unix(unix, 0).UTC()
		if year := moment.Year(); year < 0 || year > 9999 {
			return
		}
		if back, ok := parse(moment.Format(http.TimeFormat)); !ok || !back.Equal(moment) {
			t.Fatalf("%v is read as %v, %v", moment, back, ok)
		}
	})
}

// FuzzAppend writes dates as the general formatter does.
func FuzzAppend(f *testing.F) {
	f.Add(int64(784111777))
	f.Add(int64(0))
	f.Fuzz(func(t *testing.T, unix int64) {
		moment := time.Unix(unix, 0)
		if year := moment.UTC().Year(); year < 0 || year > 9999 {
			return
		}
		if text := string(Append(nil, moment)); text != moment.UTC().Format(http.TimeFormat) {
			t.Fatalf("%s for %v", text, moment)
		}
	})
}
