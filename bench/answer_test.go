package main

import (
	"bufio"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func parse(text string, head bool) (*answer, bool, error) {
	a := &answer{}
	keep, err := readAnswer(bufio.NewReaderSize(strings.NewReader(text), 4096), head, a, make([]byte, 7))
	return a, keep, err
}

func TestReadAnswer(t *testing.T) {
	for _, v := range []struct {
		name, text         string
		head               bool
		status             int
		length, read       int64
		body, lease, code  string
		etag, keep, broken bool
	}{
		{name: "lease", text: "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: \"0x1\"\r\nx-ms-lease-id: abc\r\n\r\n",
			status: 201, lease: "abc", etag: true, keep: true},
		{name: "any case, spaces, bare newlines", text: "HTTP/1.1 200 OK\ncontent-LENGTH:  5 \nX-MS-Lease-ID:abc\n\nhello",
			status: 200, length: 5, read: 5, body: "hello", lease: "abc", keep: true},
		{name: "error", text: "HTTP/1.1 409 There is already a lease present.\r\nContent-Length: 3\r\nx-ms-error-code: LeaseAlreadyPresent\r\n\r\n<a>",
			status: 409, length: 3, read: 3, body: "<a>", code: "LeaseAlreadyPresent", keep: true},
		{name: "no reason", text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},
		{name: "head", head: true, text: "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n", status: 200, length: 1024, keep: true},
		{name: "no content", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, length: -1, keep: true},
		{name: "informational first", text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", status: 201, keep: true},
		{name: "chunked", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\n",
			status: 200, length: -1, read: 15, body: "hello, world!!!", keep: true},
		{name: "close", text: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", status: 200, length: 2, read: 2, body: "ok"},
		{name: "to the end", text: "HTTP/1.1 200 OK\r\n\r\nuntil here", status: 200, length: -1, read: 10, body: "until here"},
		{name: "old", text: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200},
		{name: "equal lengths", text: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},

		{name: "empty", text: "", broken: true},
		{name: "not HTTP", text: "SSH-2.0-OpenSSH_9.6 hello\r\n\r\n", broken: true},
		{name: "status of two digits", text: "HTTP/1.1 20 \r\n\r\n", broken: true},
		{name: "status of four digits", text: "HTTP/1.1 2000\r\n\r\n", broken: true},
		{name: "status in letters", text: "HTTP/1.1 abc OK\r\n\r\n", broken: true},
		{name: "header without colon", text: "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", broken: true},
		{name: "negative length", text: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", broken: true},
		{name: "two lengths", text: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", broken: true},
		{name: "short body", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", broken: true},
		{name: "header cut off", text: "HTTP/1.1 200 OK\r\nContent-Le", broken: true},
		{name: "bad chunk size", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", broken: true},
		{name: "chunk too long", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", broken: true},
		{name: "chunks cut off", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", broken: true},
		{name: "endless line", text: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", broken: true},
		{name: "endless header", text: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: x\r\n", maxHeaderLines+1) + "\r\n", broken: true},
	} {
		t.Run(v.name, func(t *testing.T) {
			a, keep, err := parse(v.text, v.head)
			if v.broken {
				if err == nil || keep {
					t.Fatalf("accepted: %s, keep %v", a, keep)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a.status != v.status || a.length != v.length || a.read != v.read || string(a.lease) != v.lease || string(a.code) != v.code || a.etag != v.etag || keep != v.keep {
				t.Errorf("got %s, etag %v, keep %v", a, a.etag, keep)
			}
			if want := crc32.Checksum([]byte(v.body), castagnoli); a.sum != want {
				t.Errorf("sum %08x, want %08x", a.sum, want)
			}
		})
	}
}

// TestReadAnswerInPieces reads several responses from one connection that delivers byte after byte.
func TestReadAnswerInPieces(t *testing.T) {
	text := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-ms-lease-id: a\r\n\r\nhello" +
		"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n" +
		"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
	br := bufio.NewReader(iotest.OneByteReader(strings.NewReader(text)))
	a := &answer{}
	for _, want := range []struct {
		status int
		read   int64
		lease  string
	}{{200, 5, "a"}, {404, 2, ""}, {202, 0, ""}} {
		keep, err := readAnswer(br, false, a, make([]byte, 3))
		if err != nil || !keep || a.status != want.status || a.read != want.read || string(a.lease) != want.lease {
			t.Fatalf("got %s, keep %v, %v; want %v", a, keep, err, want)
		}
	}
	if _, err := readAnswer(br, false, a, make([]byte, 3)); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want EOF", err)
	}
}

// FuzzReadAnswer holds the parser against net/http's: what both accept they must read alike.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: \"0x1\"\r\nx-ms-lease-id: abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\nx-ms-error-code: X\r\nContent-Length: 1\r\n\r\n!",
		"HTTP/1.0 200 OK\r\n\r\nto the end",
		"HTTP/1.1 204 No Content\r\n\r\n",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, head bool) {
		a, _, err := parse(text, head)
		if err != nil || strings.HasPrefix(text, "HTTP/1.1 1") || strings.HasPrefix(text, "HTTP/1.0 1") {
			return
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: method})
		if err != nil {
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || len(res.TransferEncoding) > 0 != bytes.Contains(bytes.ToLower([]byte(text)), []byte("transfer-encoding")) {
			return
		}
		if res.StatusCode != a.status || int64(len(body)) != a.read || crc32.Checksum(body, castagnoli) != a.sum {
			t.Errorf("got %s; net/http reads status %d and %d bytes", a, res.StatusCode, len(body))
		}
	})
}
