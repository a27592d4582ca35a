// Package fault holds every way in which a request can fail, in the protocol's own words: a code, a
// status and a sentence.
//
// A rule that refuses returns a [Code], or an [Error] where the answer says more than its code
// does. Nothing here knows HTTP messages or XML; [Of] gives whoever renders an answer all there is
// to render.
package fault

import (
	"errors"
	"slices"
	"strings"
)

// Code is an error code of the protocol, as it stands in x-ms-error-code and in the Code element.
// It is an error by itself.
type Code string

// Error returns the code.
func (c Code) Error() string { return string(c) }

// Status returns the HTTP status that belongs to the code; 500 for a code that is not in the table.
func (c Code) Status() int { return entryOf(c).status }

// Message returns the sentence that belongs to the code, with a blob as its subject where a
// container is possible too (see [ForContainer]); the sentence of [InternalError] for a code that
// is not in the table.
func (c Code) Message() string { return entryOf(c).sentence }

// entryOf returns the row of a code, or that of InternalError.
func entryOf(c Code) entry {
	i, ok := slices.BinarySearchFunc(table[:], c, func(e entry, c Code) int { return strings.Compare(string(e.code), string(c)) })
	if !ok && c != InternalError {
		return entryOf(InternalError)
	}
	return table[i]
}

// Detail is a name with a value: an XML child that follows Message in the body of an error, or a
// response header.
type Detail struct{ Name, Value string }

// Error is a failure whose answer differs from what its code alone gives. errors.Is finds both its
// code and its cause.
type Error struct {
	Code    Code
	Status  int      // 0 stands for the code's own
	Message string   // "" stands for the code's own
	Details []Detail // further children of the XML body, in order
	Header  []Detail // further response headers, such as Content-Range
	Cause   error    // for the log only; never shown to the client
}

// Error returns the code and, if there is one, the cause. Details are left out: they may hold what
// the client sent.
func (e *Error) Error() string {
	if e.Cause != nil {
		return string(e.Code) + ": " + e.Cause.Error()
	}
	return string(e.Code)
}

// Unwrap returns the code and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Code, e.Cause}
	}
	return []error{e.Code}
}

// Of returns what a client is told about err, with Status and Message filled in: the first [Error]
// in err's tree, else the first [Code]. Anything else is an [InternalError] that keeps err as its
// cause, and ok is false. The result is a copy that the caller may change. Of(nil) is (nil, false).
func Of(err error) (full *Error, ok bool) {
	if err == nil {
		return nil, false
	}
	full = &Error{Code: InternalError, Cause: err}
	if e, found := errors.AsType[*Error](err); found {
		*full, ok = *e, true
	} else if c, found := errors.AsType[Code](err); found {
		full.Code, ok = c, true
	}
	if full.Status == 0 {
		full.Status = full.Code.Status()
	}
	if full.Message == "" {
		full.Message = full.Code.Message()
	}
	return full, ok
}

// ForContainer returns err as it is told about a container: the lease codes that name a blob become
// those that name a container, and the lease sentences change their noun. Every other error is
// returned as it is.
func ForContainer(err error) error {
	e, ok := Of(err)
	if !ok {
		return err
	}
	switch e.Code {
	case LeaseIDMismatchWithBlobOperation:
		return LeaseIDMismatchWithContainerOperation
	case LeaseNotPresentWithBlobOperation:
		return LeaseNotPresentWithContainerOperation
	case LeaseIDMismatchWithLeaseOperation, LeaseNotPresentWithLeaseOperation, LeaseIDMissing, LeaseLost:
		e.Message = strings.Replace(e.Code.Message(), "the blob", "the container", 1)
		return e
	}
	return err
}
