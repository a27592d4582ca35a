package server

import (
	"bytes"
	"net/textproto"
	"strings"
	"sync"
)

// metaPrefix begins the names of metadata headers.
const metaPrefix = "x-ms-meta-"

// head keeps the bytes of one request's head as they came, because net/http changes the case of
// header names, and the protocol preserves the case of metadata names. Only requests with metadata
// read it.
//
// A head that arrived together with the request before it (HTTP pipelining, which no known client
// does) is not kept; its names count as lower case.
type head struct {
	mu    sync.Mutex // a read in the background may append while a handler looks
	raw   *bytes.Buffer
	names map[string]string // canonical name to the name as sent; nil until sent is called
}

// heads recycles the buffers of connections that wait for a request.
var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// record appends bytes that were read. Bytes beyond the limit of a head belong to a body or to a
// request that will be refused.
func (h *head) record(p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.raw == nil {
		h.raw = heads.Get().(*bytes.Buffer)
	}
	if room := 2*maxHeaderBytes - h.raw.Len(); room > 0 {
		h.raw.Write(p[:min(len(p), room)])
	}
}

// reset forgets the request.
func (h *head) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names = nil
	if h.raw != nil {
		h.raw.Reset()
		heads.Put(h.raw)
		h.raw = nil
	}
}

// sent returns a metadata header name as the client spelled it, or "" if the spelling is not known.
func (h *head) sent(canonical string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil {
		h.names = map[string]string{}
		if h.raw != nil {
			collect(h.names, h.raw.Bytes())
		}
	}
	return h.names[canonical]
}

// ambiguous reports whether a request with a chunked body may announce a length as well. net/http
// drops the length, but a proxy on the way may have used it and have taken the rest for another
// request. A head that was not kept counts as ambiguous.
func (h *head) ambiguous() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.raw == nil {
		return true
	}
	chunked := false
	for line := range bytes.Lines(h.raw.Bytes()) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return !chunked
		case bytes.EqualFold(name, []byte("Content-Length")):
			return true
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	return !chunked
}

// collect finds the metadata names in the lines up to the first empty one.
func collect(names map[string]string, raw []byte) {
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		raw = rest
		if len(bytes.TrimRight(line, "\r")) == 0 {
			return
		}
		name, _, found := bytes.Cut(line, []byte(":"))
		if !found || len(name) < len(metaPrefix) || !strings.EqualFold(string(name[:len(metaPrefix)]), metaPrefix) {
			continue
		}
		canonical := textproto.CanonicalMIMEHeaderKey(string(name))
		if _, known := names[canonical]; !known {
			names[canonical] = string(name)
		}
	}
}
