package wire

import (
	"bytes"
	"crypto/md5"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash/crc64"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leasehold/leasehold/internal/fault"
)

// SeesXML is implemented by a body that needs its raw bytes. SeeXML is called before the body is
// decoded, and must not keep the bytes.
type SeesXML interface{ SeeXML(raw []byte) }

// Bounds of XML bodies.
const (
	// maxXMLBodies bounds the bytes of all XML bodies that are being read and decoded, of all
	// requests together: ten of the longest, which are lists of 50,000 blocks. Decoding one takes
	// about as much again.
	maxXMLBodies = 128 << 20
	// maxXMLDepth bounds the nesting of elements. The documents of the protocol are five deep.
	maxXMLDepth = 32
	// maxXMLTag bounds the bytes of one tag: encoding/xml needs twenty times the memory of a tag
	// full of attributes, and the protocol has no attributes but name spaces.
	maxXMLTag = 8 << 10
)

// xmlBodies counts the bytes of XML bodies that are in memory.
var xmlBodies = budget{limit: maxXMLBodies}

// budget is a number of bytes that all requests share.
type budget struct {
	limit int64
	taken atomic.Int64
}

// take takes n bytes and reports whether as many were left.
func (b *budget) take(n int64) bool {
	if b.taken.Add(n) <= b.limit {
		return true
	}
	b.taken.Add(-n)
	return false
}

func (b *budget) give(n int64) { b.taken.Add(-n) }

// readXML reads the XML body of a request into a value that encoding/xml knows. An empty body
// leaves the value as it is, unless the body is required.
func readXML(r *Request, f *field, into any) error {
	if r.ContentLength > f.max {
		return fault.BodyTooLarge(f.max)
	}
	size := r.ContentLength
	if size < 0 {
		size = f.max
	}
	if !xmlBodies.take(size) {
		return &fault.Error{Code: fault.ServerBusy, Header: []fault.Detail{{Name: "Retry-After", Value: "1"}}}
	}
	defer xmlBodies.give(size)
	raw, err := readAll(r, f.max)
	if err == nil {
		err = verify(raw, r)
	}
	if err != nil {
		return err
	}
	if g, ok := into.(SeesXML); ok {
		g.SeeXML(raw)
	}
	raw = bytes.TrimPrefix(raw, []byte(XMLHeader[:3]))
	if len(raw) == 0 && !f.required {
		return nil
	}
	return decodeXML(raw, f.shape, into)
}

// readAll reads a body of at most limit bytes.
func readAll(r *Request, limit int64) ([]byte, error) {
	size := r.ContentLength
	if size < 0 {
		size = bytes.MinRead
	}
	buf := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(countingBody{r}, limit+1))
	switch {
	case err != nil:
		return nil, err
	case n > limit:
		return nil, fault.BodyTooLarge(limit)
	}
	return buf.Bytes(), nil
}

// crcTable is the table of the protocol's CRC-64. Bodies that are stored are hashed elsewhere, and
// faster.
var crcTable = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9A6C9329AC4BC9B5) })

// verify checks a body against the hashes that were sent with it.
func verify(raw []byte, r *Request) error {
	sentMD5, sentCRC := headerValue(r.Header, "Content-Md5"), headerValue(r.Header, "X-Ms-Content-Crc64")
	if sentMD5 != "" && sentCRC != "" {
		return fault.BothCRC64AndMD5HeaderPresent
	}
	if sentMD5 != "" {
		want, err := base64.StdEncoding.DecodeString(sentMD5)
		if err != nil || len(want) != md5.Size {
			return fault.InvalidMD5
		}
		if got := md5.Sum(raw); !bytes.Equal(got[:], want) {
			return fault.WrongMD5(sentMD5, base64.StdEncoding.EncodeToString(got[:]))
		}
	}
	if sentCRC != "" {
		want, err := base64.StdEncoding.DecodeString(sentCRC)
		if err != nil || len(want) != crc64.Size {
			return fault.InvalidHeader("x-ms-content-crc64", sentCRC)
		}
		got := binary.LittleEndian.AppendUint64(nil, crc64.Checksum(raw, crcTable()))
		if !bytes.Equal(got, want) {
			return fault.WrongCRC64(sentCRC, base64.StdEncoding.EncodeToString(got))
		}
	}
	return nil
}

// decodeXML reads one document. Every failure is the client's: [fault.InvalidXMLDocument] with its
// place if the document is not well formed or has another root, [fault.UnsupportedXMLNode] for an
// element that the type does not have, and [fault.InvalidXMLNodeValue] for text that its field
// cannot hold.
func decodeXML(raw []byte, s *shape, into any) error {
	if at := longTag(raw); at >= 0 {
		return fault.MalformedXML(1+bytes.Count(raw[:at], []byte("\n")), at-bytes.LastIndexByte(raw[:at], '\n'), "A tag is too long.")
	}
	g := &guard{inner: xml.NewDecoder(bytes.NewReader(raw)), root: s}
	d := xml.NewTokenDecoder(g)
	err := d.Decode(into)
	if err == nil {
		err = atEnd(d)
	}
	if err == nil {
		return nil
	}
	if _, ok := fault.Of(err); ok {
		return err
	}
	line, position := g.inner.InputPos()
	switch {
	case errors.As(err, new(*xml.SyntaxError)) || errors.Is(err, io.EOF):
		return fault.MalformedXML(line, position, "The document is not well formed.")
	case errors.As(err, new(xml.UnmarshalError)) || errors.Is(err, errForm) || g.ended == "":
		return fault.MalformedXML(line, position, "The document does not have the expected content.")
	}
	return fault.InvalidXML(g.ended, string(g.text))
}

