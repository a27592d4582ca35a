package wire

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/leasehold/leasehold/internal/fault"
)

// Body is the body of a request that the operation reads itself. The first read sends "100
// Continue" to a client that waits for it, so a request that can be refused without its body must
// be refused before.
type Body struct {
	io.Reader
	// Length is the announced length; -1 if none was announced, and then the reader must count.
	Length int64
}

// countingBody reads the body of a request and counts its bytes, so that drain knows what is left.
type countingBody struct{ r *Request }

// Read reads from the body of the request. A body that stalls is [fault.OperationTimedOut]; one
// that ends early or is malformed is [fault.InvalidInput], which nobody but the log will see.
func (b countingBody) Read(p []byte) (int, error) {
	n, err := b.r.Request.Body.Read(p)
	b.r.bodyRead += int64(n)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, &fault.Error{Code: fault.OperationTimedOut, Cause: err}
	}
	return n, &fault.Error{Code: fault.InvalidInput, Cause: err}
}

// CheckLength refuses a PUT or POST without an announced length, even if it has no body or a
// chunked one: [fault.MissingContentLengthHeader]. Exempt are HTTP/2 requests without a body, which
// HTTP/2 marks by itself, and the parts of a batch, which never have one.
func (r *Request) CheckLength() error {
	if r.Method != http.MethodPut && r.Method != http.MethodPost || r.PartOf != nil {
		return nil
	}
	if silent := r.ProtoMajor < 2 && r.Header["Content-Length"] == nil; r.ContentLength < 0 || silent {
		return fault.MissingLength()
	}
	return nil
}

// openBody gives an operation the body of a request.
func openBody(r *Request, f *field, into *Body) error {
	if f.required && r.ContentLength == 0 {
		return fault.InvalidHeader("Content-Length", "0")
	}
	*into = Body{countingBody{r}, r.ContentLength}
	return nil
}
