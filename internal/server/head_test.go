package server

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	var h head
	if got := h.sent("X-Ms-Meta-A"); got != "" {
		t.Errorf("from nothing: %q", got)
	}
	h.reset()
	h.record([]byte("PUT / HTTP/1.1\r\nHost: x\r\nX-MS-meta-aB: 1\r\nx-ms-me"))
	h.record([]byte("ta-C: x-ms-meta-d: 2\r\nx-ms-other: 3\r\n\r\nx-ms-meta-BODY: 4\r\n"))
	for canonical, want := range map[string]string{"X-Ms-Meta-Ab": "X-MS-meta-aB", "X-Ms-Meta-C": "x-ms-meta-C", "X-Ms-Meta-D": "", "X-Ms-Other": "", "X-Ms-Meta-Body": ""} {
		if got := h.sent(canonical); got != want {
			t.Errorf("%s: %q", canonical, got)
		}
	}
	h.reset()
	if got := h.sent("X-Ms-Meta-Ab"); got != "" {
		t.Errorf("after reset: %q", got)
	}
	h.record(make([]byte, 10*maxHeaderBytes))
	if h.raw.Len() > 2*maxHeaderBytes {
		t.Errorf("%d bytes are kept", h.raw.Len())
	}
}

func FuzzHead(f *testing.F) {
	f.Add("PUT / HTTP/1.1\r\nHost: x\r\nx-ms-meta-aB: 1\r\nX-Ms-Meta-c:2\n\nx-ms-meta-body: 1")
	f.Add("GET / HTTP/1.1\nHost: x\n x-ms-meta-folded: 1\n\n")
	f.Fuzz(func(t *testing.T, raw string) {
		names := map[string]string{}
		collect(names, []byte(raw))
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		for canonical := range r.Header {
			if strings.HasPrefix(canonical, "X-Ms-Meta-") && !strings.EqualFold(names[canonical], canonical) {
				t.Fatalf("%q is known as %q in %q", canonical, names[canonical], raw)
			}
		}
	})
}

func BenchmarkHead(b *testing.B) {
	raw := []byte("PUT /a/c/b HTTP/1.1\r\nHost: x\r\n" + strings.Repeat(fmt.Sprintf("x-ms-header: %060d\r\n", 0), 15) + "x-ms-meta-aB: 1\r\n\r\n")
	b.Run("without metadata", func(b *testing.B) {
		var h head
		b.ReportAllocs()
		for b.Loop() {
			h.record(raw)
			h.reset()
		}
	})
	b.Run("with metadata", func(b *testing.B) {
		var h head
		b.ReportAllocs()
		for b.Loop() {
			h.record(raw)
			h.sent("X-Ms-Meta-Ab")
			h.reset()
		}
	})
}
