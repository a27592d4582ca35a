package fault

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declared returns the constants of codes.go as name → wire form.
func declared(t *testing.T) map[string]Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Code{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = Code(text)
		return true
	})
	return found
}

func TestTableHoldsEveryConstantOnceInOrder(t *testing.T) {
	want := declared(t)
	var codes []Code
	for _, e := range table {
		codes = append(codes, e.code)
	}
	if len(codes) != len(want) || len(codes) < 120 {
		t.Fatalf("%d rows for %d constants", len(codes), len(want))
	}
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Error("rows are not in strictly ascending order")
	}
	for name, code := range want {
		if !slices.Contains(codes, code) {
			t.Errorf("%s has no row", name)
		}
		if !strings.EqualFold(name, string(code)) {
			t.Errorf("%s = %q differ in more than letter case", name, code)
		}
	}
}

func TestRowsAreSane(t *testing.T) {
	statuses := []int{400, 401, 403, 404, 405, 409, 411, 412, 413, 416, 500, 503}
	for _, e := range table {
		if !slices.Contains(statuses, e.status) {
			t.Errorf("%s: status %d", e.code, e.status)
		}
		if !strings.HasSuffix(e.sentence, ".") || strings.ContainsAny(e.sentence, "\n°|`") {
			t.Errorf("%s: sentence %q", e.code, e.sentence)
		}
		if e.code.Status() != e.status || e.code.Message() != e.sentence || e.code.Error() != string(e.code) {
			t.Errorf("%s: methods disagree with its row", e.code)
		}
	}
	if Code("Nonsense").Status() != 500 || Code("").Message() != InternalError.Message() {
		t.Error("an unknown code must be told as an internal error")
	}
}

func TestOf(t *testing.T) {
	detailed := InvalidHeader("x-ms-lease-id", "x")
	tests := []struct {
		name   string
		err    error
		code   Code
		status int
		ok     bool
	}{
		{"code", BlobNotFound, BlobNotFound, 404, true},
		{"wrapped code", fmt.Errorf("loading: %w", BlobNotFound), BlobNotFound, 404, true},
		{"error", detailed, InvalidHeaderValue, 400, true},
		{"wrapped error", fmt.Errorf("decoding: %w", detailed), InvalidHeaderValue, 400, true},
		{"outer of two", &Error{Code: CannotVerifyCopySource, Cause: detailed}, CannotVerifyCopySource, 500, true},
		{"own status", NotModified(), ConditionNotMet, 304, true},
		{"foreign", io.ErrUnexpectedEOF, InternalError, 500, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Of(tt.err)
			if ok != tt.ok || got.Code != tt.code || got.Status != tt.status || got.Message != tt.code.Message() {
				t.Errorf("got %+v, %v", got, ok)
			}
			if !ok && !errors.Is(got, tt.err) {
				t.Error("the cause is lost")
			}
		})
	}
	if got, ok := Of(nil); got != nil || ok {
		t.Error("nil is not a failure")
	}
	if detailed.Status != 0 || detailed.Message != "" {
		t.Error("Of changed its argument")
	}
}

func TestErrorUnwraps(t *testing.T) {
	err := fmt.Errorf("reading: %w", &Error{Code: InvalidRange, Cause: io.EOF})
	if !errors.Is(err, InvalidRange) || !errors.Is(err, io.EOF) || errors.Is(err, BlobNotFound) {
		t.Error("errors.Is must find the code and the cause and nothing else")
	}
	if got := err.Error(); got != "reading: InvalidRange: EOF" {
		t.Errorf("text is %q", got)
	}
	if got := WrongMD5("a", "b").Error(); got != "Md5Mismatch" {
		t.Errorf("text is %q", got)
	}
}

