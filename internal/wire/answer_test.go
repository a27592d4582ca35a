package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

func TestWriteError(t *testing.T) {
	const server = "Server: Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0\n"
	const xmlStart = "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>"
	const trailer = "\nRequestId:ID\nTime:2026-03-03T08:00:00.1234567Z</Message>"
	notModified := fault.NotModified()
	notModified.Header = []fault.Detail{{Name: "ETag", Value: `"0x1"`}}
	tests := []struct {
		name, request string
		err           error
		want          string
	}{
		{"plain", "PUT /a/b|x-ms-version: 2021-12-02|x-ms-client-request-id: me", fault.LeaseAlreadyPresent,
			"409\nContent-Length: 221\nContent-Type: application/xml\n" + common + server +
				"x-ms-client-request-id: me\nx-ms-error-code: LeaseAlreadyPresent\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n" +
				xmlStart + "LeaseAlreadyPresent</Code><Message>There is already a lease present." + trailer + "</Error>"},
		{"details", "PUT /a/b|x-ms-version: 2021-12-02", fault.InvalidQuery("comp", "", ""),
			"400\nContent-Length: 351\nContent-Type: application/xml\n" + common + server +
				"x-ms-error-code: InvalidQueryParameterValue\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n" +
				xmlStart + "InvalidQueryParameterValue</Code><Message>Value for one of the query parameters specified in the request URI is invalid." +
				trailer + "<QueryParameterName>comp</QueryParameterName><QueryParameterValue /><Reason /></Error>"},
		{"escaped", "PUT /a/b|x-ms-version: 2012-02-12", fault.InvalidHeader("x-ms-lease-id", `<"&`),
			"400\nContent-Length: 334\nContent-Type: application/xml\n" + common + server + "x-ms-request-id: ID\nx-ms-version: 2012-02-12\n" +
				xmlStart + "InvalidHeaderValue</Code><Message>The value for one of the HTTP headers is not in the correct format." +
				trailer + "<HeaderName>x-ms-lease-id</HeaderName><HeaderValue>&lt;&quot;&amp;</HeaderValue></Error>"},
		{"head", "HEAD /a/b|x-ms-version: 2021-12-02", fault.BlobNotFound,
			"404\n" + common + server + "x-ms-error-code: BlobNotFound\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n"},
		{"not modified", "GET /a/b|x-ms-version: 2021-12-02", notModified,
			"304\n" + common + "ETag: \"0x1\"\n" + server + "x-ms-error-code: ConditionNotMet\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n"},
		{"foreign", "HEAD /a/b|x-ms-version: 2021-12-02", io.ErrUnexpectedEOF,
			"500\n" + common + server + "x-ms-error-code: InternalError\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n"},
		{"nil", "HEAD /a/b|x-ms-version: 2021-12-02", nil,
			"500\n" + common + server + "x-ms-error-code: InternalError\nx-ms-request-id: ID\nx-ms-version: 2021-12-02\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, strings.Split(tt.request, "|")...)
			r.Writer.Header().Set("x-ms-stale", "of a success")
			WriteError(r, tt.err)
			if got := sent(r); got != tt.want {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestWriteErrorKeepsCrossOriginHeaders(t *testing.T) {
	r := parse(t, "HEAD /a/b")
	h := r.Writer.Header()
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", "*")
	WriteError(r, fault.BlobNotFound)
	if h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Error(h)
	}
}

func TestWriteErrorSizesOfTheService(t *testing.T) {
	for code, size := range map[fault.Code]int{
		fault.LeaseAlreadyPresent: 221, fault.LeaseLost: 243, fault.ConditionNotMet: 252,
		fault.LeaseIDMismatchWithBlobOperation: 264, fault.LeaseIDMissing: 267, fault.BlobNotFound: 215,
	} {
		r := parse(t, "PUT /a/b")
		e, _ := fault.Of(code)
		if got := len(appendError(nil, r, e)); got != size {
			t.Errorf("%s: %d bytes, recorded %d", code, got, size)
		}
	}
}

// zeros is an endless body.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) { z.read += int64(len(p)); return len(p), nil }
func (z *zeros) Close() error               { return nil }

func TestWriteErrorDrains(t *testing.T) {
	tests := []struct {
		name   string
		expect string
		length int64
		read   int64
		want   string // of the Connection header
		drains bool
	}{
		{"small", "", 10, 0, "", true},
		{"partly read", "", maxDrain + 5, 10, "", true},
		{"too long", "", maxDrain + 1, 0, "close", false},
		{"chunked without end", "", -1, 0, "close", true},
		{"waiting", "100-continue", 10, 0, "close", false},
		{"waited, now sending", "100-Continue", 10, 5, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parse(t, "PUT /a/b", "Expect: "+tt.expect)
			source := &zeros{}
			r.Request.Body, r.ContentLength = source, tt.length
			if tt.length > 0 {
				r.Request.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(source, tt.length), source}
			}
			if _, err := io.CopyN(io.Discard, countingBody{r}, tt.read); err != nil {
				t.Fatal(err)
			}
			before := source.read
			r.Known = true
			WriteError(r, fault.LeaseIDMissing)
			if got := r.Writer.Header().Get("Connection"); got != tt.want {
				t.Errorf("Connection is %q", got)
			}
			if tt.drains != (source.read > before) {
				t.Errorf("read %d more bytes", source.read-before)
			}
			if source.read > maxDrain+1<<20 {
				t.Errorf("read %d bytes", source.read)
			}
		})
	}
}

func TestNewRequestAlwaysAnswers(t *testing.T) {
	r := parse(t, "GET /a/b").Request
	r.URL.Path, r.URL.RawPath = "//", ""
	req, err := NewRequest(nil, r, time.Now(), nil)
	if !errors.Is(err, fault.InvalidURI) || req.ID == "" || req.Version != "" {
		t.Errorf("%+v, %v", req, err)
	}
}

func TestIDsLookLikeThoseOfTheService(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' || !strings.HasSuffix(id, "000000") || seen[id] {
			t.Fatal(id)
		}
		if strings.Trim(id, "0123456789abcdef-") != "" {
			t.Fatal(id)
		}
		seen[id] = true
	}
}

func TestEchoable(t *testing.T) {
	for id, want := range map[string]bool{"": false, "a b~": true, "é": false, "a\tb": false, strings.Repeat("x", 1024): true, strings.Repeat("x", 1025): false} {
		if echoable(id) != want {
			t.Errorf("%.20q: %v", id, !want)
		}
	}
}
