package service_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// coded demands a code with its status.
func coded(code string) func(*answer) string {
	return func(a *answer) string {
		if a.code() != code || a.status != fault.Code(code).Status() {
			return fmt.Sprintf("%d %s, want %s", a.status, a.code(), code)
		}
		return ""
	}
}

// in finds the argument of the operation that comes from a part of the request.
func (f *fieldTrial) in(part string) (wire.Field, bool) {
	for _, field := range f.op.Arguments() {
		if field.In == part {
			return field, true
		}
	}
	return wire.Field{}, false
}

// refusesRequest is refuses for a request that was changed after it was made.
func (f *fieldTrial) refusesRequest(what string, a ask, change func(*http.Request), check func(*answer) string) {
	f.t.Helper()
	r := f.place.request(a.method, a.target, a.body, a.headers...)
	change(r)
	if r.TLS == nil {
		r.Header.Del("Authorization")
		sign(f.t, r)
	}
	if problem := check(f.place.serve(r)); problem != "" {
		f.t.Errorf("%s: %s", what, problem)
	}
	if f.place.dump() != f.before {
		f.t.Errorf("%s: changed something", what)
		f.remake()
	}
}

// announce lets a request say that its body has n bytes.
func announce(n int64) func(*http.Request) {
	return func(r *http.Request) {
		r.ContentLength = n
		r.Header.Set("Content-Length", fmt.Sprint(n))
	}
}

// broken is a body whose connection breaks behind the bytes.
type broken struct{ *bytes.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (broken) Close() error { return nil }

// TestMalformedBodies sends every operation that reads a body bodies that are too long or cut,
// fail their hashes or are not the XML that is expected, and every operation by PUT or POST
// requests that don't say how long their body is (docs/reference/conditions-and-errors.md
// 4).
func TestMalformedBodies(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			f := &fieldTrial{sample: s, t: t, store: s.store(t)}
			f.remake()
			_, inXML := f.in("xml")
			stream, isStream := f.in("stream")
			if inXML {
				f.tryXML()
			}
			if inXML || isStream {
				f.tryLengths()
				f.tryHashes()
			}
			f.tryUnannounced()
			empty := slices.ContainsFunc(f.op.Arguments(), func(a wire.Field) bool { return a.Name == "Content-Length" })
			a := f.ask
			if a.body = []byte("x"); empty {
				f.refuses("a body where none belongs", a, func(got *answer) string {
					return f.place.refusedFor(got, "InvalidHeaderValue", "Content-Length", "1", a.method)
				})
			}
			if a.body = nil; stream.Required || isStream && f.op.Name != "BlockBlob_Upload" {
				f.refuses("no body", a, func(got *answer) string {
					return f.place.refusedFor(got, "InvalidHeaderValue", "Content-Length", "0", a.method)
				})
			}
		})
	}
}

func (f *fieldTrial) tryXML() {
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal(f.ask.body, &root); err != nil {
		f.t.Fatal(err)
	}
	name := root.XMLName.Local
	for body, code := range map[string]string{
		"<":                                   "InvalidXmlDocument",
		"text":                                "InvalidXmlDocument",
		"<" + name + ">":                      "InvalidXmlDocument",
		"<" + name + "/><" + name + "/>":      "InvalidXmlDocument",
		"<Wrong/>":                            "InvalidXmlDocument",
		"<" + name + "><Odd/></" + name + ">": "UnsupportedXmlNode",
	} {
		a := f.ask
		a.body = []byte(body)
		f.refuses(body, a, coded(code))
	}
}

// tryUnannounced leaves out the length of the body, and sends it in chunks.
func (f *fieldTrial) tryUnannounced() {
	if f.ask.method != "PUT" && f.ask.method != "POST" {
		return
	}
	refused := func(got *answer) string {
		if !bytes.Contains(got.body, []byte("<HeaderName>Content-Length</HeaderName>")) {
			return fmt.Sprintf("the header is not named in %s", got.body)
		}
		return coded("MissingContentLengthHeader")(got)
	}
	f.refusesRequest("no length, and nothing to come", f.ask, func(r *http.Request) {
		r.ContentLength, r.Body = 0, http.NoBody
		r.Header.Del("Content-Length")
	}, refused)
	f.refusesRequest("chunks", f.ask, func(r *http.Request) {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		r.Header.Del("Content-Length")
	}, refused)
}

func (f *fieldTrial) tryLengths() {
	f.refusesRequest("too long a body", f.ask, announce(1<<40), func(got *answer) string {
		var e errorBody
		if err := xml.Unmarshal(bytes.TrimPrefix(got.body, []byte("\xEF\xBB\xBF")), &e); err != nil || e.MaxLimit == "" {
			return fmt.Sprintf("%v in %s", err, got.body)
		}
		return coded("RequestBodyTooLarge")(got)
	})
	if len(f.ask.body) > 0 && !strings.HasPrefix(f.op.Name, "PageBlob") {
		f.refusesRequest("a body that is cut", f.ask, func(r *http.Request) {
			announce(int64(len(f.ask.body)) + 1)(r)
			r.Body = broken{bytes.NewReader(f.ask.body)}
		}, coded("InvalidInput"))
	}
}

