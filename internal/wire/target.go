package wire

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// Level says what a path names.
type Level int

// The levels, from the whole account down.
const (
	LevelService Level = iota
	LevelContainer
	LevelBlob

	levels = iota
)

// String returns "service", "container" or "blob".
func (l Level) String() string { return [levels]string{"service", "container", "blob"}[l] }

// RootContainer is the container of the blobs that are addressed without one.
const RootContainer = "$root"

// secondarySuffix follows the name of an account in the URLs of its read-only secondary.
const secondarySuffix = "-secondary"

// Target is what a URL names. Names are decoded but not checked: which names are valid is a rule of
// the data model.
type Target struct {
	Account   string
	Secondary bool // the account's secondary endpoint
	Container string
	Blob      string // dots resolved, see resolveDots
	SentBlob  string // Blob as the path has it, if its dots had to be resolved; else ""
	Level     Level
	PathStyle bool // the account was the first segment of the path, not of the host
	Website   bool // the endpoint that shows the blobs of $web to browsers
}

// DefaultSuffixes are the host names below which the first label is an account.
var DefaultSuffixes = []string{"blob.core.windows.net", "blob.localhost"}

// Addressing says which hosts carry the account in their name. The zero value knows the suffixes of
// [DefaultSuffixes] only.
type Addressing struct {
	// Suffixes are further host names, in lower case and without a leading dot, below which the
	// first label is an account.
	Suffixes []string
	// IsAccount, if not nil, reports whether a name is an account; a host that begins with one is
	// host style under any suffix.
	IsAccount func(name string) bool
	// Site, if not nil, makes every request one for a website. It returns the account to use if the
	// host names none; "" for no account.
	Site func() string
	// Serves, if not nil, reports whether requests for a host are served; the host is in lower case
	// and has no port. Other requests are refused: a page of another site, whose name resolves to
	// this machine, could have sent them.
	Serves func(host string) bool
	// DefaultVersion, if not nil, returns the default version that an account has set; "" if it has
	// set none. It is called only for requests that name no version, which are never served by a
	// version older than [DefaultVersion].
	DefaultVersion func(ctx context.Context, account string) (Version, error)
}

// admit refuses a request for a host that is not served.
func (o *Addressing) admit(host string) error {
	if o == nil || o.Serves == nil || host == "" || o.Serves(hostname(host)) {
		return nil
	}
	e := fault.InvalidHeader("Host", host)
	e.Message = "This server does not answer under this host name. Whoever runs it can allow the name."
	return e
}

// ParseTarget returns what a request names, given its Host header and its path as sent
// (percent-encoded). A host that is an IP literal, a single label, or of unknown suffix is path
// style. The path is decoded once, then the dots of the blob's name are resolved
// (docs/reference/operations.md 2.1); doubled slashes stay. A single segment is reported as a
// container; whether it is a blob of the root container instead depends on the query
// ([Target.InRoot]). A path that names nothing is [fault.InvalidURI]. o may be nil.
func ParseTarget(host, escapedPath string, o *Addressing) (Target, error) {
	var t Target
	if escapedPath != "" && escapedPath[0] != '/' {
		return t, fault.InvalidURI
	}
	if account, ok := o.siteOf(host); ok {
		return parseSite(account, escapedPath)
	}
	path := strings.TrimPrefix(escapedPath, "/")
	account, ok := o.accountOf(host)
	if !ok {
		t.PathStyle = true
		account, path, _ = strings.Cut(path, "/")
	}
	t.Account, t.Secondary = strings.CutSuffix(account, secondarySuffix)
	if t.Account == "" || strings.ContainsRune(t.Account, '%') {
		return t, fault.InvalidURI
	}
	if path == "" {
		return t, nil
	}
	container, blob, deep := strings.Cut(path, "/")
	var err error
	if t.Container, err = decodeName(container); err != nil {
		return t, err
	}
	t.Level = LevelContainer
	if !deep {
		return t, nil
	}
	t.Level = LevelBlob
	if t.Blob, err = decodeName(blob); err != nil {
		return t, err
	}
	return t, t.resolve()
}

// InRoot returns a container target as the blob of that name in the root container, which is what a
// single segment means without a restype. Such a name holds no slash, not even an encoded one.
func (t Target) InRoot() (Target, error) {
	t.Container, t.Blob, t.Level = RootContainer, t.Container, LevelBlob
	if strings.ContainsAny(t.Blob, `/\`) {
		return t, fault.InvalidURI
	}
	return t, t.resolve()
}

// resolve turns the blob's name as it was sent into the name under which the blob is stored.
func (t *Target) resolve() error {
	t.Blob = strings.ReplaceAll(t.Blob, `\`, "/")
	name, ok := resolveDots(t.Blob)
	if !ok {
		return fault.InvalidURI
	}
	if name != t.Blob {
		t.Blob, t.SentBlob = name, t.Blob
	}
	return nil
}

// resolveDots returns the name that the service stores for a name: segments "." are left out, ".."
// removes the segment before it, and dots at the end of a segment are dropped. ok is false for a
// name that leaves its container or becomes empty.
func resolveDots(name string) (resolved string, ok bool) {
	if !strings.HasSuffix(name, ".") && !strings.Contains(name, "./") {
		return name, true
	}
	var kept []string
	for segment, rest, more := "", name, true; more; {
		segment, rest, more = strings.Cut(rest, "/")
		switch segment {
		case ".":
		case "..":
			if len(kept) == 0 {
				return "", false
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, strings.TrimRight(segment, "."))
			continue
		}
		if !more {
			kept = append(kept, "") // what is left is the folder, with its slash
		}
	}
	resolved = strings.Join(kept, "/")
	return resolved, resolved != ""
}

// accountOf returns the account that a host carries; ok is false if the host carries none.
func (o *Addressing) accountOf(host string) (account string, ok bool) {
	host = hostname(host)
	if _, err := netip.ParseAddr(host); err == nil {
		return "", false
	}
	label, rest, dotted := strings.Cut(host, ".")
	if !dotted || label == "" {
		return "", false
	}
	if below(rest, DefaultSuffixes) {
		return label, true
	}
	if o == nil {
		return "", false
	}
	if below(rest, o.Suffixes) || o.IsAccount != nil && o.IsAccount(strings.TrimSuffix(label, secondarySuffix)) {
		return label, true
	}
	return "", false
}

// below reports whether name is one of the suffixes or lies below one.
func below(name string, suffixes []string) bool {
	for _, s := range suffixes {
		if front, ok := strings.CutSuffix(name, s); ok && s != "" && (front == "" || front[len(front)-1] == '.') {
			return true
		}
	}
	return false
}

// hostname returns a Host header in lower case without port, brackets and final dot.
func hostname(host string) string {
	if strings.HasPrefix(host, "[") || strings.LastIndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		} else {
			host = strings.Trim(host, "[]")
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// maxName is the longest part of a path, in bytes: a blob's name of 1,024 characters takes no more.
// A longer name can't even be looked up.
const maxName = 4 << 10

// decodeName decodes a part of the path that has to be a name.
func decodeName(escaped string) (string, error) {
	name, ok := query.Unescape(escaped, false)
	if !ok || name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return "", fault.InvalidURI
	}
	return name, nil
}
