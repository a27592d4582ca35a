package wire

import (
	"net/http"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/internal/fault"
)

const sampleBatch = "preamble\r\n--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 0\r\n\r\n" +
	"DELETE /c/a%2Fb%7e?snapshot=1%3a HTTP/1.1\r\nx-ms-date: d\r\n\r\n--b\r\nContent-Type: application/http; msgtype=request\r\n\r\n" +
	"PUT /c/2?comp=tier HTTP/1.1\r\nX-MS-ACCESS-TIER: Hot\r\nContent-Length: 0\r\n\r\n\r\n--b--\r\n"

func TestParseBatch(t *testing.T) {
	for _, body := range []string{sampleBatch, strings.ReplaceAll(sampleBatch, "\r\n", "\n")} {
		parts, err := ParseBatch(`multipart/mixed; boundary="b"`, []byte(body))
		if err != nil || len(parts) != 2 {
			t.Fatal(parts, err)
		}
		one, two := parts[0].Request, parts[1].Request
		if parts[0].ID != "0" || one.Method != "DELETE" || one.RequestURI != "/c/a%2Fb%7e?snapshot=1%3a" || one.Header.Get("x-ms-date") != "d" {
			t.Errorf("%+v", one)
		}
		if parts[1].ID != "" || two.Method != "PUT" || two.Header.Get("x-ms-access-tier") != "Hot" || two.ContentLength != 0 {
			t.Errorf("%+v", two)
		}
	}
}

// TestPathsOfBatchPartsAreASCII: a path that can't be read refuses its own request, and a blank in
// it the batch.
func TestPathsOfBatchPartsAreASCII(t *testing.T) {
	part := func(path string) []byte {
		return []byte("--b\r\nContent-Type: application/http\r\n\r\nDELETE " + path + " HTTP/1.1\r\nx-ms-date: d\r\n\r\n--b--\r\n")
	}
	for _, path := range []string{"/c/\u00fc", "/c/%zz", "/c/b?x=\u00fc", "/c/\xff"} {
		parts, err := ParseBatch("multipart/mixed; boundary=b", part(path))
		if err != nil || len(parts) != 1 || parts[0].Refused != fault.InvalidURI || parts[0].Request.Header.Get("x-ms-date") != "d" {
			t.Errorf("%q: %+v, %v", path, parts, err)
		}
	}
	for _, path := range []string{"/c/a b", "c/b", ""} {
		if parts, err := ParseBatch("multipart/mixed; boundary=b", part(path)); err == nil {
			t.Errorf("%q: %+v", path, parts)
		}
	}
}

func TestBoundaryOf(t *testing.T) {
	cases := map[string]string{
		"multipart/mixed; boundary=b":               "b",
		`multipart/mixed; boundary="a b/c"`:         "a b/c",
		"Multipart/Mixed;BOUNDARY=b":                "b",
		"multipart/mixed; boundary=batch_qiQT/40+C": "batch_qiQT/40+C",
		"multipart/mixed; boundary=a/b; x=y":        "",
		`multipart/mixed; boundary="a/b`:            "",
		"multipart/mixed":                           "",
		"multipart/mixed; boundary=":                "",
		"multipart/form-data; boundary=a/b":         "",
		"":                                          "",
	}
	for contentType, want := range cases {
		if got := boundaryOf(contentType); got != want {
			t.Errorf("%q: %q, want %q", contentType, got, want)
		}
	}
}

func TestBatchAnswer(t *testing.T) {
	a := NewBatchAnswer()
	a.Header()["x-ms-b"] = []string{"2"}
	a.Header()["Date"] = []string{"today"}
	a.Header()["x-ms-a"] = []string{"1"}
	a.WriteHeader(http.StatusNotFound)
	a.Header()["Content-Type"] = []string{"application/xml"}
	a.Write([]byte("<Error/>"))
	want := "--x\r\nContent-Type: application/http\r\nContent-ID: 7\r\n\r\nHTTP/1.1 404 Gone astray.\r\nx-ms-a: 1\r\nx-ms-b: 2\r\n" +
		"Content-Length: 8\r\nContent-Type: application/xml\r\nServer: Windows-Azure-Blob/1.0\r\n\r\n<Error/>\r\n"
	if got := string(a.Append(nil, "x", "7", "Gone astray.")); got != want {
		t.Errorf("%q", got)
	}
	b := NewBatchAnswer()
	b.WriteHeader(http.StatusAccepted)
	b.Header()["Content-Length"] = []string{"0"}
	want = "--x\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 202 Accepted\r\nServer: Windows-Azure-Blob/1.0\r\n\r\n"
	if got := string(b.Append(nil, "x", "", "")); got != want {
		t.Errorf("%q", got)
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add("multipart/mixed; boundary=b", []byte(sampleBatch))
	f.Add("multipart/mixed; boundary=b", []byte(strings.ReplaceAll(sampleBatch, "\r\n", "\n")))
	f.Add("multipart/mixed", []byte("--\r\n\r\n----"))
	f.Add("multipart/mixed; boundary=b", []byte("--b\nContent-Type: application/http\n\nPRI * HTTP/2.0\n\n--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		parts, err := ParseBatch(contentType, body)
		if err != nil {
			if e, ok := fault.Of(err); !ok || e.Status != http.StatusBadRequest {
				t.Fatal(err)
			}
			return
		}
		if len(parts) > MaxBatchParts {
			t.Fatal(len(parts))
		}
		for _, p := range parts {
			if r := p.Request; r.RequestURI[0] != '/' || r.ContentLength != 0 || r.URL == nil || strings.ContainsAny(p.ID, "\r\n") {
				t.Fatalf("%+v", r)
			}
		}
	})
}
