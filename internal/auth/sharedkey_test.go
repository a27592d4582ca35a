package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
)

// developmentKey is the published key of emulators, which the vectors are made with.
const developmentKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

var testNow = time.Date(2026, 3, 3, 8, 5, 0, 0, time.UTC)

func testKey(t testing.TB) *Key {
	t.Helper()
	k, err := ParseKey(developmentKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testEnv(t testing.TB) *Env {
	return &Env{Account: &Account{Name: "acct", Keys: []*Key{NewKey([]byte("other")), testKey(t)}}, Now: testNow}
}

// vector is the request of the published vector, host style.
func vector() *Request {
	return &Request{
		Method: "PUT", RawPath: "/cont/dir/a%20b.txt", RawQuery: "timeout=30", ContentLength: 5, Version: "2026-12-06",
		Account: "acct", Container: "cont", Blob: "dir/a b.txt",
		Header: http.Header{
			"Authorization":          {"SharedKey acct:rD+mxYA+PQxeE5E8P+zxW5dC97AgZgw8jKptU7RRBwQ="},
			"Content-Type":           {"application/octet-stream"},
			"Content-Length":         {"5"},
			"If-None-Match":          {"*"},
			"X-Ms-Blob-Type":         {"BlockBlob"},
			"X-Ms-Client-Request-Id": {"11111111-2222-3333-4444-555555555555"},
			"X-Ms-Date":              {"Tue, 03 Mar 2026 08:00:00 GMT"},
			"X-Ms-Meta-A1":           {"1"},
			"X-Ms-Meta-A_b":          {"2"},
			"X-Ms-Version":           {"2026-12-06"},
		},
	}
}

const vectorText = "PUT\n\n\n5\n\napplication/octet-stream\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n" +
	"x-ms-client-request-id:11111111-2222-3333-4444-555555555555\nx-ms-date:Tue, 03 Mar 2026 08:00:00 GMT\n" +
	"x-ms-meta-a_b:2\nx-ms-meta-a1:1\nx-ms-version:2026-12-06\n/acct/cont/dir/a%20b.txt\ntimeout:30"

func TestSharedKeyVectors(t *testing.T) {
	host, path := vector(), vector()
	path.PathStyle = true
	path.RawPath = "/acct/cont/dir/a%20b.txt"
	path.Header.Set("Authorization", "SharedKey acct:IkiDaLGZ1DtBaIc5v0xlHx+tBeOX7PL+eO1yP8ldlQU=")
	for name, req := range map[string]*Request{"host style": host, "path style": path} {
		g, err := Authenticate(req, testEnv(t))
		if err != nil {
			t.Errorf("%s: %v", name, detailOf(err))
			continue
		}
		if g.Principal.Kind != KindKey || g.Principal.Name != "acct" {
			t.Errorf("%s: principal is %+v", name, g.Principal)
		}
		if err := g.Allow(PermPutBlob, Resource{Container: "cont", Blob: "dir/a b.txt"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := documentedText(t, host, false); got != vectorText {
		t.Errorf("string-to-sign\n got %q\nwant %q", got, vectorText)
	}
}

func documentedText(t testing.TB, req *Request, lite bool) string {
	t.Helper()
	c, err := newCanon(req, lite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.release()
	return string(c.write(c.documented()))
}

func detailOf(err error) string {
	e, _ := fault.Of(err)
	return fmt.Sprintf("%d %s %v", e.Status, e.Code, e.Details)
}

// signed sets the Authorization header of req to the signature of text.
func signed(t testing.TB, req *Request, scheme, text string) *Request {
	req.Header.Set("Authorization", scheme+" "+req.Account+":"+testKey(t).Sign([]byte(text)))
	return req
}

func TestSharedKeyStrings(t *testing.T) {
	base := func(change func(*Request)) *Request {
		r := &Request{Method: "GET", RawPath: "/c/b", Account: "acct", Version: "2026-12-06", Header: http.Header{
			"X-Ms-Date": {"Tue, 03 Mar 2026 08:00:00 GMT"},
		}}
		change(r)
		return r
	}
	const head, date = "GET\n\n\n\n\n\n\n\n\n\n\n\n", "x-ms-date:Tue, 03 Mar 2026 08:00:00 GMT\n"
	tests := []struct {
		name string
		req  *Request
		lite bool
		want string
	}{
		{"plain", base(func(r *Request) {}), false, head + date + "/acct/c/b"},
		{"no path", base(func(r *Request) { r.RawPath = "" }), false, head + date + "/acct/"},
		{"zero length", base(func(r *Request) { r.Header.Set("Content-Length", "0") }), false, head + date + "/acct/c/b"},
		{"zero length, old", base(func(r *Request) {
			r.Header.Set("Content-Length", "0")
			r.Version = "2014-02-14"
		}), false, "GET\n\n\n0\n\n\n\n\n\n\n\n\n" + date + "/acct/c/b"},
		{"absent length, old", base(func(r *Request) { r.Version = "2014-02-14" }), false, head + date + "/acct/c/b"},
		{"unknown length", base(func(r *Request) { r.ContentLength = -1 }), false, head + date + "/acct/c/b"},
		{"empty header", base(func(r *Request) { r.Header["X-Ms-Access-Tier"] = []string{""} }), false,
			head + "x-ms-access-tier:\n" + date + "/acct/c/b"},
		{"empty header, old", base(func(r *Request) {
			r.Header["X-Ms-Access-Tier"] = []string{""}
			r.Version = "2015-12-11"
		}), false, head + date + "/acct/c/b"},
		{"date header", base(func(r *Request) {
			r.Header = http.Header{"Date": {"Tue, 03 Mar 2026 08:00:00 GMT"}}
		}), false, "GET\n\n\n\n\n\nTue, 03 Mar 2026 08:00:00 GMT\n\n\n\n\n\n/acct/c/b"},
		{"both dates", base(func(r *Request) { r.Header.Set("Date", "x") }), false, head + date + "/acct/c/b"},
		{"all lines", base(func(r *Request) {
			for i, name := range signedHeaders {
				r.Header[name] = []string{string(rune('a' + i))}
			}
			r.ContentLength = 7
			delete(r.Header, "X-Ms-Date")
			r.Header.Set("Date", "Tue, 03 Mar 2026 08:00:00 GMT")
		}), false, "GET\na\nb\n7\nd\ne\nTue, 03 Mar 2026 08:00:00 GMT\ng\nh\ni\nj\nk\n/acct/c/b"},
		{"query", base(func(r *Request) { r.RawQuery = "Z=1&restype=container&comp=list&a=%2F;b+c&x&x=2&x=10" }), false,
			head + date + "/acct/c/b\na:/;b c\ncomp:list\nrestype:container\nx:,10,2\nz:1"},
		{"lite", base(func(r *Request) {
			r.RawQuery = "timeout=3&comp=lease"
			r.Header.Set("Content-MD5", "m")
			r.Header.Set("Content-Type", "t")
			r.Header.Set("Content-Language", "l")
		}), true, "GET\nm\nt\n\n" + date + "/acct/c/b?comp=lease"},
		{"lite without comp", base(func(r *Request) { r.RawQuery = "timeout=3" }), true, "GET\n\n\n\n" + date + "/acct/c/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := documentedText(t, tt.req, tt.lite); got != tt.want {
				t.Errorf("\n got %q\nwant %q", got, tt.want)
			}
			scheme := "SharedKey"
			if tt.lite {
				scheme = "SharedKeyLite"
			}
			if _, err := Authenticate(signed(t, tt.req, scheme, tt.want), testEnv(t)); err != nil {
				t.Error(detailOf(err))
			}
		})
	}
}

func TestSharedKeyVariants(t *testing.T) {
	const head, date = "GET\n\n\n\n\n\n\n\n\n\n\n\n", "x-ms-date:Tue, 03 Mar 2026 08:00:00 GMT\n"
	tests := []struct {
		name      string
		req       Request
		header    string // one more header, name:value
		text      string
		reencoded bool // needs the option
	}{
		{name: "byte order", req: Request{RawPath: "/c"}, header: "X-Ms-Meta-A_b:2",
			text: head + date + "x-ms-meta-a1:1\nx-ms-meta-a_b:2\n/acct/c"},
		{name: "kept plus", req: Request{RawPath: "/c", RawQuery: "prefix=a+b"}, text: head + date + "x-ms-meta-a1:1\n/acct/c\nprefix:a+b"},
		{name: "kept plus and byte order", req: Request{RawPath: "/c", RawQuery: "prefix=a+b"}, header: "X-Ms-Meta-A_b:2",
			text: head + date + "x-ms-meta-a1:1\nx-ms-meta-a_b:2\n/acct/c\nprefix:a+b"},
		{name: "single account", req: Request{RawPath: "/devstoreaccount1/c", PathStyle: true, Account: devAccount},
			text: head + date + "x-ms-meta-a1:1\n/devstoreaccount1/c"},
		{name: "secondary, host", req: Request{RawPath: "/c", Secondary: true}, text: head + date + "x-ms-meta-a1:1\n/acct/c"},
		{name: "secondary, path kept", req: Request{RawPath: "/acct-secondary/c", PathStyle: true, Secondary: true},
			text: head + date + "x-ms-meta-a1:1\n/acct/acct-secondary/c"},
		{name: "secondary, path stripped", req: Request{RawPath: "/acct-secondary/c", PathStyle: true, Secondary: true},
			text: head + date + "x-ms-meta-a1:1\n/acct/acct/c"},
		{name: "path was escaped on the way", req: Request{RawPath: "/c/a%28%2F%20%29"}, reencoded: true,
			text: head + date + "x-ms-meta-a1:1\n/acct/c/a(%2F%20)"},
		{name: "path was unescaped on the way", req: Request{RawPath: "/c/a(~')"}, reencoded: true,
			text: head + date + "x-ms-meta-a1:1\n/acct/c/a%28%7E%27%29"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &tt.req
			req.Method, req.Version = "GET", "2026-12-06"
			if req.Account == "" {
				req.Account = "acct"
			}
			req.Header = http.Header{"X-Ms-Date": {"Tue, 03 Mar 2026 08:00:00 GMT"}, "X-Ms-Meta-A1": {"1"}}
			if name, value, ok := strings.Cut(tt.header, ":"); ok {
				req.Header.Set(name, value)
			}
			env := testEnv(t)
			env.Account.Name = req.Account
			signed(t, req, "SharedKey", tt.text)
			_, err := Authenticate(req, env)
			if ok := err == nil; ok == tt.reencoded {
				t.Errorf("without the option: %v", err)
			}
			env.ReencodedPaths = true
			if _, err := Authenticate(req, env); err != nil {
				t.Errorf("with the option: %s", detailOf(err))
			}
			signed(t, req, "SharedKey", tt.text+"x")
			if _, err := Authenticate(req, env); !errors.Is(err, fault.AuthenticationFailed) {
				t.Errorf("a signature of something else: %v", err)
			}
		})
	}
}

// A single account is accepted for the well-known account only: it would be another resource's
// string elsewhere.
func TestSharedKeySingleAccountElsewhere(t *testing.T) {
	req := vector()
	req.PathStyle, req.RawPath = true, "/acct/cont/dir/a%20b.txt" // the header still signs /acct/cont/dir/a%20b.txt
	if _, err := Authenticate(req, testEnv(t)); !errors.Is(err, fault.AuthenticationFailed) {
		t.Errorf("got %v", err)
	}
}

func TestSharedKeyRefusals(t *testing.T) {
	const wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	tests := []struct {
		name   string
		change func(*Request, *Env)
		want   string // status, code and the details
	}{
		{"wrong signature", func(r *Request, e *Env) { r.Header.Set("Authorization", "SharedKey acct:"+wrong) },
			"403 AuthenticationFailed [{AuthenticationErrorDetail The MAC signature found in the HTTP request '" + wrong +
				"' is not the same as any computed signature. Server used following string to sign: '" + vectorText + "'.}]"},
		{"old date", func(r *Request, e *Env) { e.Now = e.Now.Add(10*time.Minute + time.Second) },
			"403 AuthenticationFailed [{AuthenticationErrorDetail Request date header too old: 'Tue, 03 Mar 2026 08:00:00 GMT'}]"},
		{"future date", func(r *Request, e *Env) { e.Now = e.Now.Add(-20*time.Minute - time.Second) },
			"403 AuthenticationFailed [{AuthenticationErrorDetail Request date header too old: 'Tue, 03 Mar 2026 08:00:00 GMT'}]"},
		{"no date", func(r *Request, e *Env) { delete(r.Header, "X-Ms-Date") },
			"403 AuthenticationFailed [{AuthenticationErrorDetail Request date header too old: ''}]"},
		{"unreadable date", func(r *Request, e *Env) { r.Header.Set("X-Ms-Date", "2026-03-03T08:00:00Z") },
			"403 AuthenticationFailed [{AuthenticationErrorDetail Request date header too old: '2026-03-03T08:00:00Z'}]"},
		{"other account", func(r *Request, e *Env) { r.Header.Set("Authorization", "SharedKey acc2:"+wrong) },
			"403 AuthenticationFailed [{AuthenticationErrorDetail The account 'acc2' is not the one the request is sent to.}]"},
		{"no colon", func(r *Request, e *Env) { r.Header.Set("Authorization", "SharedKey acct") }, "400 InvalidAuthenticationInfo []"},
		{"no signature", func(r *Request, e *Env) { r.Header.Set("Authorization", "SharedKey acct:") }, "400 InvalidAuthenticationInfo []"},
		{"no credentials", func(r *Request, e *Env) { r.Header.Set("Authorization", "SharedKey") }, "400 InvalidAuthenticationInfo []"},
		{"other scheme", func(r *Request, e *Env) { r.Header.Set("Authorization", "Basic YTpi") }, "400 InvalidAuthenticationInfo []"},
		{"two headers", func(r *Request, e *Env) { r.Header.Add("Authorization", "SharedKey acct:"+wrong) }, "400 InvalidAuthenticationInfo []"},
		{"repeated condition", func(r *Request, e *Env) { r.Header.Add("If-None-Match", "x") },
			"400 InvalidHeaderValue [{HeaderName if-none-match} {HeaderValue }]"},
		{"repeated metadata", func(r *Request, e *Env) { r.Header.Add("X-Ms-Meta-A1", "x") },
			"400 InvalidHeaderValue [{HeaderName x-ms-meta-a1} {HeaderValue }]"},
		{"keys disabled", func(r *Request, e *Env) { e.Account.KeysDisabled = true }, "403 KeyBasedAuthenticationNotPermitted []"},
		{"plain HTTP", func(r *Request, e *Env) { e.Account.RequireHTTPS = true }, "400 AccountRequiresHttps []"},
		{"no account", func(r *Request, e *Env) { e.Account = nil }, "404 ResourceNotFound []"},
		{"no keys", func(r *Request, e *Env) { e.Account.Keys = nil; r.Header.Set("Authorization", "SharedKey acct:x") },
			"403 AuthenticationFailed [{AuthenticationErrorDetail The MAC signature found in the HTTP request 'x' is not the same as any computed signature. Server used following string to sign: '" + vectorText + "'.}]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, env := vector(), testEnv(t)
			tt.change(req, env)
			_, err := Authenticate(req, env)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := detailOf(err); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Every change of what is signed, by one character, must be refused.
func TestSharedKeyCoversTheRequest(t *testing.T) {
	changes := map[string]func(*Request){
		"method": func(r *Request) { r.Method = "DELETE" },
		"path":   func(r *Request) { r.RawPath += "x" },
		"query":  func(r *Request) { r.RawQuery = "timeout=31" },
		"added":  func(r *Request) { r.RawQuery += "&comp=lease" },
		"length": func(r *Request) { r.ContentLength = 6 },
	}
	for name := range vector().Header {
		if name != "Authorization" && name != "Content-Length" && name != "X-Ms-Date" {
			changes[name] = func(r *Request) { r.Header[name] = []string{r.Header[name][0] + "x"} }
			changes["no "+name] = func(r *Request) { delete(r.Header, name) }
		}
	}
	for name, change := range changes {
		req := vector()
		change(req)
		if _, err := Authenticate(req, testEnv(t)); !errors.Is(err, fault.AuthenticationFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkSharedKey(b *testing.B) {
	req, env := vector(), testEnv(b)
	env.Account.Keys = env.Account.Keys[1:]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Authenticate(req, env); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzStringToSign(f *testing.F) {
	f.Add("PUT", "/cont/dir/a%20b.txt", "timeout=30", "X-Ms-Meta-A_b", "2", false)
	f.Add("GET", "", "a=%zz&&;=+&A", "X-Ms-", "", true)
	f.Add("", "/%", "comp", "", "\n", false)
	f.Add("GET", "/a(%28%2f", "x=1&x=0&%78=2", "X-Ms-Meta-'-", " a ", true)
	f.Fuzz(func(t *testing.T, method, path, query, name, value string, lite bool) {
		req := &Request{Method: method, RawPath: path, RawQuery: query, Account: devAccount, PathStyle: true, Version: "2026-12-06",
			Header: http.Header{name: {value}, "X-Ms-Date": {"x"}, "X-Ms-Version": {"2026-12-06"}}}
		text := documentedText(t, req, lite)
		c, err := newCanon(req, lite)
		if err != nil {
			t.Fatal(err)
		}
		for range c.others(true) {
		}
		if again := string(c.write(c.documented())); again != text {
			t.Errorf("first %q, then %q", text, again)
		}
		c.release()
		env := &Env{Account: &Account{Name: devAccount, Keys: []*Key{testKey(t)}, AllowPublicAccess: true}, Now: testNow, ReencodedPaths: true}
		if _, err := Authenticate(req, env); err == nil && name == "Authorization" {
			t.Error("accepted what nobody signed")
		}
	})
}
