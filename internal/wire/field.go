package wire

import (
	"encoding"
	"fmt"
	"net/textproto"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// source says where in a message a field of an argument or result struct lives.
type source int

const (
	inHeader source = iota
	inQuery
	inMeta
	inStatus
	inXML
	inStream
)

// kind says how the text of a field becomes its value and back.
type kind int

const (
	kindString kind = iota
	kindBool
	kindInt
	kindUint
	kindSeconds
	kindBytes
	kindText // encoding.TextUnmarshaler, TextAppender or TextMarshaler
	kindOther
)

var kindNames = [...]string{"string", "bool", "integer", "integer", "seconds", "base64", "text", ""}

// field is one tagged field, compiled.
type field struct {
	index     []int // for reflect.Value.FieldByIndex
	source    source
	kind      kind
	pointer   bool     // the field is a pointer to such a value; nil is absent
	names     []string // as written in the tag; the first that was sent wins
	canonical []string // names as they are looked up: those of parameters in lower case
	required  bool
	lenient   bool
	always    bool
	since     Version
	max       int64  // bytes of an XML body
	shape     *shape // of an XML body
	typ       reflect.Type
}

// DefaultMaxXML is the longest XML body in bytes unless its field says otherwise: 1 MiB holds every
// body of the protocol except a long block list.
const DefaultMaxXML = 1 << 20

// tags maps each struct tag to the part of a message that holds its field.
var tags = map[string]source{"header": inHeader, "query": inQuery, "meta": inMeta, "status": inStatus, "body": inXML}

// fieldsOf compiles the fields of a struct and of the structs embedded in it. It panics if one
// cannot be compiled, because that is a mistake in the program.
func fieldsOf(t reflect.Type) []field {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: %v is not a struct", t))
	}
	var all []field
	for sf := range t.Fields() {
		fail := func(why string) { panic(fmt.Sprintf("wire: field %s of %v: %s", sf.Name, t, why)) }
		if isGroup(sf) {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append(append([]int{}, sf.Index...), f.index...)
				all = append(all, f)
			}
			continue
		}
		f, err := compile(sf)
		if err != nil {
			fail(err.Error())
		}
		all = append(all, f)
	}
	seen := map[string]bool{}
	for _, f := range all {
		for _, name := range f.names {
			id := fmt.Sprint(f.source, strings.ToLower(name))
			if seen[id] && !(len(f.names) > 1) {
				panic(fmt.Sprintf("wire: %v has %s twice", t, name))
			}
			seen[id] = true
		}
	}
	return all
}

// compile compiles the tag and the type of one field.
func compile(sf reflect.StructField) (field, error) {
	f := field{index: sf.Index, typ: sf.Type, max: DefaultMaxXML}
	if !sf.IsExported() {
		return f, fmt.Errorf("is not exported")
	}
	text, n := "", 0
	for key, src := range tags {
		if value, ok := sf.Tag.Lookup(key); ok {
			f.source, text = src, value
			n++
		}
	}
	if n != 1 || strings.Count(string(sf.Tag), `:"`) != 1 {
		return f, fmt.Errorf("needs exactly one tag of header, query, meta, status and body, but has %q", sf.Tag)
	}
	name, options, _ := strings.Cut(text, ",")
	if err := f.setOptions(options); err != nil {
		return f, err
	}
	switch f.source {
	case inStatus:
		return f, check(name == "" && sf.Type.Kind() == reflect.Int, "a status is an int and has no name")
	case inMeta:
		f.names = []string{name}
		return f, check(sf.Type == reflect.TypeFor[Metadata]() && name != "", "metadata has type Metadata and a prefix")
	case inXML:
		return f, f.setBody(name)
	}
	for name := range strings.SplitSeq(name, "|") {
		if name == "" {
			return f, fmt.Errorf("has no name")
		}
		f.names = append(f.names, name)
		if f.source == inQuery {
			f.canonical = append(f.canonical, strings.ToLower(name))
		} else {
			f.canonical = append(f.canonical, textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	var ok bool
	f.kind, f.pointer, ok = kindOf(sf.Type)
	return f, check(ok, fmt.Sprintf("has the unsupported type %v", sf.Type))
}

// check returns an error with the text unless ok.
func check(ok bool, text string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s", text)
}

// setOptions reads what follows the name in a tag.
func (f *field) setOptions(options string) error {
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		var err error
		switch key {
		case "":
		case "required":
			f.required = true
		case "lenient":
			f.lenient = true
		case "always":
			f.always = true
		case "since":
			f.since, err = ParseVersion(value)
		case "max":
			f.max, err = strconv.ParseInt(value, 10, 64)
		default:
			err = fmt.Errorf("has the unknown option %q", option)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setBody reads the kind of a body: xml or stream.
func (f *field) setBody(name string) error {
	f.kind = kindOther
	switch name {
	case "xml":
		f.shape = shapeOf(f.typ, map[reflect.Type]*shape{})
		return nil
	case "stream":
		f.source = inStream
		return check(f.typ == reflect.TypeFor[Body]() || f.typ == reflect.TypeFor[Content](), "a stream is a Body or a Content")
	}
	return fmt.Errorf("body is %q, neither xml nor stream", name)
}

// kindOf returns how values of a type are read and written.
func kindOf(t reflect.Type) (k kind, pointer, ok bool) {
	if t.Kind() == reflect.Pointer {
		k, inner, ok := kindOf(t.Elem())
		return k, true, ok && !inner
	}
	p := reflect.PointerTo(t)
	if p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return kindText, false, true
	}
	switch t.Kind() {
	case reflect.String:
		return kindString, false, true
	case reflect.Bool:
		return kindBool, false, true
	case reflect.Int, reflect.Int32, reflect.Int64:
		if t == reflect.TypeFor[time.Duration]() {
			return kindSeconds, false, true
		}
		return kindInt, false, true
	case reflect.Uint32, reflect.Uint64:
		return kindUint, false, true
	case reflect.Slice:
		return kindBytes, false, t.Elem().Kind() == reflect.Uint8
	}
	return kindOther, false, false
}

// Field describes one field of an argument or result struct, for documentation.
type Field struct {
	Name     string  // of the header or parameter, the prefix of metadata, or "" for a status or body
	Other    string  // the name that is looked at if Name was not sent, or ""
	In       string  // "header", "query", "metadata", "status", "xml" or "stream"
	Kind     string  // "string", "bool", "integer", "seconds", "base64", "text" or "", if the type says it
	Type     string  // the Go type
	Required bool    // of an argument
	Since    Version // of a result: the first version that gets it
}

// Fields lists the fields of an argument or result struct in the order of their declaration, those
// of embedded structs in their place.
func Fields(t reflect.Type) []Field {
	places := [...]string{"header", "query", "metadata", "status", "xml", "stream"}
	var all []Field
	for _, f := range fieldsOf(t) {
		d := Field{In: places[f.source], Kind: kindNames[f.kind], Type: f.typ.String(), Required: f.required, Since: f.since}
		if len(f.names) > 0 {
			d.Name = f.names[0]
		}
		if len(f.names) > 1 {
			d.Other = f.names[1]
		}
		all = append(all, d)
	}
	return all
}
