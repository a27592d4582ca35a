package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

//go:embed testdata/addresses.txt
var addresses string

// TestPublicAddresses holds the guard against the table of addresses.
func TestPublicAddresses(t *testing.T) {
	judged := 0
	for line := range strings.Lines(addresses) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] == "#" {
			continue
		}
		if got, want := public(netip.MustParseAddr(f[0])), f[1] == "public"; got != want {
			t.Errorf("%s: public = %t", f[0], got)
		}
		judged++
	}
	if judged == 0 {
		t.Error("the table is empty")
	}
}

// web serves what a test says.
func web(t *testing.T, f http.HandlerFunc) *httptest.Server {
	w := httptest.NewServer(f)
	t.Cleanup(w.Close)
	return w
}

// get reads a source to its end.
func get(t *testing.T, c *Client, from string, more ...func(*Request)) ([]byte, error) {
	t.Helper()
	u, err := url.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	r := &Request{URL: u, Version: "2026-02-06"}
	for _, f := range more {
		f(r)
	}
	a, err := c.Get(t.Context(), r)
	if err != nil {
		return nil, err
	}
	defer a.Content.Close()
	return io.ReadAll(a.Content)
}

// refused demands that a source was refused with a status and a code.
func refused(t *testing.T, what string, err error, status int, code fault.Code) {
	t.Helper()
	if e, ok := fault.Of(err); !ok || e.Status != status || e.Code != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

// TestFailuresDoNotTellTheURL: what goes to the log of a source that failed has no signature in it.
func TestFailuresDoNotTellTheURL(t *testing.T) {
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "ftp://h/?sig=SECRET", http.StatusFound)
		default:
			panic(http.ErrAbortHandler)
		}
	})
	for _, from := range []string{w.URL + "/away?sig=SECRET", w.URL + "/cut?sig=SECRET", "http://127.0.0.1:1/?sig=SECRET"} {
		_, err := get(t, New(Options{AllowPrivate: true}), from)
		if e, ok := fault.Of(err); !ok || e.Cause == nil || strings.Contains(e.Cause.Error(), "SECRET") {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// TestGet asks for what a request can want.
func TestGet(t *testing.T) {
	var asked http.Header
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader("0123456789"))
	})
	c := New(Options{AllowPrivate: true})
	within := func(text string) func(*Request) {
		return func(r *Request) {
			got, err := wire.ParseRange(text)
			if err != nil {
				t.Fatal(err)
			}
			r.Range = got
		}
	}
	for text, want := range map[string]string{"bytes=2-4": "234", "bytes=8-": "89", "bytes=8-20": "89"} {
		if got, err := get(t, c, w.URL, within(text)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	_, err := get(t, c, w.URL, within("bytes=10-"))
	refused(t, "behind the end", err, 416, fault.InvalidRange)
	_, err = get(t, c, w.URL, func(r *Request) { r.Conditions = blob.Conditions{IfMatch: `"two"`} })
	refused(t, "If-Match", err, 412, fault.ConditionNotMet)
	_, err = get(t, c, w.URL, func(r *Request) { r.Conditions = blob.Conditions{IfNoneMatch: `"one"`} })
	refused(t, "If-None-Match", err, 304, fault.ConditionNotMet)
	_, err = get(t, c, w.URL, func(r *Request) { r.Conditions.IfModifiedSince = blob.TimeOf(time.Unix(2e9, 0)) })
	refused(t, "If-Modified-Since", err, 304, fault.ConditionNotMet)
	_, err = get(t, c, w.URL, func(r *Request) { r.Conditions.IfUnmodifiedSince = blob.TimeOf(time.Unix(1e8, 0)) })
	refused(t, "If-Unmodified-Since", err, 412, fault.ConditionNotMet)
	got, err := get(t, c, w.URL, func(r *Request) { r.Bearer = "Bearer secret" })
	if err != nil || string(got) != "0123456789" {
		t.Errorf("the whole is %q, %v", got, err)
	}
	if asked.Get("Authorization") != "" || asked.Get("x-ms-version") != "2026-02-06" || asked.Get("Accept-Encoding") != "" {
		t.Errorf("was asked with %v", asked)
	}
}

// TestMisbehaving reads sources that do not keep to the protocol.
func TestMisbehaving(t *testing.T) {
	c := New(Options{AllowPrivate: true})
	long := strings.Repeat("x", maxCode+1)
	for _, k := range []struct {
		name   string
		status int
		serve  http.HandlerFunc
	}{
		{"absent", 404, http.NotFound},
		{"broken", 400, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }},
		{"odd status", 412, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
		{"long code", 403, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-error-code", long)
			w.WriteHeader(403)
		}},
		{"cut short", 400, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			w.Write(make([]byte, 10))
		}},
		{"long header", 400, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-ms-meta-k", strings.Repeat("x", maxHead))
		}},
		{"redirecting for ever", 400, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", 302) }},
		{"redirecting to a file", 400, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "file:///etc/passwd", 302) }},
	} {
		_, err := get(t, c, web(t, k.serve).URL)
		refused(t, k.name, err, k.status, fault.CannotVerifyCopySource)
		if e, _ := fault.Of(err); e != nil && strings.Contains(e.Header[1].Value, long) {
			t.Errorf("%s: passes on %d bytes of code", k.name, len(long))
		}
	}
	stalled := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "900")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	_, err := get(t, New(Options{AllowPrivate: true, Timeout: 50 * time.Millisecond}), stalled.URL)
	refused(t, "stalled", err, 400, fault.CannotVerifyCopySource)
	gone := web(t, http.NotFound)
	gone.Close()
	_, err = get(t, c, gone.URL)
	refused(t, "gone", err, 400, fault.CannotVerifyCopySource)
	if errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what ended the reading can be taken for the end of the request: %v", err)
	}
}

