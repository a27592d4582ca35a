package wire

import (
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Args reads requests into argument structs of type A.
//
// Every field of A has one tag: `header:"name"` or `query:"name"`, where several names with bars
// between stand for the first that was sent; `meta:"prefix"` on a [Metadata]; `body:"xml"` on a
// type that encoding/xml reads; `body:"stream"` on a [Body]. Embedded structs without a tag are
// groups. A header or parameter may be a string, bool, integer, time.Duration (in whole seconds),
// []byte (Base64), an encoding.TextUnmarshaler, or a pointer to any of these, which stays nil if it
// is absent; an empty value is absent.
//
// A header or parameter that was sent more than once is malformed, since nobody can tell which
// value is meant.
//
// Options behind the name: required; lenient (a malformed value is absent); since=version (before
// it the value is absent); max=n (bytes of an XML body, [DefaultMaxXML] otherwise).
type Args[A any] struct{ fields []field }

// CompileArgs prepares the type A. It panics if a field has no tag, an unknown tag, or an
// unsupported type.
func CompileArgs[A any]() *Args[A] {
	a := &Args[A]{fieldsOf(reflect.TypeFor[A]())}
	for _, f := range a.fields {
		readable := f.kind != kindText || readsText(f.typ)
		if f.source == inStatus || f.source == inStream && f.typ != reflect.TypeFor[Body]() || !readable {
			panic(fmt.Sprintf("wire: %v cannot be an argument, in %v", f.typ, reflect.TypeFor[A]()))
		}
	}
	return a
}

// readsText reports whether a value or pointer type can be read from text.
func readsText(t reflect.Type) bool {
	unmarshaler := reflect.TypeFor[encoding.TextUnmarshaler]()
	return t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler)
}

// Decode reads a request into *into, which must be zero. A malformed or missing header or parameter
// fails with its name: [fault.InvalidHeaderValue], [fault.InvalidQueryParameterValue],
// [fault.MissingRequiredHeader] and so on; a fault that UnmarshalText returns is kept as it is. An
// XML body is read and checked; a stream is left unread.
func (a *Args[A]) Decode(r *Request, into *A) error {
	v := reflect.ValueOf(into).Elem()
	for i := range a.fields {
		f := &a.fields[i]
		var err error
		switch f.source {
		case inHeader, inQuery:
			err = f.decode(r, v)
		case inMeta:
			var m Metadata
			if m, err = decodeMetadata(r, textproto.CanonicalMIMEHeaderKey(f.names[0])); m != nil {
				v.FieldByIndex(f.index).Set(reflect.ValueOf(m))
			}
		case inXML:
			err = readXML(r, f, v.FieldByIndex(f.index).Addr().Interface())
		case inStream:
			err = openBody(r, f, v.FieldByIndex(f.index).Addr().Interface().(*Body))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decode reads a header or parameter into its field of v.
func (f *field) decode(r *Request, v reflect.Value) error {
	if f.since != "" && !r.Version.AtLeast(f.since) {
		return nil
	}
	name, text := "", ""
	for i := range f.names {
		times := 0
		name = f.names[i]
		if text, times = f.sent(r, i); times > 1 {
			return f.invalid(name, "", errForm) // without the values: one of them may be a secret
		}
		if text != "" {
			break
		}
	}
	if text == "" {
		if f.required {
			return f.missing()
		}
		return nil
	}
	target := v.FieldByIndex(f.index)
	if f.pointer {
		target.Set(reflect.New(f.typ.Elem()))
		target = target.Elem()
	}
	err := f.set(target, text, r.scratch[:0])
	if err == nil {
		return nil
	}
	if f.lenient {
		v.FieldByIndex(f.index).SetZero()
		return nil
	}
	return f.invalid(name, text, err)
}

// sent returns the first value that was sent under the i-th name of the field, and how many values
// were sent.
func (f *field) sent(r *Request, i int) (text string, times int) {
	if f.source == inHeader {
		return headerValue(r.Header, f.canonical[i]), len(r.Header[f.canonical[i]])
	}
	if !r.Query.Has(f.canonical[i]) {
		return "", 0
	}
	return r.Query.Get(f.canonical[i]), 1 // repeats were refused when the query was read
}

// missing is the error for a required field that was not sent.
func (f *field) missing() error {
	if f.source == inQuery {
		return fault.MissingQuery(f.names[0])
	}
	return fault.MissingHeader(f.names[0])
}

// invalid returns the error for a value that does not parse. A fault is kept; the Message of
// another error, if it has one, replaces the sentence of the code.
func (f *field) invalid(name, text string, err error) error {
	if _, ok := fault.Of(err); ok {
		return err
	}
	e := fault.InvalidHeader(name, text)
	if f.source == inQuery {
		e = fault.InvalidQuery(name, text, "")
	}
	if err != errForm {
		e.Cause = err
	}
	if told, ok := err.(interface{ Message() string }); ok {
		e.Message = told.Message()
	}
	return e
}

// errForm reports a value that does not parse; the caller adds the name of the field.
var errForm = errors.New("malformed")

// set reads text into target according to the kind of the field.
func (f *field) set(target reflect.Value, text string, scratch []byte) error {
	switch f.kind {
	case kindString:
		target.SetString(text)
	case kindBool:
		yes := strings.EqualFold(text, "true")
		if !yes && !strings.EqualFold(text, "false") {
			return errForm
		}
		target.SetBool(yes)
	case kindInt:
		n, err := strconv.ParseInt(text, 10, target.Type().Bits())
		target.SetInt(n)
		return err
	case kindUint:
		n, err := strconv.ParseUint(text, 10, target.Type().Bits())
		target.SetUint(n)
		return err
	case kindSeconds:
		n, err := strconv.ParseInt(text, 10, 32)
		target.SetInt(n * int64(time.Second))
		return err
	case kindBytes:
		b, err := base64.StdEncoding.DecodeString(text)
		target.SetBytes(b)
		return err
	case kindText:
		return f.setText(target, append(scratch, text...))
	}
	return nil
}

// setText calls UnmarshalText. A required value that is zero afterwards is malformed.
func (f *field) setText(target reflect.Value, text []byte) error {
	p := target.Addr().Interface()
	if err := p.(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
		return err
	}
	if z, ok := p.(interface{ IsZero() bool }); ok && f.required && z.IsZero() {
		return errForm
	}
	return nil
}
