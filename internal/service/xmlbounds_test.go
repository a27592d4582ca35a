package service_test

import (
	"runtime"
	"strings"
	"testing"
)

// TestHugeBlockListsAreCheap sends block lists as long as they may be of what is no block, of too
// many blocks, of nothing but attributes and of elements in elements. Each is refused where it is
// met, and costs little more than its bytes.
func TestHugeBlockListsAreCheap(t *testing.T) {
	const longest = 12 << 20
	fill := func(text string) []byte {
		return []byte("<BlockList>" + strings.Repeat(text, (longest-100)/len(text)) + "</BlockList>")
	}
	cases := map[string]struct {
		body []byte
		code string
	}{
		"unknown elements": {fill("<a/>"), "UnsupportedXmlNode"},
		"too many blocks":  {fill("<Latest>AAAA</Latest>"), "BlockListTooLong"},
		"attributes":       {[]byte("<BlockList " + strings.Repeat("a='' ", longest/5-100) + "></BlockList>"), "InvalidXmlDocument"},
		"depth":            {fill("<Latest>"), "UnsupportedXmlNode"},
	}
	s := newStore(t)
	s.box()
	for name, c := range cases {
		r := s.request("PUT", "/box/a?comp=blocklist", c.body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := s.serve(r)
		runtime.ReadMemStats(&after)
		if a.status != 400 || a.code() != c.code {
			t.Errorf("%s: answered %d %s, want 400 %s", name, a.status, a.code(), c.code)
		}
		if cost := int64(after.TotalAlloc - before.TotalAlloc); cost > 4*longest {
			t.Errorf("%s: %d MiB were allocated for a body of 12 MiB", name, cost>>20)
		}
	}
}