func (f *fieldTrial) tryHashes() {
	if strings.HasSuffix(f.op.Name, "_SubmitBatch") {
		return // hashes of a batch are not part of the protocol
	}
	other := md5.Sum([]byte("something else"))
	wrong := base64.StdEncoding.EncodeToString(other[:])
	for _, c := range []struct {
		code    string
		headers []string
	}{
		{"Md5Mismatch", []string{"Content-MD5", wrong}},
		{"InvalidMd5", []string{"Content-MD5", "AAAA"}},
		{"Crc64Mismatch", []string{"x-ms-content-crc64", "AAAAAAAAAAA="}},
		{"InvalidHeaderValue", []string{"x-ms-content-crc64", "AAAA"}},
		{"BothCrc64AndMd5HeaderPresent", []string{"Content-MD5", wrong, "x-ms-content-crc64", "AAAAAAAAAAA="}},
	} {
		a := f.ask
		a.headers = append(a.headers[:len(a.headers):len(a.headers)], c.headers...)
		f.refuses(fmt.Sprint(c.headers), a, func(got *answer) string {
			if problem := coded(c.code)(got); problem != "" {
				return problem
			}
			if calculated := bytes.Contains(got.body, []byte("<ServerCalculated")); calculated != strings.HasSuffix(c.code, "Mismatch") {
				return string(got.body)
			}
			return ""
		})
	}
}

// TestMalformedMetadata sends every operation that takes metadata what can't be stored.
func TestMalformedMetadata(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			f := &fieldTrial{sample: s, t: t, store: s.store(t)}
			f.remake()
			if _, ok := f.in("metadata"); !ok {
				return
			}
			big := strings.Repeat("v", 4<<10)
			for _, c := range [][]string{
				{"InvalidMetadata", "x-ms-meta-1a", "v"},
				{"InvalidMetadata", "x-ms-meta-a-b", "v"},
				{"InvalidMetadata", "x-ms-meta-a", "caf\u00e9"},
				{"InvalidMetadata", "x-ms-meta-a", "\x80"},
				{"EmptyMetadataKey", "x-ms-meta-", "v"},
				{"MetadataTooLarge", "x-ms-meta-a", big, "x-ms-meta-b", big},
			} {
				a := f.ask
				a.headers = append(a.headers[:len(a.headers):len(a.headers)], c[1:]...)
				f.refuses(c[1], a, coded(c[0]))
			}
		})
	}
}

// TestNames sends every operation names that can't be (docs/reference/operations.md 2.1), and a
// blob of every kind some that just can.
func TestNames(t *testing.T) {
	long := strings.Repeat("n", 1024)
	blobs := map[string]string{ // by what they are answered with where a blob is made
		long: "", strings.Repeat("é", 1024): "", strings.Repeat("𝄞", 512): "", strings.Repeat("a/", 253) + "a": "",
		"a.": "", "a/": "", "//": "", "a+b": "", `a\b`: "",
		long + "n": "InvalidUri", strings.Repeat("𝄞", 513): "InvalidUri", strings.Repeat("a/", 254) + "a": "InvalidUri",
		strings.Repeat("n", 9000): "InvalidUri", "a\x01": "InvalidResourceName", "a\u0081": "InvalidResourceName", "a\ue000": "InvalidResourceName",
	}
	containers := map[string]string{
		"abc": "", strings.Repeat("a", 63): "", "a-b-0": "",
		"ab": "OutOfRangeInput", strings.Repeat("a", 64): "OutOfRangeInput", strings.Repeat("a", 9000): "InvalidUri",
		"Abc": "InvalidResourceName", "a_b": "InvalidResourceName", "a--b": "InvalidResourceName", "-ab": "InvalidResourceName", "ab-": "InvalidResourceName",
		"a.b": "InvalidResourceName", "äbc": "InvalidResourceName", "$other": "InvalidResourceName",
	}
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			f := &fieldTrial{sample: s, t: t, store: s.store(t)}
			f.remake()
			path, query, _ := strings.Cut(f.ask.target, "?")
			send := func(path string) *answer {
				a := f.ask
				a.target = path + "?" + query
				return f.place.send(a)
			}
			creates := f.op.Status == 201 && f.op.On.Level == wire.LevelBlob || strings.Contains(f.op.Name, "Copy")
			switch {
			case f.op.On.AnyLevel: // names nothing
			case path == f.place.blob:
				for name, code := range blobs {
					got := send(f.place.box + "/" + url.PathEscape(name))
					made := got.code() == "" && creates || got.code() == "BlobNotFound" || f.succeeded(f.op, got)
					if code == "" && !made || code != "" && got.code() != code && (got.code() != "BlobNotFound" || len(name) > 8000) {
						t.Errorf("%.20q of %d bytes: %d %s, want %s", name, len(name), got.status, got.code(), code)
					}
				}
			case strings.HasPrefix(path, f.place.box):
				for name, code := range containers {
					got := send("/" + url.PathEscape(name))
					if f.op.Name == "Container_Create" && got.code() != code && got.code() != "ContainerAlreadyExists" || got.status >= 500 {
						t.Errorf("%.20q of %d bytes: %d %s, want %s", name, len(name), got.status, got.code(), code)
					}
				}
			}
		})
	}
}

// TestLongPositions asks for listings that begin at names that nothing can have.
func TestLongPositions(t *testing.T) {
	s := newStore(t)
	s.box()
	s.put("a", 1, "x-ms-tags", "a=1")
	long := strings.Repeat("n", 9000)
	opaque := "1!" + base64.RawURLEncoding.EncodeToString([]byte(long))
	for _, target := range []string{"/?comp=list", "/?comp=leases", "/?comp=blobs&where=a%3D'1'", "/box?restype=container&comp=list",
		"/box?restype=container&comp=list&delimiter=/", "/box?restype=container&comp=blobs&where=a%3D'1'"} {
		for _, position := range []string{"&marker=" + opaque, "&prefix=" + long, "&startFrom=" + long, "&delimiter=" + long} {
			if a := s.do("GET", target+position, nil); a.status >= 500 {
				t.Errorf("%s%.20s: %d %s", target, position, a.status, a.code())
			}
		}
	}
}
