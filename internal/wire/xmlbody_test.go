package wire

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// retention is like the nested parts of the service's properties.
type retention struct {
	Enabled bool `xml:"Enabled"`
	Days    *int `xml:"Days"`
}

type inlined struct {
	Version string
}

type document struct {
	XMLName xml.Name `xml:"Doc"`
	inlined
	Retention *retention `xml:"Retention"`
	Origins   []string   `xml:"Cors>Rule>Origin"`
	Methods   []string   `xml:"Cors>Rule>Method"`
	Since     time.Time  `xml:"Since"`
	Nested    []nest     `xml:"Nested"`
	Own       any        `xml:"-"`
	ID        string     `xml:"id,attr"`
	Named     named
}

type nest struct {
	Version string
	Nested  []nest
}

type named struct {
	XMLName xml.Name `xml:"urn:x Called"`
	Text    string   `xml:",chardata"`
}

func TestDecodeXMLStrictly(t *testing.T) {
	s := shapeOf(reflect.TypeFor[document](), map[reflect.Type]*shape{})
	tests := []struct{ body, want string }{
		{`<Doc/>`, ""},
		{`<Doc id="1" odd="2"><Version>1</Version><Retention><Enabled>true</Enabled><Days>7</Days></Retention></Doc>`, ""},
		{`<Doc><Cors><Rule><Origin>a</Origin><Method>GET</Method></Rule><Rule><Origin>b</Origin></Rule></Cors></Doc>`, ""},
		{`<Doc><Since>2026-03-03T08:00:00Z</Since><Nested><Version>2</Version><Nested/></Nested><Called xmlns="urn:x">n</Called></Doc>`, ""},
		{`<p:Doc xmlns:p="urn:y"><p:Version>1</p:Version></p:Doc>`, ""},
		{`<Doc><Odd/></Doc>`, "UnsupportedXmlNode [{XmlNodeName Odd} {XmlNodeValue }]"},
		{`<Doc><Own/></Doc>`, "UnsupportedXmlNode [{XmlNodeName Own} {XmlNodeValue }]"},
		{`<Doc><inlined/></Doc>`, "UnsupportedXmlNode [{XmlNodeName inlined} {XmlNodeValue }]"},
		{`<Doc><Retention><Odd>1</Odd></Retention></Doc>`, "UnsupportedXmlNode [{XmlNodeName Odd} {XmlNodeValue }]"},
		{`<Doc><Cors><Origin>a</Origin></Cors></Doc>`, "UnsupportedXmlNode [{XmlNodeName Origin} {XmlNodeValue }]"},
		{`<Doc><Version><b/></Version></Doc>`, "UnsupportedXmlNode [{XmlNodeName b} {XmlNodeValue }]"},
		{`<Doc><Retention><Enabled>maybe</Enabled></Retention></Doc>`, "InvalidXmlNodeValue [{XmlNodeName Enabled} {XmlNodeValue maybe}]"},
		{`<Doc><Retention><Days>1<!-- x -->x</Days></Retention></Doc>`, "InvalidXmlNodeValue [{XmlNodeName Days} {XmlNodeValue 1x}]"},
		{`<Doc><Since>now</Since></Doc>`, "InvalidXmlNodeValue [{XmlNodeName Since} {XmlNodeValue now}]"},
		{`<Doc><Retention></Doc>`, "InvalidXmlDocument [{LineNumber 1} {LinePosition 23} {Reason The document is not well formed.}]"},
		{"<Doc>\n<Version>&odd;</Version></Doc>", "InvalidXmlDocument [{LineNumber 2} {LinePosition 15} {Reason The document is not well formed.}]"},
		{`<Odd/>`, "InvalidXmlDocument [{LineNumber 1} {LinePosition 7} {Reason The document does not have the expected content.}]"},
		{`<?xml version="1.0" encoding="utf-16"?><Doc/>`, "InvalidXmlDocument [{LineNumber 1} {LinePosition 40} {Reason The document does not have the expected content.}]"},
		{`<Doc></Doc></Doc>`, "InvalidXmlDocument [{LineNumber 1} {LinePosition 18} {Reason The document is not well formed.}]"},
	}
	for _, tt := range tests {
		var into document
		got := ""
		if err := decodeXML([]byte(tt.body), s, &into); err != nil {
			e, _ := fault.Of(err)
			got = fmt.Sprint(e.Code, " ", e.Details)
		}
		if got != tt.want {
			t.Errorf("%s:\n got  %s\n want %s", tt.body, got, tt.want)
		}
	}
	var into document
	body := `<Doc id="1"><Version>v</Version><Retention><Days>7</Days></Retention><Cors><Rule><Origin>a</Origin></Rule><Rule><Origin>b</Origin></Rule></Cors></Doc>`
	if err := decodeXML([]byte(body), s, &into); err != nil || into.Version != "v" || *into.Retention.Days != 7 || len(into.Origins) != 2 || into.ID != "1" {
		t.Errorf("%+v, %v", into, err)
	}
}

