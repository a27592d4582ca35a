package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// span writes a length of time in its largest unit that tells enough.
func span(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 7200:
		return fmt.Sprintf("%d min", s/60)
	case s < 172800:
		return fmt.Sprintf("%d h", s/3600)
	}
	return fmt.Sprintf("%d d", s/86400)
}

// clock writes a moment of the day in UTC.
func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

func byteCount(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// dir returns a name up to and with its first slash: the container.
func dir(name string) string { return name[:len(name)-len(base(name))] }

// base returns what follows the container in a name; all of the name of a container.
func base(name string) string {
	if _, below, ok := strings.Cut(name, "/"); ok {
		return below
	}
	return name
}

// tailLength is how many characters at the end of a name are shown in any case: names differ there.
const tailLength = 20

// mid returns what is between the container and the tail of a name, which is cut if there is no
// room.
func mid(name string) string { return strings.TrimSuffix(base(name), tail(name)) }

// tail returns the end of a name.
func tail(name string) string {
	all := []rune(base(name))
	return string(all[max(0, len(all)-tailLength):])
}

// client returns what is short and telling of a User-Agent.
func client(agent string) string {
	for word := range strings.FieldsSeq(agent) {
		if product, _, ok := strings.Cut(word, "/"); ok && strings.HasPrefix(product, "azsdk") {
			return word
		}
	}
	first, _, _ := strings.Cut(agent, " ")
	return first
}

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
