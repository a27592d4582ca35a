package holdtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one decoded request.
type call struct {
	req     *http.Request
	method  string
	path    string // container or container/blob
	query   url.Values
	comp    string
	header  http.Header
	body    []byte
	now     time.Time
	waitEnd time.Time // until when the caller is ready to wait; zero before the first wait
}

func newCall(req *http.Request) (*call, error) {
	c := &call{req: req, method: req.Method, path: strings.Trim(req.URL.Path, "/"), query: req.URL.Query(), header: http.Header{}}
	c.comp = c.query.Get("comp")
	for k, v := range req.Header { // the SDK writes some names in lower case
		c.header[http.CanonicalHeaderKey(k)] = v
	}
	if req.Body == nil {
		return c, nil
	}
	body, err := io.ReadAll(req.Body)
	c.body = body
	return c, err
}

func (c *call) isContainer() bool { return !strings.Contains(c.path, "/") }

func (c *call) containerName() string {
	name, _, _ := strings.Cut(c.path, "/")
	return name
}

func (c *call) noun() string {
	if c.isContainer() {
		return "Container"
	}
	return "Blob"
}

func (c *call) leaseID() string { return normal(c.header.Get("x-ms-lease-id")) }

// normal returns a lease ID in the form in which IDs are compared.
func normal(id string) string { return strings.ToLower(strings.Trim(id, "{}()")) }

func (c *call) metadata() map[string]string {
	m := map[string]string{}
	for k, v := range c.header {
		if name, ok := strings.CutPrefix(strings.ToLower(k), "x-ms-meta-"); ok {
			m[name] = v[0]
		}
	}
	return m
}

// conditions returns the code of the failure of the ETag conditions, or "".
func (c *call) conditions(r *resource) string {
	match, none := c.header.Get("If-Match"), c.header.Get("If-None-Match")
	switch {
	case match != "" && match != "*" && match != r.etag:
		return "ConditionNotMet"
	case none == "*" && c.method == http.MethodPut && c.comp == "" && !r.lease.locked(c.now):
		return "BlobAlreadyExists"
	case none != "" && none == r.etag:
		return "ConditionNotMet"
	}
	return ""
}

// statusOf returns the status of a refusal by a lease or a condition.
func statusOf(code string) int {
	if code == "BlobAlreadyExists" {
		return http.StatusConflict
	}
	return http.StatusPreconditionFailed
}

// reply is an answer, or, when wait is set, the demand to run the call again when wait is closed or
// until has come.
type reply struct {
	status int
	code   string
	header http.Header
	body   []byte
	wait   chan struct{}
	until  time.Time
}

func done(status int, r *resource) reply {
	a := reply{status: status, header: http.Header{}}
	a.header.Set("Etag", r.etag)
	a.header.Set("Last-Modified", r.modified.Format(http.TimeFormat))
	return a
}

func failed(status int, code string) reply {
	a := reply{status: status, code: code, header: http.Header{}}
	a.header.Set("x-ms-error-code", code)
	return a
}

func (a reply) with(name, value string) reply {
	a.header.Set(name, value)
	return a
}

func (a reply) response(req *http.Request) *http.Response {
	a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if a.code != "" && req.Method != http.MethodHead {
		a.header.Set("Content-Type", "application/xml")
		a.body = fmt.Appendf(nil, `<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, a.code, a.code)
	}
	return &http.Response{
		StatusCode: a.status, Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
}
