package wire

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// MaxMetadata bounds all metadata names and values of a blob or container together, in bytes.
const MaxMetadata = 8 << 10

// Metadata holds what clients store in headers with a common prefix: name, without the prefix and
// spelled as sent, to value. No two names differ only in case.
type Metadata map[string]string

// decodeMetadata collects the headers that begin with a canonical prefix. It returns nil if there
// are none.
func decodeMetadata(r *Request, prefix string) (Metadata, error) {
	var m Metadata
	size := 0
	for key, values := range r.Header {
		if len(key) < len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
			continue
		}
		name := metaName(r, key)[len(prefix):]
		switch {
		case name == "":
			return nil, fault.EmptyMetadataKey
		case !identifier(name) || len(values) != 1 || !ascii(values[0]):
			return nil, fault.InvalidMetadata
		}
		if size += len(name) + len(values[0]); size > MaxMetadata {
			return nil, fault.MetadataTooLarge
		}
		if m == nil {
			m = Metadata{}
		}
		m[name] = values[0]
	}
	return m, unique(m)
}

// metaName returns a header name as the client spelled it, if the spelling is known.
func metaName(r *Request, key string) string {
	if r.MetaNames != nil {
		if name := r.MetaNames(key); strings.EqualFold(name, key) {
			return name
		}
	}
	if textproto.CanonicalMIMEHeaderKey(key) == key {
		return strings.ToLower(key)
	}
	return key // put into the map by a caller in the same process
}

// unique refuses names that differ only in case.
func unique(m Metadata) error {
	if len(m) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(m))
	for name := range m {
		seen[strings.ToLower(name)] = true
	}
	if len(seen) < len(m) {
		return fault.InvalidMetadata
	}
	return nil
}

// identifier reports whether a name is an identifier of C#, as far as header names allow: letters,
// digits and underscores, not beginning with a digit.
func identifier(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// ascii reports whether a value has no byte over 0x7F, which the service refuses.
func ascii(value string) bool {
	for i := range len(value) {
		if value[i] > 0x7F {
			return false
		}
	}
	return true
}

// write sets one header for each item, spelled as stored.
func (m Metadata) write(h http.Header, prefix string) {
	for name, value := range m {
		h[prefix+name] = []string{value}
	}
}