func TestForContainer(t *testing.T) {
	sentences := map[Code]struct {
		code    Code
		message string
	}{
		LeaseIDMismatchWithBlobOperation:  {LeaseIDMismatchWithContainerOperation, "The lease ID specified did not match the lease ID for the container."},
		LeaseNotPresentWithBlobOperation:  {LeaseNotPresentWithContainerOperation, "There is currently no lease on the container."},
		LeaseIDMismatchWithLeaseOperation: {LeaseIDMismatchWithLeaseOperation, "The lease ID specified did not match the lease ID for the container."},
		LeaseNotPresentWithLeaseOperation: {LeaseNotPresentWithLeaseOperation, "There is currently no lease on the container."},
		LeaseIDMissing:                    {LeaseIDMissing, "There is currently a lease on the container and no lease ID was specified in the request."},
		LeaseLost:                         {LeaseLost, "A lease ID was specified, but the lease for the container has expired."},
		LeaseAlreadyPresent:               {LeaseAlreadyPresent, "There is already a lease present."},
		BlobNotFound:                      {BlobNotFound, "The specified blob does not exist."},
	}
	for in, want := range sentences {
		got, ok := Of(ForContainer(in))
		if !ok || got.Code != want.code || got.Message != want.message || got.Status != in.Status() {
			t.Errorf("%s: got %+v", in, got)
		}
	}
	if ForContainer(nil) != nil || ForContainer(io.EOF) != io.EOF {
		t.Error("what is no lease failure must stay as it is")
	}
}

func TestConstructors(t *testing.T) {
	tests := []struct {
		err  *Error
		want string
	}{
		{InvalidHeader("n", "v"), "InvalidHeaderValue [{HeaderName n} {HeaderValue v}]"},
		{UnsupportedHeaderNamed("n", "v"), "UnsupportedHeader [{HeaderName n} {HeaderValue v}]"},
		{MissingHeader("n"), "MissingRequiredHeader [{HeaderName n}]"},
		{InvalidQuery("n", "v", "r"), "InvalidQueryParameterValue [{QueryParameterName n} {QueryParameterValue v} {Reason r}]"},
		{OutOfRangeQuery("n", "v", 1, 5000), "OutOfRangeQueryParameterValue [{QueryParameterName n} {QueryParameterValue v} {MinimumAllowed 1} {MaximumAllowed 5000}]"},
		{MissingQuery("n"), "MissingRequiredQueryParameter [{QueryParameterName n}]"},
		{BodyTooLarge(42), "RequestBodyTooLarge [{MaxLimit 42}]"},
		{WrongMD5("u", "s"), "Md5Mismatch [{UserSpecifiedMd5 u} {ServerCalculatedMd5 s}]"},
		{WrongCRC64("u", "s"), "Crc64Mismatch [{UserSpecifiedCrc64 u} {ServerCalculatedCrc64 s}]"},
		{InvalidXML("n", "v"), "InvalidXmlNodeValue [{XmlNodeName n} {XmlNodeValue v}]"},
		{MissingXML("n"), "MissingRequiredXmlNode [{XmlNodeName n} {XmlNodeValue }]"},
		{UnsupportedXML("n", "v"), "UnsupportedXmlNode [{XmlNodeName n} {XmlNodeValue v}]"},
		{MalformedXML(1, 2, "r"), "InvalidXmlDocument [{LineNumber 1} {LinePosition 2} {Reason r}]"},
		{NotAuthenticated("d"), "AuthenticationFailed [{AuthenticationErrorDetail d}]"},
		{WrongSourceIP("1.2.3.4"), "AuthorizationSourceIPMismatch [{SourceIP 1.2.3.4}]"},
		{MissingLength(), "MissingContentLengthHeader [{HeaderName Content-Length}]"},
		{CopySource(404, BlobNotFound, "m"), "CannotVerifyCopySource [{CopySourceStatusCode 404} {CopySourceErrorCode BlobNotFound} {CopySourceErrorMessage m}]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(tt.err.Code, " ", tt.err.Details); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	if got := CopySource(http.StatusNotModified, ConditionNotMet, "m"); got.Status != 304 || got.Header[0].Value != "304" {
		t.Errorf("a source's 304 became %+v", got)
	}
	if got := CopySource(http.StatusNoContent, "", "m"); got.Status != 412 || got.Header[0].Value != "204" {
		t.Errorf("a source's 204 became %+v", got)
	}
	if got := WrongSourceIP("1.2.3.4").Message; !strings.HasSuffix(got, "source IP 1.2.3.4.") {
		t.Errorf("sentence is %q", got)
	}
}