func TestBodiesAreVerified(t *testing.T) {
	tests := []struct{ header, want string }{
		{"Content-MD5: JfnnlDI7RTiF9RgfG2JNCw==", ""},
		{"x-ms-content-crc64: iJh5CoYUi64=", ""},
		{"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "Md5Mismatch [{UserSpecifiedMd5 AAAAAAAAAAAAAAAAAAAAAA==} {ServerCalculatedMd5 JfnnlDI7RTiF9RgfG2JNCw==}]"},
		{"Content-MD5: AAAA", "InvalidMd5 []"},
		{"Content-MD5: *", "InvalidMd5 []"},
		{"x-ms-content-crc64: AAAAAAAAAAA=", "Crc64Mismatch [{UserSpecifiedCrc64 AAAAAAAAAAA=} {ServerCalculatedCrc64 iJh5CoYUi64=}]"},
		{"x-ms-content-crc64: AAAA", "InvalidHeaderValue [{HeaderName x-ms-content-crc64} {HeaderValue AAAA}]"},
		{"Content-MD5: AAAA|x-ms-content-crc64: AAAA", "BothCrc64AndMd5HeaderPresent []"},
	}
	for _, tt := range tests {
		r := parse(t, strings.Split("PUT /a/b|"+tt.header, "|")...)
		got := ""
		if err := verify([]byte("123456789"), r); err != nil {
			e, _ := fault.Of(err)
			got = fmt.Sprint(e.Code, " ", e.Details)
		}
		if got != tt.want {
			t.Errorf("%s: %s", tt.header, got)
		}
	}
}

func FuzzDecodeXML(f *testing.F) {
	for _, s := range []string{
		`<Doc id="1"><Version>1</Version></Doc>`, `<Doc><Nested><Nested/></Nested></Doc>`, "\xEF\xBB\xBF<?xml version='1.0'?><Doc/>",
		`<Doc><Cors><Rule><Origin>&lt;</Origin></Rule></Cors></Doc>`, `<Doc><![CDATA[x]]></Doc><!-- -->`, `<!DOCTYPE x [<!ENTITY a "b">]><Doc/>`,
	} {
		f.Add(s)
	}
	s := shapeOf(reflect.TypeFor[document](), map[reflect.Type]*shape{})
	f.Fuzz(func(t *testing.T, body string) {
		var strict, lax document
		err := decodeXML([]byte(body), s, &strict)
		if err != nil {
			if e, ok := fault.Of(err); !ok || e.Status != 400 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if err := xml.Unmarshal([]byte(body), &lax); err != nil || !reflect.DeepEqual(strict, lax) {
			t.Fatalf("%q: %+v, but without the guard %+v, %v", body, strict, lax, err)
		}
	})
}

func BenchmarkDecodeBlockList(b *testing.B) {
	body := []byte("<BlockList>" + strings.Repeat("<Latest>QUFBQUFBQUFBQUFBQUFBQQ==</Latest>", 1000) + "</BlockList>")
	s := shapeOf(reflect.TypeFor[blockList](), map[reflect.Type]*shape{})
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeXML(body, s, new(blockList)); err != nil {
			b.Fatal(err)
		}
	}
}
