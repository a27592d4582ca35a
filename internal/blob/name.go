package blob

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

// Limits of names (docs/reference/operations.md 2.1).
const (
	minContainerName = 3
	maxContainerName = 63
	maxBlobName      = 1024 // UTF-16 code units
	maxBlobSegments  = 254  // parts between slashes
)

// Special containers, whose names do not follow the ordinary rule.
const (
	RootContainer = "$root" // its blobs may be addressed without it
	WebContainer  = "$web"  // static website content
	LogsContainer = "$logs" // logs of requests; stays empty here
)

// CheckContainerName reports why name can't be that of a container:
// OutOfRangeInput for its length, InvalidResourceName for its characters, and
// InvalidQueryParameterValue for an empty name (docs/reference/operations.md 2.1).
func CheckContainerName(name string) error {
	switch name {
	case "":
		return fault.InvalidQuery("restype", "container", "The container name is empty.")
	case RootContainer, WebContainer, LogsContainer:
		return nil
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		dash := c == '-' && i > 0 && i < len(name)-1 && name[i-1] != '-'
		if !alnum && !dash {
			return fault.InvalidResourceName
		}
	}
	if len(name) < minContainerName || len(name) > maxContainerName {
		return &fault.Error{Code: fault.OutOfRangeInput,
			Message: "The specified resource name length is not within the permissible limits."}
	}
	return nil
}

// CheckUsedContainerName is [CheckContainerName] for requests that don't create the container: the
// system's own containers, whose names begin with a dollar sign, are looked for like others.
func CheckUsedContainerName(name string) error {
	if system, ok := strings.CutPrefix(name, "$"); ok && system != "" && strings.Trim(system, systemLetters) == "" {
		return nil
	}
	return CheckContainerName(name)
}

// systemLetters are the characters of the names of the system's containers behind the dollar sign.
const systemLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// CheckBlobName reports why name can't be that of a blob in container: InvalidUri for an empty
// name, one over 1,024 characters or 254 segments, and one with a segment that ends in a dot;
// InvalidResourceName for characters that the service refuses (docs/reference/operations.md 2.1).
func CheckBlobName(container, name string) error {
	if name == "" || !utf8.ValidString(name) {
		return fault.InvalidURI
	}
	if container == RootContainer && strings.Contains(name, "/") {
		return fault.InvalidURI
	}
	units, segments := 0, 1
	for _, r := range name {
		units += utf16.RuneLen(r)
		if r == '/' {
			segments++
		}
		if refusedInName(r) {
			return fault.InvalidResourceName
		}
	}
	if units > maxBlobName || segments > maxBlobSegments || Dotted(name) {
		return fault.InvalidURI
	}
	return nil
}

// refusedInName reports whether a character may not stand in the name of a blob: the control
// characters, but of the second row only the five that code page 1252 leaves open, and those for
// private use.
func refusedInName(r rune) bool {
	switch r {
	case 0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D:
		return true
	}
	return r < 0x20 || 0xE000 <= r && r <= 0xF8FF
}

// Dotted reports whether a segment of a name ends in a dot, as "." and ".." do. No blob has such a
// name: paths are resolved to names without (docs/decisions/blob-names.md).
func Dotted(name string) bool {
	return strings.HasSuffix(name, ".") || strings.Contains(name, "./")
}
