package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/leasehold/leasehold/internal/fault"
)

const (
	// MaxBatch is the longest body of a batch, in bytes.
	MaxBatch = 4 << 20
	// MaxBatchParts is the largest number of requests in a batch.
	MaxBatchParts = 256
)

// BatchPart is one request of a batch.
type BatchPart struct {
	// ID is the Content-ID of the part, which is sent back; "" if there was none.
	ID string
	// Request has the method, path, query and header of the part; it has no body. Its RequestURI
	// begins with a slash and is exactly what was sent.
	Request *http.Request
	// Refused is [fault.InvalidURI] if the path can't be read; the path of Request is then the
	// account's.
	Refused error
}

// boundaryOf returns the boundary of a multipart/mixed body, "" if there is none. The object_store
// crate sends boundaries in Base64 without the quotes that a slash in them needs.
func boundaryOf(contentType string) string {
	media, params, err := mime.ParseMediaType(contentType)
	if err == nil && media == "multipart/mixed" {
		return params["boundary"]
	}
	media, parameter, _ := strings.Cut(contentType, ";")
	name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
	if !strings.EqualFold(strings.TrimSpace(media), "multipart/mixed") || !strings.EqualFold(name, "boundary") ||
		strings.ContainsAny(value, "\"; \t") {
		return ""
	}
	return value
}

// ParseBatch reads the requests of a batch from its body, whose lines may end in CRLF or in LF. A
// malformed body, too many parts, or a request with a body or with a host in its path fails the
// whole batch with [fault.InvalidInput].
func ParseBatch(contentType string, body []byte) ([]BatchPart, error) {
	boundary := boundaryOf(contentType)
	if boundary == "" {
		return nil, fault.InvalidHeader("Content-Type", contentType)
	}
	var parts []BatchPart
	in := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		raw, err := in.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, invalidBatch(err)
		}
		if len(parts) == MaxBatchParts {
			return nil, invalidBatch(errors.New("too many requests"))
		}
		p, err := parsePart(raw)
		if err != nil {
			return nil, invalidBatch(fmt.Errorf("part %d: %w", len(parts), err))
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// invalidBatch refuses a batch; why is for the log.
func invalidBatch(why error) error { return &fault.Error{Code: fault.InvalidInput, Cause: why} }

// parsePart reads one request.
func parsePart(raw *multipart.Part) (BatchPart, error) {
	p := BatchPart{ID: raw.Header.Get("Content-ID")}
	if media, _, err := mime.ParseMediaType(raw.Header.Get("Content-Type")); err != nil || media != "application/http" {
		return p, errors.New("not application/http")
	}
	// The line end before the next boundary belongs to the boundary, so the empty line that ends a
	// header may be missing.
	text := bufio.NewReader(io.MultiReader(raw, strings.NewReader("\r\n\r\n")))
	line, err := text.ReadString('\n')
	if err != nil {
		return p, err
	}
	method, rest, _ := strings.Cut(line, " ")
	if path, protocol, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(path, "/") && !readablePath(path) {
		line, p.Refused = method+" / "+protocol, fault.InvalidURI
	}
	r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(line), text)))
	switch {
	case err != nil:
		return p, err
	case r.RequestURI[0] != '/':
		return p, errors.New("not a path")
	case r.ContentLength != 0:
		return p, errors.New("a request with a body")
	}
	r.Body = http.NoBody
	p.Request = r
	return p, nil
}

// readablePath reports whether a path and query may stand in a request line: in ASCII and
// percent-encoded.
func readablePath(path string) bool {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			return false
		}
	}
	_, err := url.ParseRequestURI(path)
	return err == nil
}

// BatchAnswer collects the answer to one request of a batch. It is an http.ResponseWriter.
type BatchAnswer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// NewBatchAnswer returns an empty answer.
func NewBatchAnswer() *BatchAnswer { return &BatchAnswer{header: http.Header{}} }

// Header returns the header fields, to be changed until the answer is appended.
func (a *BatchAnswer) Header() http.Header { return a.header }

// WriteHeader sets the status.
func (a *BatchAnswer) WriteHeader(status int) { a.status = status }

// Write adds to the body. It never fails.
func (a *BatchAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// unbatched lists header fields that the answer to the batch carries for all its parts, or that
// Append writes last.
var unbatched = []string{"Server", "Date", "Connection", "Content-Length", "Content-Type"}

// batchServer is the value of the Server header of a part.
const batchServer = "Windows-Azure-Blob/1.0"

// Append appends the answer as the part of a multipart body: the boundary in front, then the
// Content-ID unless it is "", then the answer, in the service's form (docs/facts/batch.md). Reason
// follows the status; "" stands for its usual text.
func (a *BatchAnswer) Append(dst []byte, boundary, id, reason string) []byte {
	dst = fmt.Appendf(dst, "--%s\r\nContent-Type: application/http\r\n", boundary)
	if id != "" {
		dst = fmt.Appendf(dst, "Content-ID: %s\r\n", id)
	}
	if reason == "" {
		reason = http.StatusText(a.status)
	}
	dst = fmt.Appendf(dst, "\r\nHTTP/1.1 %d %s\r\n", a.status, reason)
	names := make([]string, 0, len(a.header))
	for name := range a.header {
		if !slices.Contains(unbatched, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range a.header[name] {
			dst = fmt.Appendf(dst, "%s: %s\r\n", name, value)
		}
	}
	if a.body.Len() > 0 {
		dst = fmt.Appendf(dst, "Content-Length: %d\r\nContent-Type: %s\r\n", a.body.Len(), strings.Join(a.header["Content-Type"], ", "))
	}
	dst = append(dst, "Server: "+batchServer+"\r\n\r\n"...)
	if a.body.Len() == 0 {
		return dst // the line end before the boundary ends the header too
	}
	return append(append(dst, a.body.Bytes()...), "\r\n"...)
}
