package fault

import (
	"net/http"
	"strconv"
)

// NotModified is the answer to a conditional read whose If-None-Match or If-Modified-Since is not
// met: [ConditionNotMet] with status 304. Writes use the code itself, which is 412.
func NotModified() *Error { return &Error{Code: ConditionNotMet, Status: http.StatusNotModified} }

// InvalidHeader refuses the value of a header: [InvalidHeaderValue], naming both.
func InvalidHeader(name, value string) *Error { return header(InvalidHeaderValue, name, value) }

// UnsupportedHeaderNamed refuses a header that the operation does not take: [UnsupportedHeader],
// naming it and its value.
func UnsupportedHeaderNamed(name, value string) *Error { return header(UnsupportedHeader, name, value) }

// MissingHeader says that a required header is absent: [MissingRequiredHeader], naming it.
func MissingHeader(name string) *Error {
	return &Error{Code: MissingRequiredHeader, Details: []Detail{{"HeaderName", name}}}
}

// MissingLength says that a request does not tell how long its body is:
// [MissingContentLengthHeader], naming the header.
func MissingLength() *Error {
	return &Error{Code: MissingContentLengthHeader, Details: []Detail{{"HeaderName", "Content-Length"}}}
}

func header(c Code, name, value string) *Error {
	return &Error{Code: c, Details: []Detail{{"HeaderName", name}, {"HeaderValue", value}}}
}

// InvalidQuery refuses the value of a query parameter: [InvalidQueryParameterValue], naming both.
// The reason is a sentence for the client and may be empty.
func InvalidQuery(name, value, reason string) *Error {
	return &Error{Code: InvalidQueryParameterValue, Details: []Detail{
		{"QueryParameterName", name}, {"QueryParameterValue", value}, {"Reason", reason},
	}}
}

// OutOfRangeQuery refuses a number outside min to max, both inclusive:
// [OutOfRangeQueryParameterValue].
func OutOfRangeQuery(name, value string, min, max int64) *Error {
	return &Error{Code: OutOfRangeQueryParameterValue, Details: []Detail{
		{"QueryParameterName", name}, {"QueryParameterValue", value},
		{"MinimumAllowed", strconv.FormatInt(min, 10)}, {"MaximumAllowed", strconv.FormatInt(max, 10)},
	}}
}

// MissingQuery says that a required query parameter is absent: [MissingRequiredQueryParameter],
// naming it.
func MissingQuery(name string) *Error {
	return &Error{Code: MissingRequiredQueryParameter, Details: []Detail{{"QueryParameterName", name}}}
}

// BodyTooLarge refuses a body of more than limit bytes: [RequestBodyTooLarge].
func BodyTooLarge(limit int64) *Error {
	return &Error{Code: RequestBodyTooLarge, Details: []Detail{{"MaxLimit", strconv.FormatInt(limit, 10)}}}
}

// WrongMD5 says that the MD5 the client sent is not that of the body: [MD5Mismatch]. Both are in
// Base64.
func WrongMD5(user, server string) *Error {
	return &Error{Code: MD5Mismatch, Details: []Detail{{"UserSpecifiedMd5", user}, {"ServerCalculatedMd5", server}}}
}

// WrongCRC64 says that the CRC64 the client sent is not that of the body: [CRC64Mismatch]. Both are
// in Base64.
func WrongCRC64(user, server string) *Error {
	return &Error{Code: CRC64Mismatch, Details: []Detail{{"UserSpecifiedCrc64", user}, {"ServerCalculatedCrc64", server}}}
}

// InvalidXML refuses the text of an XML element: [InvalidXMLNodeValue].
func InvalidXML(node, value string) *Error { return xmlNode(InvalidXMLNodeValue, node, value) }

// MissingXML says that a required XML element is absent: [MissingRequiredXMLNode].
func MissingXML(node string) *Error { return xmlNode(MissingRequiredXMLNode, node, "") }

// UnsupportedXML refuses an XML element that does not belong there: [UnsupportedXMLNode].
func UnsupportedXML(node, value string) *Error { return xmlNode(UnsupportedXMLNode, node, value) }

func xmlNode(c Code, node, value string) *Error {
	return &Error{Code: c, Details: []Detail{{"XmlNodeName", node}, {"XmlNodeValue", value}}}
}

// MalformedXML says that an XML body is not well formed or not of the expected shape:
// [InvalidXMLDocument]. Lines and positions count from 1; the reason is a sentence for the client.
func MalformedXML(line, position int, reason string) *Error {
	return &Error{Code: InvalidXMLDocument, Details: []Detail{
		{"LineNumber", strconv.Itoa(line)}, {"LinePosition", strconv.Itoa(position)}, {"Reason", reason},
	}}
}

// NotAuthenticated refuses the credentials of a request: [AuthenticationFailed], with a sentence
// for the client that says why.
func NotAuthenticated(detail string) *Error {
	return &Error{Code: AuthenticationFailed, Details: []Detail{{"AuthenticationErrorDetail", detail}}}
}

// WrongSourceIP refuses the address a signature does not allow: [AuthorizationSourceIPMismatch],
// naming the address.
func WrongSourceIP(address string) *Error {
	return &Error{
		Code:    AuthorizationSourceIPMismatch,
		Message: "This request is not authorized to perform this operation using this source IP " + address + ".",
		Details: []Detail{{"SourceIP", address}},
	}
}

// CopySource wraps a failed read of a copy's source, which answered with a status, a code and a
// sentence: [CannotVerifyCopySource] with the source's status. Of those that are no error, 304 is
// passed on, because the service does so; all others become 412.
func CopySource(status int, code Code, message string) *Error {
	answer := status
	if answer < http.StatusBadRequest && answer != http.StatusNotModified {
		answer = http.StatusPreconditionFailed
	}
	e := &Error{Code: CannotVerifyCopySource, Status: answer, Message: message}
	s := strconv.Itoa(status)
	e.Details = []Detail{{"CopySourceStatusCode", s}, {"CopySourceErrorCode", string(code)}, {"CopySourceErrorMessage", message}}
	e.Header = []Detail{{"x-ms-copy-source-status-code", s}, {"x-ms-copy-source-error-code", string(code)}}
	return e
}
