package service_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// errorBody is the body of an error with everything that may name what is to blame.
type errorBody struct {
	Code, Message                  string
	HeaderName, HeaderValue        string
	QueryParameterName             string
	QueryParameterValue            string
	MinimumAllowed, MaximumAllowed string
	XMLNodeName                    string `xml:"XmlNodeName"`
	MaxLimit                       string
}

// refusedFor tells what an answer lacks to be the given refusal that names a header or
// parameter and its value: "" if nothing.
func (s *store) refusedFor(a *answer, code, name, value, method string) string {
	if a.code() != code || a.status != fault.Code(code).Status() {
		return fmt.Sprintf("%d %s, want %s", a.status, a.code(), code)
	}
	if method == "HEAD" {
		return ""
	}
	var e errorBody
	if err := xml.Unmarshal(bytes.TrimPrefix(a.body, []byte("\xEF\xBB\xBF")), &e); err != nil {
		return err.Error()
	}
	named, valued := e.HeaderName+e.QueryParameterName, e.HeaderValue+e.QueryParameterValue
	if e.Code != code || !strings.EqualFold(named, name) || valued != value {
		return fmt.Sprintf("%s names %q with %q", e.Code, named, valued)
	}
	return ""
}
