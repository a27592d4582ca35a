package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

// tree is a document without a depth of its own.
type tree struct {
	XMLName xml.Name `xml:"Tree"`
	Inner   *tree    `xml:"Tree"`
}

// TestXMLDepthAndTags decodes documents at both bounds, and beyond.
func TestXMLDepthAndTags(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("<Tree>", n) + strings.Repeat("</Tree>", n) }
	tag := func(n int) string { return "<Tree a='" + strings.Repeat(">", n-len("<Tree a=''>")) + "'></Tree>" }
	long := strings.Repeat("x", 2*maxXMLTag)
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"deep":                {nested(maxXMLDepth), true},
		"too deep":            {nested(maxXMLDepth + 1), false},
		"a long tag":          {tag(maxXMLTag), true},
		"too long a tag":      {tag(maxXMLTag + 1), false},
		"a tag without end":   {"<Tree " + long, false},
		"a long comment":      {"<Tree><!-- <" + long + " --></Tree>", true},
		"long text":           {"<Tree>" + long + "</Tree>", true},
		"long character data": {"<Tree><![CDATA[<" + long + "]]></Tree>", true},
		"a long instruction":  {"<?xml version=\"1.0\" ?><?a <" + long + "?><Tree/>", true},
	} {
		err := decodeXML([]byte(c.text), shapeOf(reflect.TypeFor[tree](), map[reflect.Type]*shape{}), new(tree))
		if c.ok != (err == nil) || err != nil && !errors.Is(err, fault.InvalidXMLDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestXMLBodiesShareABudget decodes a body while others have taken what there is, and when they
// have given it back.
func TestXMLBodiesShareABudget(t *testing.T) {
	const body = "<Tree></Tree>"
	read := func(length int64) error {
		r := httptest.NewRequest("PUT", "/", bytes.NewReader([]byte(body)))
		r.ContentLength = length
		f := &field{max: 1 << 20, shape: shapeOf(reflect.TypeFor[tree](), map[reflect.Type]*shape{})}
		return readXML(&Request{Request: r}, f, new(tree))
	}
	taken := int64(maxXMLBodies - len(body))
	if !xmlBodies.take(taken) {
		t.Fatal("other tests hold the budget")
	}
	if err := read(int64(len(body))); err != nil {
		t.Errorf("a body that fits: %v", err)
	}
	if err := read(-1); !errors.Is(err, fault.ServerBusy) {
		t.Errorf("a body of unknown length, which may not fit: %v", err)
	}
	xmlBodies.give(taken)
	if err := read(-1); err != nil {
		t.Errorf("when the others are done: %v", err)
	}
	if n := xmlBodies.taken.Load(); n != 0 {
		t.Errorf("%d bytes are still taken", n)
	}
}
