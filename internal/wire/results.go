package wire

import (
	"encoding"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// Content is the body of an answer that is streamed.
type Content interface {
	// Length returns how many bytes WriteTo will write.
	Length() int64
	// WriteTo writes the bytes. The writer is the bare one of the HTTP server, so io.CopyN(w, file,
	// n) uses sendfile.
	WriteTo(w io.Writer) (int64, error)
	// Close is called exactly once, also if WriteTo was not.
	Close() error
}

// XMLAppender is a body that encodes itself: the root element without the declaration.
type XMLAppender interface{ AppendXML(dst []byte) []byte }

// Results writes result structs of type R as answers.
//
// Every field of R has one tag: `header:"Name"`, written with exactly that spelling;
// `meta:"prefix"` on a [Metadata]; `status:""` on an int that replaces the status unless it is 0;
// `body:"xml"` on an [XMLAppender] or a type that encoding/xml writes; `body:"stream"` on a
// [Content]. Embedded structs without a tag are groups. A header may be a string, bool, integer,
// time.Duration (in whole seconds), []byte (Base64), an encoding.TextAppender or TextMarshaler, or
// a pointer to any of these. Zero values and nil pointers are not written, a pointer to a zero
// value is.
//
// Options behind the name: always (a zero value is written); since=date (only for requests of that
// version or newer).
type Results[R any] struct{ members []member }

// CompileResults prepares the type R. It panics if a field has no tag, an unknown tag, or an
// unsupported type.
func CompileResults[R any]() *Results[R] {
	fields := fieldsOf(reflect.TypeFor[R]())
	for _, f := range fields {
		writable := f.kind != kindText || writesText(f.typ)
		if f.source == inQuery || f.source == inStream && f.typ != reflect.TypeFor[Content]() || len(f.names) > 1 || !writable {
			panic(fmt.Sprintf("wire: %v %v cannot be a result, in %v", f.names, f.typ, reflect.TypeFor[R]()))
		}
	}
	return &Results[R]{membersOf(fields, 0)}
}

// member is a field of a result struct, or a group with members of its own.
type member struct {
	at     int // its index in the struct
	field  *field
	group  []member
	silent bool // if the group is zero, nothing of it is written
}

// membersOf arranges fields as they are nested. All fields share their first depth indices.
func membersOf(fields []field, depth int) (members []member) {
	for len(fields) > 0 {
		f := &fields[0]
		m := member{at: f.index[depth], field: f}
		n := 1
		if len(f.index) > depth+1 {
			for n < len(fields) && fields[n].index[depth] == m.at {
				n++
			}
			m.field, m.group = nil, membersOf(fields[:n], depth+1)
			m.silent = !slices.ContainsFunc(fields[:n], func(f field) bool { return f.always || f.source == inXML })
		}
		members = append(members, m)
		fields = fields[n:]
	}
	return members
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

// Write answers a request with *v and the status, which a status field replaces. HEAD is answered
// with the length of the body but without the body. An error comes from writing the body: the
// answer has begun by then, so the connection can't be used again.
func (e *Results[R]) Write(r *Request, status int, v *R) error {
	h := r.Writer.Header()
	r.setCommon(h)
	out := output{status: status}
	defer out.close()
	if err := out.set(r, h, e.members, reflect.ValueOf(v).Elem()); err != nil {
		return err
	}
	return out.send(r, h)
}

// set sets status, headers and body from the members of a struct.
func (o *output) set(r *Request, h http.Header, members []member, of reflect.Value) error {
	for i := range members {
		m := &members[i]
		v := of.Field(m.at)
		if m.group != nil {
			if m.silent && v.IsZero() {
				continue
			}
			if err := o.set(r, h, m.group, v); err != nil {
				return err
			}
			continue
		}
		f := m.field
		if f.since != "" && !r.Version.AtLeast(f.since) {
			continue
		}
		switch f.source {
		case inHeader:
			if text, ok := f.text(v, &o.texts, r.scratch[:0]); ok {
				r.setHeader(h, f.names[0], text)
			}
		case inMeta:
			v.Interface().(Metadata).write(h, f.names[0])
		case inStatus:
			if v.Int() != 0 {
				o.status = int(v.Int())
			}
		case inXML:
			if err := o.setXML(v.Addr().Interface()); err != nil {
				return err
			}
		case inStream:
			o.stream, _ = v.Interface().(Content)
		}
	}
	return nil
}

// texts makes strings that share one allocation.
type texts struct{ all strings.Builder }

// textsSize is the size in bytes that the headers of most answers need.
const textsSize = 192

func (t *texts) add(text []byte) string {
	if t.all.Cap() == 0 {
		t.all.Grow(textsSize)
	}
	from := t.all.Len()
	t.all.Write(text)
	return t.all.String()[from:]
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

// text returns the value of a header field; ok is false if the field is left out.
func (f *field) text(v reflect.Value, all *texts, scratch []byte) (text string, ok bool) {
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
		return all.add(strconv.AppendInt(scratch, v.Int(), 10)), true
	case kindUint:
		return all.add(strconv.AppendUint(scratch, v.Uint(), 10)), true
	case kindSeconds:
		return all.add(strconv.AppendInt(scratch, v.Int()/int64(time.Second), 10)), true
	case kindBytes:
		return all.add(base64.StdEncoding.AppendEncode(scratch, v.Bytes())), true
	}
	return all.add(marshaled(v.Addr().Interface(), scratch)), true
}

// marshaled returns the text of a value that marshals itself; none if it fails, which only a
// mistake in the program causes.
func marshaled(v any, scratch []byte) (text []byte) {
	switch m := v.(type) {
	case encoding.TextAppender:
		text, _ = m.AppendText(scratch)
	case encoding.TextMarshaler:
		text, _ = m.MarshalText()
	}
	return text
}

// output is an answer before it is sent: its status, and its body, which is bytes, a stream, or
// nothing.
type output struct {
	status int
	texts  texts // of the headers
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
func (o *output) send(r *Request, h http.Header) error {
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
	bodiless := o.status == http.StatusNoContent || o.status == http.StatusNotModified
	if _, set := h["Content-Length"]; !set && !bodiless && (length > 0 || !head || o.stream != nil) {
		r.setHeader(h, "Content-Length", strconv.FormatInt(length, 10))
	}
	r.Status = o.status
	r.Writer.WriteHeader(o.status)
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