// TestGuard tries to reach what only the server can reach.
func TestGuard(t *testing.T) {
	inside := web(t, func(http.ResponseWriter, *http.Request) { t.Error("a source inside was read") })
	outside := web(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	})
	own, err := netip.ParseAddrPort(outside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{
		resolver: resolver(netip.MustParseAddr("10.1.2.3")),
		permit:   func(at netip.AddrPort) bool { return at == own },
	})
	if _, err := get(t, c, outside.URL+"/x"); err != nil {
		t.Error(err)
	}
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	for _, from := range []string{
		inside.URL + "/x",
		"http://localhost:" + port + "/x",
		"http://0.0.0.0:" + port + "/x",
		"http://[::ffff:127.0.0.1]:" + port + "/x",
		"http://169.254.169.254/latest/meta-data",
		"http://source.example/x",
		outside.URL + "/x?to=" + inside.URL + "/x",
		outside.URL + "/x?to=http://source.example/x",
	} {
		_, err := get(t, c, from)
		refused(t, from, err, 403, fault.CannotVerifyCopySource)
		if e, _ := fault.Of(err); e != nil && strings.Contains(e.Message, "10.1.2.3") {
			t.Errorf("%s tells what is inside: %s", from, e.Message)
		}
	}
}

// resolver answers every question for an IPv4 address alike.
func resolver(a netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for answerName(server, a) == nil {
			}
		}()
		return client, nil
	}}
}

// answerName answers one question in the form that DNS has over streams.
func answerName(c net.Conn, a netip.Addr) error {
	var size uint16
	if err := binary.Read(c, binary.BigEndian, &size); err != nil {
		return err
	}
	q := make([]byte, size)
	if _, err := io.ReadFull(c, q); err != nil {
		return err
	}
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	answer := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if ip := a.As4(); q[end-3] == 1 {
		answer[7] = 1
		answer = append(answer, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// TestKeysStayWithTheirHost follows redirects with a customer's key.
func TestKeysStayWithTheirHost(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	hash := sha256.Sum256(secret)
	key, err := encryption.OfSource.Parse(base64.StdEncoding.EncodeToString(secret), base64.StdEncoding.EncodeToString(hash[:]), "AES256")
	if err != nil {
		t.Fatal(err)
	}
	given := make(map[string]int)
	note := func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"x-ms-encryption-key", "x-ms-encryption-key-sha256", "x-ms-encryption-algorithm"} {
			if r.Header.Get(name) != "" {
				given[r.URL.Path]++
			}
		}
	}
	other := web(t, note)
	w := web(t, func(w http.ResponseWriter, r *http.Request) {
		note(w, r)
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/b":
			http.Redirect(w, r, other.URL+"/c", http.StatusFound)
		}
	})
	if _, err := get(t, New(Options{AllowPrivate: true}), w.URL+"/a", func(r *Request) { r.Key = key }); err != nil {
		t.Fatal(err)
	}
	if given["/a"] != 3 || given["/b"] != 3 || given["/c"] != 0 {
		t.Errorf("headers of the key by path: %v", given)
	}
}
