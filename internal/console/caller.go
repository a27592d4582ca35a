package console

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/journal"
	"github.com/leasehold/leasehold/internal/wire"
)

// protocolVersion is the version that the console asks for.
const protocolVersion = "2024-11-04"

// maxAnswer bounds an answer that is kept in memory: the largest listing the console asks for.
const maxAnswer = 16 << 20

// inner makes a request of the protocol.
func (c *Console) inner(
	ctx context.Context, outer *http.Request, s *session, method, container, blob, query string, body io.Reader, w http.ResponseWriter,
) (*wire.Request, error) {
	target := "http://127.0.0.1/" + s.account
	if container != "" {
		target += "/" + url.PathEscape(container)
	} else {
		target += "/"
	}
	if blob != "" {
		target += "/" + url.PathEscape(blob)
	}
	if query != "" {
		target += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr, r.TLS = outer.RemoteAddr, outer.TLS
	r.Header.Set("x-ms-version", protocolVersion)
	r.Header.Set("User-Agent", "leasehold-console")
	return wire.NewRequest(w, r, c.Now(), c.addressing)
}

// operation is a request of the protocol that the viewer makes.
type operation struct {
	method, container, blob, query string
	header                         map[string]string
	body                           io.Reader
	length                         int64
}

// answer is what an operation was answered with.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header returns the header of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write keeps a part of the body.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.body.Len()+len(b) > maxAnswer {
		return 0, fmt.Errorf("console: an answer of more than %d bytes", maxAnswer)
	}
	return a.body.Write(b)
}

// get returns a header by its name as the service writes it.
func (a *answer) get(name string) string {
	for n, v := range a.header {
		if strings.EqualFold(n, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// answerError is a failure of an operation, in the words of the protocol.
type answerError struct {
	status        int
	Code, Message string
}

// Error returns the code and the sentence.
func (e *answerError) Error() string {
	sentence, _, _ := strings.Cut(e.Message, "\n")
	if sentence == "" {
		sentence = http.StatusText(e.status)
	}
	return strings.TrimSpace(sentence + " (" + e.Code + ")")
}

// call makes a request, and returns its answer if that is a success.
func (v *view) call(o operation) (*answer, error) {
	a := &answer{header: http.Header{}}
	if err := v.callTo(o, a); err != nil {
		return nil, err
	}
	if a.status >= 300 {
		e := &answerError{status: a.status, Code: a.get("x-ms-error-code")}
		xml.Unmarshal(a.body.Bytes(), e) // what can't be read stays empty
		return nil, e
	}
	return a, nil
}

// callTo makes a request that is answered to a writer.
func (v *view) callTo(o operation, w http.ResponseWriter) error {
	query := o.query
	if v.session.sas != "" {
		query = strings.Trim(query+"&"+v.session.sas, "&")
	}
	in, err := v.inner(v.r.Context(), v.r, v.session, o.method, o.container, o.blob, query, o.body, w)
	if err != nil {
		return err
	}
	in.ContentLength = o.length
	in.Header.Set("Content-Length", strconv.FormatInt(o.length, 10)) // as a client has to
	for name, value := range o.header {
		in.Header.Set(name, value)
	}
	if v.session.sas != "" {
		v.Service.Serve(in)
	} else {
		v.Service.ServeAs(in, v.grant)
	}
	return nil
}

// sees reports whether the viewer may see the leases in a container.
func (v *view) sees(container string) bool {
	return v.grant.Allow(auth.PermListBlobs, auth.Resource{Container: container}) == nil
}

// mayBreak reports whether the viewer may break the lease, and so may know who holds it.
func (v *view) mayBreak(name journal.Name) bool {
	need := auth.PermBreakLease
	if name.Blob == "" {
		need = auth.PermBreakContainerLease
	}
	return v.grant.Allow(need, auth.Resource{Container: name.Container, Blob: name.Blob}) == nil
}
