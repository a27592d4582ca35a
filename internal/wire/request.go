package wire

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// Request is one request, with everything that operations need to know about it and the writer of
// its answer.
type Request struct {
	*http.Request
	// Writer is the bare writer of the HTTP server: copying a file to it uses sendfile.
	Writer http.ResponseWriter
	// ID identifies the request in its answer and in the log. It is never empty.
	ID string
	// Received is when the request arrived; answers are dated with it.
	Received time.Time
	// Version is the version the request asks for; "" if it could not be read.
	Version Version
	// Unversioned is true if the request asks for no version and Version is a default.
	Unversioned bool
	Target
	Query Query
	// MetaNames, if not nil, returns a header name as the client spelled it, given its canonical
	// form. Without it metadata names are in lower case.
	MetaNames func(canonical string) string
	// Failing, if not nil, is called with a failure before it is answered, for the status line.
	Failing func(status int, sentence string)

	// Known is true once the sender of the request is authenticated.
	Known bool
	// BoundBody, if not nil, cuts off the rest of the body after the given time.
	BoundBody func(time.Duration)

	// The outcome of the request, for the log and the metrics. The dispatcher sets Operation; the
	// rest is set when the answer is written.
	Operation string       // the name of the row, or "" if there was none
	Status    int          // 0 as long as nothing has been written
	Failure   *fault.Error // the failure that was answered or, after a success, that cut the answer short; nil if all went well
	Sent      int64        // bytes of the body of the answer
	// Waited is how long the request has waited for a lease that another holder had.
	Waited time.Duration
	// Principal names the authenticated sender: the object ID behind a token, else the kind of
	// the credential. It is "" if the request was refused before.
	Principal string

	// NotePart, if not nil, is called with each part of this request that was served, and how long
	// it took.
	NotePart func(part *Request, took time.Duration)
	// PartOf is the batch that this request is a part of; nil for a request that came alone.
	PartOf *Request

	bodyRead int64                // bytes of the body that went through Body or a decoder
	values   [headerValues]string // backing of the one-element header values of the answer
	nvalues  int
	scratch  [64]byte // for values on their way into UnmarshalText
}

// headerValues is how many header values of an answer need no allocation. The largest answer, Get
// Blob with everything set, has a few more.
const headerValues = 27

// NewRequest reads target, version and query of a request that arrived at now. The Request is
// usable for rendering an answer even if an error is returned. Nothing of the body is read. o may
// be nil.
func NewRequest(w http.ResponseWriter, r *http.Request, now time.Time, o *Addressing) (*Request, error) {
	req := &Request{Request: r, Writer: w, ID: newID(), Received: now}
	var err error
	if err = o.admit(r.Host); err != nil {
		return req, err
	}
	if req.Target, err = ParseTarget(r.Host, r.URL.EscapedPath(), o); err != nil {
		return req, err
	}
	if req.Website {
		req.Version = webVersion
		return req, nil
	}
	if req.Query, err = query.Parse(r.URL.RawQuery); err != nil {
		return req, err
	}
	if req.Level == LevelContainer && req.Query.Get("restype") == "" {
		if req.Target, err = req.InRoot(); err != nil {
			return req, err
		}
	}
	if req.Version, err = versionOf(r.Header.Get("X-Ms-Version"), req.Query); err == nil && req.Version == "" {
		req.Unversioned = true
		req.Version, err = o.defaultVersion(r.Context(), req.Account)
	}
	return req, err
}

// BodyRead returns how many bytes of the body of the request have been read.
func (r *Request) BodyRead() int64 { return r.bodyRead }

// newID returns a fresh ID in the shape of a GUID, ending in six zeros as the service's IDs do.
func newID() string {
	var raw [16]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		raw[i] = byte(hi >> (8 * i))
		raw[8+i] = byte(lo >> (8 * i))
	}
	raw[13], raw[14], raw[15] = 0, 0, 0
	var text [36]byte
	hex.Encode(text[0:8], raw[0:4])
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:36], raw[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
