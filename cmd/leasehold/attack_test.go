package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/config"
)

// running starts a server of development and returns its plain address and the query
// of a signature for everything.
func running(t *testing.T) (address, query string) {
	t.Helper()
	t.Setenv(config.AccountsVariable, "")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, &serveOptions{dev: true, data: t.TempDir(), listen: "127.0.0.1:0", logLevel: "error", logFormat: "text"}, w)
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewReader(r)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, lines)
	_, line, _ = strings.Cut(line, "http://")
	address, _, _ = strings.Cut(line, " ")
	return address, signature(t, "", "rwdlac")
}

// signature returns the query of a signature for a container, or for the account.
func signature(t *testing.T, container, permissions string) string {
	t.Helper()
	var out strings.Builder
	o := &sasOptions{dev: true, permissions: permissions, types: "sco", expires: time.Hour}
	if err := printSAS(o, container, time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(strings.TrimSpace(out.String()), "?")
	return query
}

func put(t *testing.T, url, body string, headers ...string) {
	t.Helper()
	r, err := http.NewRequest("PUT", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-ms-version", "2023-11-03")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	if w.StatusCode != 201 {
		t.Fatalf("%s: %s", url, w.Status)
	}
}

// TestAttacks sends bytes that a client would not send to a server with an open and a
// closed container, and looks for what is in the closed one.
func TestAttacks(t *testing.T) {
	address, query := running(t)
	base := "http://" + address + "/" + config.DevAccount
	put(t, base+"/open?restype=container&"+query, "", "x-ms-blob-public-access", "container")
	put(t, base+"/closed?restype=container&"+query, "")
	put(t, base+"/open/public?"+query, "in the open", "x-ms-blob-type", "BlockBlob")
	put(t, base+"/closed/hidden?"+query, "what is hidden", "x-ms-blob-type", "BlockBlob")

	const end = "\r\nx-ms-version: 2023-11-03\r\nConnection: close\r\n\r\n"
	host := " HTTP/1.1\r\nHost: " + address
	for name, tc := range map[string]struct {
		raw    string
		status string // how the first status line goes on behind the protocol; "" for any refusal
	}{
		"the open blob":               {"GET /devstoreaccount1/open/public" + host + end, "200"},
		"the closed blob":             {"GET /devstoreaccount1/closed/hidden" + host + end, "401"},
		"dots":                        {"GET /devstoreaccount1/open/../closed/hidden" + host + end, ""},
		"encoded dots":                {"GET /devstoreaccount1/open/%2e%2e/closed/hidden" + host + end, ""},
		"doubly encoded dots":         {"GET /devstoreaccount1/open/%252e%252e/closed/hidden" + host + end, ""},
		"encoded slash":               {"GET /devstoreaccount1/open%2F..%2Fclosed/hidden" + host + end, ""},
		"backslash":                   {"GET /devstoreaccount1/open\\..\\closed/hidden" + host + end, ""},
		"two slashes":                 {"GET //devstoreaccount1/closed/hidden" + host + end, ""},
		"NUL":                         {"GET /devstoreaccount1/closed/hidden%00" + host + end, ""},
		"encoded account":             {"GET /%64evstoreaccount1/closed/hidden" + host + end, ""},
		"absolute target":             {"GET http://" + address + "/devstoreaccount1/closed/hidden" + host + end, ""},
		"account twice":               {"GET /devstoreaccount1/closed/hidden HTTP/1.1\r\nHost: devstoreaccount1.blob.localhost" + end, ""},
		"name of another site":        {"GET /devstoreaccount1/closed/hidden?" + query + " HTTP/1.1\r\nHost: evil.test" + end, "400"},
		"account of another site":     {"GET /closed/hidden?" + query + " HTTP/1.1\r\nHost: devstoreaccount1.evil.test" + end, "400"},
		"own name of the machine":     {"GET /devstoreaccount1/open/public HTTP/1.1\r\nHost: localhost" + end, "200"},
		"two hosts":                   {"GET /devstoreaccount1/open/public" + host + "\r\nHost: other" + end, "400"},
		"two authorizations":          {"GET /devstoreaccount1/open/public" + host + "\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b" + end, "400"},
		"token over plain HTTP":       {"GET /devstoreaccount1/open/public" + host + "\r\nAuthorization: Bearer e30.e30.e30" + end, "403"},
		"signature twice":             {"GET /devstoreaccount1/closed/hidden?" + query + "&sig=x" + host + end, "400"},
		"permission twice":            {"GET /devstoreaccount1/closed/hidden?" + query + "&sp=r" + host + end, "400"},
		"signature cut":               {"GET /devstoreaccount1/closed/hidden?" + query[:len(query)-4] + host + end, "403"},
		"restype twice":               {"GET /devstoreaccount1/closed?restype=container&comp=list&restype=service" + host + end, ""},
		"space in a header name":      {"GET /devstoreaccount1/open/public" + host + "\r\nx-ms-meta : x" + end, "400"},
		"line folding":                {"GET /devstoreaccount1/closed/hidden" + host + "\r\nx-ms-date: a\r\n Authorization: x" + end, ""},
		"two lengths":                 {"PUT /devstoreaccount1/open/x" + host + "\r\nContent-Length: 1\r\nContent-Length: 2" + end + "xx", "400"},
		"signed length":               {"PUT /devstoreaccount1/open/x" + host + "\r\nContent-Length: +1" + end + "x", "400"},
		"unknown transfer encoding":   {"PUT /devstoreaccount1/open/x" + host + "\r\nTransfer-Encoding: xchunked" + end, "501"},
		"two transfer encodings":      {"PUT /devstoreaccount1/open/x" + host + "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity" + end, "501"},
		"bare line feeds in a header": {"GET /devstoreaccount1/open/public" + host + "\r\nx-a: b\rGET /devstoreaccount1/closed/hidden" + end, "400"},
	} {
		answer := exchange(t, address, tc.raw)
		if strings.Contains(answer, "hidden</") || strings.Contains(answer, "what is hidden") {
			t.Errorf("%s: the closed container opened:\n%s", name, answer)
		}
		status, _ := strings.CutPrefix(answer, "HTTP/1.1 ")
		if tc.status != "" && !strings.HasPrefix(status, tc.status) || tc.status == "" && !strings.HasPrefix(status, "4") {
			t.Errorf("%s: %.60q, want %s", name, answer, tc.status)
		}
	}
}

// TestPathTricks: a signature for one container, or a blob in it, opens no other by a path
// that begins with it, whichever way the rest is spelled.
func TestPathTricks(t *testing.T) {
	address, query := running(t)
	base := "http://" + address + "/" + config.DevAccount
	for _, box := range []string{"/mine", "/theirs"} {
		put(t, base+box+"?restype=container&"+query, "")
		put(t, base+box+"/blob?"+query, "content of "+box, "x-ms-blob-type", "BlockBlob")
	}
	for name, signed := range map[string]string{"container": signature(t, "mine", "rwdlac"), "blob": signature(t, "mine/blob", "rwdac")} {
		head := " HTTP/1.1\r\nHost: " + address + "\r\nx-ms-version: 2023-11-03\r\nConnection: close\r\n\r\n"
		if answer := exchange(t, address, "GET /devstoreaccount1/mine/blob?"+signed+head); !strings.Contains(answer, "content of /mine") {
			t.Fatalf("%s: %s", name, answer)
		}
		for _, path := range []string{
			"/theirs/blob", "/mine/../theirs/blob", "/mine/%2e%2e/theirs/blob", "/mine/%2E./theirs/blob", "/mine/%252e%252e/theirs/blob",
			"/mine%2F..%2Ftheirs/blob", "/mine%2f%2e%2e%2ftheirs%2fblob", "/mine/..%2Ftheirs/blob", "/mine%5C..%5Ctheirs/blob", "/mine/..\\theirs\\blob",
			"//theirs/blob", "/./theirs/blob", "/mine/blob/../../theirs/blob", "/mine/blob%00/../../theirs/blob", "/mine;/../theirs/blob",
			"/mine/../../devstoreaccount1/theirs/blob", "/%6dine/../theirs/blob", "/theirs%2Fblob", "/theirs/%62lob", "/mine%00/../theirs/blob",
		} {
			answer := exchange(t, address, "GET /devstoreaccount1"+path+"?"+signed+head)
			if status, _ := strings.CutPrefix(answer, "HTTP/1.1 "); strings.Contains(answer, "content of") || !strings.HasPrefix(status, "4") {
				t.Errorf("%s, %s: %s", name, path, answer)
			}
		}
	}
}

// TestSmuggling: a request whose end is not the same for every reader ends its connection,
// so that nothing behind it is taken for a request by one and for a body by another.
func TestSmuggling(t *testing.T) {
	address, query := running(t)
	put(t, "http://"+address+"/"+config.DevAccount+"/open?restype=container&"+query, "")
	host := " HTTP/1.1\r\nHost: " + address + "\r\nx-ms-version: 2023-11-03\r\nx-ms-blob-type: BlockBlob\r\n"
	behind := "GET /devstoreaccount1/smuggled HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n"
	const chunked = "Transfer-Encoding: chunked\r\n"
	for name, rest := range map[string]string{
		"length and chunks":          "Content-Length: 4\r\n" + chunked + "\r\n0\r\n\r\n",
		"chunks and length":          chunked + "Content-Length: 4\r\n\r\n0\r\n\r\n",
		"two lengths":                "Content-Length: 0\r\nContent-Length: 4\r\n\r\n",
		"a list of lengths":          "Content-Length: 0, 4\r\n\r\n",
		"a length with a sign":       "Content-Length: +0\r\n\r\n",
		"a negative length":          "Content-Length: -1\r\n\r\n",
		"a length in hex":            "Content-Length: 0x0\r\n\r\n",
		"space before the colon":     "Content-Length : 0\r\n\r\n",
		"encoding, space before":     "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"encoding, other":            "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"encoding, twice":            chunked + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"encoding, list":             "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
		"encoding, folded":           "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
		"encoding behind a line end": "x-a: b\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"chunk size with a sign":     chunked + "\r\n+0\r\n\r\n",
		"chunk size in hex":          chunked + "\r\n0x0\r\n\r\n",
		"chunk size that overflows":  chunked + "\r\n10000000000000000\r\n\r\n",
		"chunk longer than said":     chunked + "\r\n1\r\nxx\r\n0\r\n\r\n",
		"chunk without an end":       chunked + "\r\n1\r\nx0\r\n\r\n",
	} {
		raw := "PUT /devstoreaccount1/open/x?" + query + host + rest + behind
		if answer := exchange(t, address, raw); strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: not one answer:\n%s", name, answer)
		}
	}
	// Only what is plain to every reader has another request behind it.
	for name, rest := range map[string]string{"length": "Content-Length: 1\r\n\r\nx", "chunks": chunked + "\r\n1\r\nx\r\n0\r\n\r\n"} {
		if answer := exchange(t, address, "PUT /devstoreaccount1/open/x?"+query+host+rest+behind); strings.Count(answer, "HTTP/1.1 ") != 2 {
			t.Errorf("%s: not two answers:\n%s", name, answer)
		}
	}
}

// exchange sends bytes and returns all that comes back until the server closes.
func exchange(t *testing.T, address, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // a reset at the end of a refusal is fine
	return string(answer)
}
