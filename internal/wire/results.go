package wire

import (
	"encoding"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Content is the body of an answer that is streamed.
type Content interface {
	// Length returns how many bytes WriteTo will write.
	Length() int64
	// WriteTo writes the bytes. The writer is the bare one of the HTTP server, so io.CopyN(w, file, n) uses sendfile.
	WriteTo(w io.Writer) (int64, error)
	// Close is called exactly once, also if WriteTo was not.
	Close() error
}

// XMLAppender is a body that encodes itself: the root element without the declaration.
type XMLAppender interface{ AppendXML(dst []byte) []byte }

// Results writes result structs of type R as answers.
//
// Every field of R has one tag: `header:"Name"`, written with exactly that spelling; `meta:"prefix"` on a [Metadata];
// `status:""` on an int that replaces the status unless it is 0; `body:"xml"` on an [XMLAppender] or a type that encoding/xml
// writes; `body:"stream"` on a [Content]. Embedded structs without a tag are groups. A header may be a string, bool, integer,
// time.Duration (in whole seconds), []byte (Base64), an encoding.TextAppender or TextMarshaler, or a pointer to any of these.
// Zero values and nil pointers are not written, a pointer to a zero value is.
//
// Options behind the name: always (a zero value is written); since=date (only for requests of that version or newer).
type Results[R any] struct{ fields []field }

// CompileResults prepares the type R. It panics if a field has no tag, an unknown tag, or an unsupported type.
func CompileResults[R any]() *Results[R] {
	e := &Results[R]{fieldsOf(reflect.TypeFor[R]())}
	for _, f := range e.fields {
		writable := f.kind != kindText || writesText(f.typ)
		if f.source == inQuery || f.source == inStream && f.typ != reflect.TypeFor[Content]() || len(f.names) > 1 || !writable {
			panic(fmt.Sprintf("wire: %v %v cannot be a result, in %v", f.names, f.typ, reflect.TypeFor[R]()))
		}
	}
	return e
}

// writesText reports whether a value or pointer type can write itself as text.
func writesText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, i := range []reflect.Type{reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(i) || p.Implements(i) {
			return true
		}
	}
	return false
}

// Write answers a request with *v and the status, which a status field replaces. A body is left out for HEAD, though its
// length is told. The error is that of the body: the answer has begun by then, and the connection is of no more use.
func (e *Results[R]) Write(r *Request, status int, v *R) error {
	h := r.Writer.Header()
	r.setCommon(h)
	var out output
	defer out.close()
	s := reflect.ValueOf(v).Elem()
	for i := range e.fields {
		f := &e.fields[i]
		if f.since != "" && !r.Version.AtLeast(f.since) {
			continue
		}
		target := s.FieldByIndex(f.index)
		switch f.source {
		case inHeader:
			if text, ok := f.text(target, r.scratch[:0]); ok {
				r.setHeader(h, f.names[0], text)
			}
		case inMeta:
			target.Interface().(Metadata).write(h, f.names[0])
		case inStatus:
			if target.Int() != 0 {
				status = int(target.Int())
			}
		case inXML:
			if err := out.setXML(target.Addr().Interface()); err != nil {
				return err
			}
		case inStream:
			out.stream, _ = target.Interface().(Content)
		}
	}
	return out.send(r, h, status)
}

// setHeader sets a field with one value, spelled as given.
func (r *Request) setHeader(h http.Header, name, value string) {
	if r.nvalues == len(r.values) {
		h[name] = []string{value}
		return
	}
	i := r.nvalues
	r.values[i] = value
	r.nvalues++
	h[name] = r.values[i : i+1 : i+1]
}

// text returns what a header field is to say; ok is false if it is to be left out.
func (f *field) text(v reflect.Value, scratch []byte) (text string, ok bool) {
	if f.pointer {
		if v.IsNil() {
			return "", false
		}
		v = v.Elem()
	} else if !f.always && v.IsZero() {
		return "", false
	}
	switch f.kind {
	case kindString:
		return v.String(), true
	case kindBool:
		return strconv.FormatBool(v.Bool()), true
	case kindInt:
		return string(strconv.AppendInt(scratch, v.Int(), 10)), true
	case kindUint:
		return string(strconv.AppendUint(scratch, v.Uint(), 10)), true
	case kindSeconds:
		return string(strconv.AppendInt(scratch, v.Int()/int64(time.Second), 10)), true
	case kindBytes:
		return string(base64.StdEncoding.AppendEncode(scratch, v.Bytes())), true
	}
	return marshaled(v.Addr().Interface(), scratch), true
}

// marshaled returns the text of a value that writes itself; "" if it cannot, which only a mistake in the program brings about.
func marshaled(v any, scratch []byte) string {
	switch m := v.(type) {
	case encoding.TextAppender:
		b, _ := m.AppendText(scratch)
		return string(b)
	case encoding.TextMarshaler:
		b, _ := m.MarshalText()
		return string(b)
	}
	return ""
}

// output is the body of an answer: bytes, a stream, or nothing.
type output struct {
	bytes  []byte
	stream Content
}

// setXML encodes the body, unless it is a nil pointer.
func (o *output) setXML(v any) error {
	if p := reflect.ValueOf(v).Elem(); p.Kind() == reflect.Pointer || p.Kind() == reflect.Interface {
		if p.IsNil() {
			return nil
		}
		v = p.Interface()
	}
	o.bytes = append(make([]byte, 0, 512), XMLHeader...)
	if a, ok := v.(XMLAppender); ok {
		o.bytes = a.AppendXML(o.bytes)
		return nil
	}
	b, err := xml.Marshal(v)
	o.bytes = append(o.bytes, b...)
	return err
}

// close releases the stream.
func (o *output) close() {
	if o.stream != nil {
		o.stream.Close()
	}
}

// send writes status and body.
func (o *output) send(r *Request, h http.Header, status int) error {
	length := int64(len(o.bytes))
	switch {
	case o.stream != nil:
		length = o.stream.Length()
		if _, set := h["Content-Type"]; !set {
			h["Content-Type"] = nil // keeps the HTTP library from guessing one
		}
	case o.bytes != nil:
		r.setType(h, "application/xml")
	}
	head := r.Method == http.MethodHead
	bodiless := status == http.StatusNoContent || status == http.StatusNotModified
	if _, set := h["Content-Length"]; !set && !bodiless && (length > 0 || !head || o.stream != nil) {
		r.setHeader(h, "Content-Length", strconv.FormatInt(length, 10))
	}
	r.Status = status
	r.Writer.WriteHeader(status)
	if head || bodiless {
		return nil
	}
	var err error
	if o.stream != nil {
		r.Sent, err = o.stream.WriteTo(r.Writer)
	} else if length > 0 {
		var n int
		n, err = r.Writer.Write(o.bytes)
		r.Sent = int64(n)
	}
	r.Failure, _ = fault.Of(err)
	return err
}

// setType sets the content type unless the result did.
func (r *Request) setType(h http.Header, t string) {
	if _, set := h["Content-Type"]; !set {
		r.setHeader(h, "Content-Type", t)
	}
}
