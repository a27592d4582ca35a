package wire

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/httpdate"
)

// ServerName is the value of the Server header, which clients know.
const ServerName = "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"

const (
	// maxEcho is how long an x-ms-client-request-id may be to be sent back.
	maxEcho = 1024
	// errorCodeSince is the first version whose failures carry the error code in a header.
	errorCodeSince Version = "2017-07-29"
	// maxDrain bounds the bytes of an unread body that are read and dropped before a failure is
	// answered. A client that sends without waiting for "100 Continue" loses the answer if the
	// connection is closed while it still sends; 16 MiB cover the blocks that SDKs cut uploads
	// into. Beyond that, closing is cheaper.
	maxDrain = 16 << 20
	// drainTime bounds the time to read the rest. strangerDrain is the bound for a client that is
	// not authenticated: it must not hold a connection by sending an unwanted body in drops.
	drainTime     = 20 * time.Second
	strangerDrain = 5 * time.Second
)

// errorTime is the layout of times in the bodies of failures.
const errorTime = "2006-01-02T15:04:05.0000000Z"

// setCommon sets the headers that every answer has.
func (r *Request) setCommon(h http.Header) {
	name := ServerName
	if r.Website {
		name = webServerName
	}
	r.setHeader(h, "Server", name)
	r.setHeader(h, "x-ms-request-id", r.ID)
	if r.Version != "" {
		r.setHeader(h, "x-ms-version", string(r.Version))
	}
	if id := headerValue(r.Header, "X-Ms-Client-Request-Id"); echoable(id) {
		r.setHeader(h, "x-ms-client-request-id", id)
	}
	r.setHeader(h, "Date", dates.of(r.Received))
}

// echoable reports whether a client's request ID is sent back: visible ASCII of bounded length.
func echoable(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxEcho
}

// dates caches the last HTTP date.
var dates dateCache

type dateCache struct{ last atomic.Pointer[dateText] }

type dateText struct {
	second int64
	text   string
}

// of returns t as an HTTP date.
func (c *dateCache) of(t time.Time) string {
	second := t.Unix()
	if d := c.last.Load(); d != nil && d.second == second {
		return d.text
	}
	d := &dateText{second, string(httpdate.Append(make([]byte, 0, httpdate.Len), t))}
	c.last.Store(d)
	return d.text
}

// WriteError answers a request with a failure: its status, the common headers, x-ms-error-code, and
// the XML body that says the same (a page of HTML on the website endpoint), except for HEAD and
// 304. An error that is not a fault is answered as [fault.InternalError], and its text is not
// shown. Nothing may have been written yet. Headers that were set for a success are dropped, except
// Vary and the cross-origin headers.
func WriteError(r *Request, err error) {
	e, _ := fault.Of(err)
	if e == nil {
		e, _ = fault.Of(fault.InternalError)
	}
	r.Failure, r.Status = e, e.Status
	h := r.Writer.Header()
	keepCrossOrigin(h)
	r.nvalues = 0
	r.setCommon(h)
	if r.Version == "" || r.Version.AtLeast(errorCodeSince) {
		r.setHeader(h, "x-ms-error-code", string(e.Code))
	}
	for _, extra := range e.Header {
		r.setHeader(h, extra.Name, extra.Value)
	}
	if r.drain(h) {
		// The answer comes first: a stranger gets no time for it.
		http.NewResponseController(r.Writer).EnableFullDuplex()
		defer r.drainStranger()
	}
	if r.Failing != nil {
		r.Failing(e.Status, e.Message)
	}
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		r.Writer.WriteHeader(e.Status)
		return
	}
	render, contentType := appendError, "application/xml"
	if r.Website {
		render, contentType = appendErrorPage, "text/html"
	}
	body := render(make([]byte, 0, 512), r, e)
	r.setHeader(h, "Content-Type", contentType)
	r.setHeader(h, "Content-Length", strconv.Itoa(len(body)))
	r.Writer.WriteHeader(e.Status)
	n, _ := r.Writer.Write(body) // a client that is gone needs no answer
	r.Sent = int64(n)
}

// keepCrossOrigin removes all headers except the ones that let a browser see the answer.
func keepCrossOrigin(h http.Header) {
	for name := range h {
		if name != "Vary" && !strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
}

// appendError appends the XML body of a failure.
func appendError(dst []byte, r *Request, e *fault.Error) []byte {
	dst = append(dst, XMLHeader+"<Error>"...)
	dst = AppendXMLElement(dst, "Code", string(e.Code))
	dst = append(dst, "<Message>"...)
	dst = AppendXMLText(dst, e.Message)
	dst = append(append(dst, "\nRequestId:"...), r.ID...)
	dst = append(dst, "\nTime:"...)
	dst = r.Received.UTC().AppendFormat(dst, errorTime)
	dst = append(dst, "</Message>"...)
	for _, d := range e.Details {
		dst = AppendXMLElement(dst, d.Name, d.Value)
	}
	return append(dst, "</Error>"...)
}

// drain reads and drops the rest of the body, so that the client reads the answer instead of seeing
// its connection reset. If the rest is too long or too slow, the connection is closed after the
// answer. A client that waits for "100 Continue" is not asked to send. drain reports whether the
// body is to be drained after the answer instead, because the client is not authenticated.
func (r *Request) drain(h http.Header) (later bool) {
	if r.ContentLength == 0 || r.Body == nil || r.ProtoMajor > 1 {
		return false // nothing to come, or a stream that can be reset by itself
	}
	waits := r.bodyRead == 0 && strings.EqualFold(headerValue(r.Header, "Expect"), "100-continue")
	if waits || r.ContentLength-r.bodyRead > maxDrain {
		r.setHeader(h, "Connection", "close")
		return false
	}
	if !r.Known {
		r.setHeader(h, "Connection", "close")
		return true
	}
	if !r.readRest(drainTime) {
		r.setHeader(h, "Connection", "close")
	}
	return false
}

// drainStranger flushes the answer, then drops the body that a client without authentication still
// sends.
func (r *Request) drainStranger() {
	if http.NewResponseController(r.Writer).Flush() == nil {
		r.readRest(strangerDrain)
	}
}

// readRest drops the rest of the body and reports whether the body ended in time.
func (r *Request) readRest(within time.Duration) bool {
	if r.BoundBody != nil {
		r.BoundBody(within)
	}
	_, err := io.CopyN(io.Discard, r.Request.Body, maxDrain+1)
	return err == io.EOF
}
