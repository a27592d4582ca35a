package wire

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/leasehold/leasehold/internal/fault"
)

// Body is the body of a request that the operation reads itself. Reading it is what makes the server answer a client that
// waits for "100 Continue", so everything that can be refused without it is to be refused first.
type Body struct {
	io.Reader
	// Length is what the client announced; -1 if it did not, so that whoever reads has to count.
	Length int64
}

// countingBody reads the body of a request and keeps count, for whoever has to get rid of the rest.
type countingBody struct{ r *Request }

// Read reads from the body of the request. A body that stalls is [fault.OperationTimedOut]; one that ends early or is
// malformed is [fault.InvalidInput], which nobody but the log will see.
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

// CheckLength refuses a PUT or POST that does not say beforehand how long its body is, be it that it has none or that it comes
// in chunks: [fault.MissingContentLengthHeader]. HTTP/2 says by itself that a request has no body, and the parts of a batch
// have none.
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