// longTag returns the offset of the first tag that is longer than maxXMLTag; -1 if there is none.
func longTag(raw []byte) int {
	for at := 0; ; {
		next := bytes.IndexByte(raw[at:], '<')
		if next < 0 {
			return -1
		}
		at += next
		n, tag := markupLength(raw[at:])
		if tag && n > maxXMLTag {
			return at
		}
		at += n
	}
}

// markupEnds lists the beginning and the end of each markup that begins with "<" and is no tag.
var markupEnds = [][2]string{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"<!", ">"}}

// markupLength returns the length of the markup that begins raw, and whether it is a tag. It looks
// no further than a tag may go.
func markupLength(raw []byte) (n int, tag bool) {
	for _, m := range markupEnds {
		if bytes.HasPrefix(raw, []byte(m[0])) {
			if end := bytes.Index(raw, []byte(m[1])); end >= 0 {
				return end + len(m[1]), false
			}
			return len(raw), false
		}
	}
	quote := byte(0)
	for i, c := range raw {
		switch {
		case i > maxXMLTag:
			return i, true
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1, true
		}
	}
	return len(raw), true
}

// atEnd checks that nothing but white space, comments and the like follow the root element.
func atEnd(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement, xml.EndElement:
			return errForm
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errForm
			}
		}
	}
}

// shape holds the elements that a type reads from XML. encoding/xml skips others, but the protocol
// refuses them.
type shape struct {
	anything bool // below here all elements are fine
	children map[string]*shape
}

// child returns the shape of a child element, nil if there is none of this name.
func (s *shape) child(name string) *shape {
	if s.anything {
		return s
	}
	return s.children[name]
}

// shapeOf returns the shape of a type. known holds the types that are begun, since a type may
// contain itself.
func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if s, ok := known[t]; ok {
		return s
	}
	s := &shape{children: map[string]*shape{}}
	known[t] = s
	p := reflect.PointerTo(t)
	if p.Implements(reflect.TypeFor[xml.Unmarshaler]()) {
		s.anything = true
	} else if t.Kind() == reflect.Struct && !p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		s.addFields(t, known)
	}
	return s
}

// addFields adds the elements of the fields of a struct.
func (s *shape) addFields(t reflect.Type, known map[reflect.Type]*shape) {
	for f := range t.Fields() {
		tag := f.Tag.Get("xml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || f.Name == "XMLName" || !f.IsExported() && !f.Anonymous:
		case strings.Contains(options, "any") && !strings.Contains(options, "attr"), strings.Contains(options, "innerxml"):
			s.anything = true
		case strings.Contains(options, "attr"), strings.Contains(options, "chardata"), strings.Contains(options, "cdata"), strings.Contains(options, "comment"):
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			s.addFields(f.Type, known)
		default:
			s.add(elementName(f, name), shapeOf(f.Type, known))
		}
	}
}

// add adds a path of elements that ends in one of a given shape.
func (s *shape) add(path string, leaf *shape) {
	name, rest, deeper := strings.Cut(path, ">")
	if !deeper {
		s.children[name] = leaf
		return
	}
	if s.children[name] == nil {
		s.children[name] = &shape{children: map[string]*shape{}}
	}
	s.children[name].add(rest, leaf)
}

// elementName returns the name of the element that a field stands for.
func elementName(f reflect.StructField, tagged string) string {
	if tagged != "" {
		return tagged[strings.LastIndexByte(tagged, ' ')+1:] // without the name space
	}
	t := f.Type
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		if inner, ok := t.FieldByName("XMLName"); ok {
			if name, _, _ := strings.Cut(inner.Tag.Get("xml"), ","); name != "" {
				return name[strings.LastIndexByte(name, ' ')+1:]
			}
		}
	}
	return f.Name
}

// maxNodeValue is how much of an element's text an error repeats.
const maxNodeValue = 256

// guard passes on the tokens of a document while its elements fit a shape. It remembers the element
// that ended last: if decoding fails, the text of this element is the cause.
type guard struct {
	inner *xml.Decoder
	root  *shape
	open  []*shape // of the elements that have not ended
	ended string   // the name of the element that ended last
	text  []byte   // its text
}

// Token returns the next token, for xml.NewTokenDecoder, which checks that elements match.
func (g *guard) Token() (xml.Token, error) {
	token, err := g.inner.RawToken()
	if err != nil {
		return token, err
	}
	switch t := token.(type) {
	case xml.StartElement:
		next := g.root
		if n := len(g.open); n > 0 {
			next = g.open[n-1].child(t.Name.Local)
		}
		if next == nil {
			return nil, fault.UnsupportedXML(t.Name.Local, "")
		}
		if len(g.open) == maxXMLDepth {
			line, position := g.inner.InputPos()
			return nil, fault.MalformedXML(line, position, "The elements lie too deep in each other.")
		}
		g.open, g.text = append(g.open, next), g.text[:0]
	case xml.CharData:
		if room := maxNodeValue - len(g.text); room > 0 {
			g.text = append(g.text, t[:min(len(t), room)]...)
		}
	case xml.EndElement:
		g.ended = t.Name.Local
		if n := len(g.open); n > 0 {
			g.open = g.open[:n-1]
		}
	}
	return token, nil
}
