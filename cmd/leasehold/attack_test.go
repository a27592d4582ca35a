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
)

// running starts a server of development and returns its plain address and the query
// of a signature for everything.
func running(t *testing.T) (address, query string) {
	t.Helper()
	t.Setenv(accountsVariable, "")
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
	var out strings.Builder
	o := &sasOptions{dev: true, permissions: "rwdlac", types: "sco", expires: time.Hour}
	if err := printSAS(o, "", time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	_, query, _ = strings.Cut(strings.TrimSpace(out.String()), "?")
	return address, query
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
	base := "http://" + address + "/" + devAccount
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

// TestSmuggling: a request with two lengths ends its connection, so that nothing behind
// it is taken for a request by one reader and for a body by another.
func TestSmuggling(t *testing.T) {
	address, query := running(t)
	put(t, "http://"+address+"/"+devAccount+"/open?restype=container&"+query, "")
	raw := "PUT /devstoreaccount1/open/x?" + query + " HTTP/1.1\r\nHost: " + address + "\r\nx-ms-version: 2023-11-03\r\nx-ms-blob-type: BlockBlob\r\n" +
		"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /devstoreaccount1/smuggled HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n"
	if answer := exchange(t, address, raw); strings.Count(answer, "HTTP/1.1 ") != 1 {
		t.Errorf("two answers:\n%s", answer)
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
