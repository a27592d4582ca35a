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

// announced refuses a request that says nothing about the length of its body, as far as its protocol version demands it.
func announced(r *Request) error {
	if r.ContentLength == 0 && r.ProtoMajor < 2 && r.Header["Content-Length"] == nil && r.Method != http.MethodGet {
		return fault.MissingContentLengthHeader
	}
	return nil
}

// openBody gives an operation the body of a request.
func openBody(r *Request, f *field, into *Body) error {
	if err := announced(r); err != nil {
		return err
	}
	if f.required && r.ContentLength == 0 {
		return fault.InvalidHeader("Content-Length", "0")
	}
	*into = Body{countingBody{r}, r.ContentLength}
	return nil
}
