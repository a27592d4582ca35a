package wire

import (
	"bytes"
	"encoding/xml"
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

// readXML reads the XML body of a request into a value that encoding/xml knows. An empty body leaves it as it is, unless it
// is required.
func readXML(r *Request, f *field, into any) error {
	if err := announced(r); err != nil {
		return err
	}
	if r.ContentLength > f.max {
		return fault.BodyTooLarge(f.max)
	}
	raw, err := readAll(r, f.max)
	if err != nil {
		return err
	}
	raw = bytes.TrimPrefix(raw, []byte(XMLHeader[:3]))
	if len(raw) == 0 && !f.required {
		return nil
	}
	return decodeXML(raw, into)
}

// readAll reads a body of at most limit bytes.
func readAll(r *Request, limit int64) ([]byte, error) {
	size := r.ContentLength
	if size < 0 {
		size = 512
	}
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(countingBody{r}, limit+1))
	switch {
	case err != nil:
		return nil, err
	case n > limit:
		return nil, fault.BodyTooLarge(limit)
	}
	return buf.Bytes(), nil
}

// decodeXML reads one document. Every failure is told as one of the client's, with its place.
func decodeXML(raw []byte, into any) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	err := d.Decode(into)
	if err == nil {
		err = atEnd(d)
	}
	if err == nil {
		return nil
	}
	if _, ok := fault.Of(err); ok {
		return err
	}
	line, position := d.InputPos()
	reason := "The document is not well formed."
	if !errors.As(err, new(*xml.SyntaxError)) && !errors.Is(err, io.EOF) {
		reason = "The document does not have the expected content."
	}
	return fault.MalformedXML(line, position, reason)
}

// atEnd checks that nothing but white space, comments and the like follow the root element.
func atEnd(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return errForm
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errForm
			}
		}
	}
}
