package console_test

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/console"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

const (
	account = "devstoreaccount1"
	key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// world is a service with a console before it.
type world struct {
	t       *testing.T
	service *service.Service
	console *console.Console
	server  *httptest.Server
	account *auth.Account
	now     time.Time // of the console
}

func newWorld(t *testing.T, options ...func(*console.Options)) *world {
	w := &world{t: t, now: time.Now()}
	k, err := auth.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	w.account = &auth.Account{Name: account, Keys: []*auth.Key{k}}
	find := func(name string) *auth.Account {
		if name == account {
			return w.account
		}
		return nil
	}
	db := mem.Open(nil)
	t.Cleanup(func() { db.Close() })
	if err := meta.Prepare(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	w.service = service.New(service.Options{DB: db, Segments: segments.New(nil), Accounts: find, Random: rand.Reader})
	o := console.Options{Service: w.service, Account: find, Dev: account, DevKey: key, Endpoint: "http://127.0.0.1:10000", Now: func() time.Time { return w.now }}
	for _, f := range options {
		f(&o)
	}
	w.console = console.New(o)
	w.server = httptest.NewServer(w.console)
	t.Cleanup(w.server.Close)
	return w
}

// ask sends a request of the protocol to the service.
func (w *world) ask(method, target string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1/"+account+target, nil)
	r.Header.Set("x-ms-version", "2024-11-04")
	r.Header.Set("Content-Length", "0")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	in, err := wire.NewRequest(answer, r, w.now, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.service.ServeAs(in, auth.Grant{Principal: auth.Principal{Kind: auth.KindKey, Name: account}})
	return answer
}

// lease makes a blob and leases it without end.
func (w *world) lease(name string) {
	w.t.Helper()
	container, blob, _ := strings.Cut(name, "/")
	w.ask("PUT", "/"+container+"?restype=container")
	target := "/" + container + "/" + url.PathEscape(blob)
	w.ask("PUT", target, "x-ms-blob-type", "BlockBlob")
	if a := w.ask("PUT", target+"?comp=lease", "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1"); a.Code != http.StatusCreated {
		w.t.Fatalf("lease of %q: %d %s", name, a.Code, a.Body)
	}
}

func (w *world) state(name string) string {
	container, blob, _ := strings.Cut(name, "/")
	return w.ask("HEAD", "/"+container+"/"+url.PathEscape(blob)).Header()["x-ms-lease-state"][0]
}

// browser is a client with cookies that follows redirects.
type browser struct {
	*world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{w, &http.Client{Jar: jar}}
}

// signedIn is a browser that has followed a link.
func (w *world) signedIn() *browser {
	b := w.browser()
	if status, _ := b.get(w.console.Link()); status != http.StatusOK {
		w.t.Fatalf("the link: %d", status)
	}
	return b
}

func (b *browser) send(r *http.Request) (int, string) {
	b.t.Helper()
	a, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

func (b *browser) get(path string) (int, string) {
	r, _ := http.NewRequest("GET", b.server.URL+path, nil)
	return b.send(r)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	r, _ := http.NewRequest("POST", b.server.URL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

// token returns the token of the session.
func (b *browser) token() string {
	_, text := b.get("/")
	found := regexp.MustCompile(`data-token="([^"]+)"`).FindStringSubmatch(text)
	if found == nil {
		b.t.Fatalf("no token in %s", text)
	}
	return found[1]
}

// item returns what the form of a lease sends: its epoch and name.
func (b *browser) item(name string) string {
	b.t.Helper()
	_, text := b.get("/break?name=" + url.QueryEscape(name))
	found := regexp.MustCompile(`name="item" value="(\d+) `).FindStringSubmatch(text)
	if found == nil {
		b.t.Fatalf("no form in %s", text)
	}
	return found[1] + " " + name
}

var pages = []string{"/", "/lease?name=jobs/nightly", "/break?name=jobs/nightly", "/contention", "/containers", "/containers?container=jobs", "/connect", "/access", "/health"}

// TestEveryPage shows every page, with the headers that keep a hostile browser out.
func TestEveryPage(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	b := w.signedIn()
	for _, page := range pages {
		r, _ := http.NewRequest("GET", w.server.URL+page, nil)
		a, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(a.Body)
		a.Body.Close()
		if a.StatusCode != http.StatusOK || !strings.Contains(string(text), "</html>") {
			t.Errorf("%s: %d %s", page, a.StatusCode, text)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", page, name, got)
			}
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", page, csp)
		}
	}
}

// TestNobodySeesAnything: without a session every page leads to the sign-in, and every action and
// stream is refused.
func TestNobodySeesAnything(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	b := w.browser()
	for _, page := range append(pages, "/download?name=jobs/nightly") {
		if _, text := b.get(page); !strings.Contains(text, "Account key or SAS URL") || strings.Contains(text, "nightly") {
			t.Errorf("%s: %s", page, text)
		}
	}
	for _, path := range []string{"/break", "/containers", "/access", "/sign-out"} {
		if status, _ := b.post(path, url.Values{}); status != http.StatusUnauthorized {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	if status, _ := b.get("/events"); status != http.StatusUnauthorized {
		t.Errorf("stream: %d", status)
	}
}

// TestLinks: a link signs in once, and not after ten minutes.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	link, late := w.console.Link(), w.console.Link()
	if status, _ := w.browser().get(link); status != http.StatusOK {
		t.Errorf("first use: %d", status)
	}
	if status, _ := w.browser().get(link); status != http.StatusForbidden {
		t.Errorf("second use: %d", status)
	}
	w.now = w.now.Add(11 * time.Minute)
	if status, _ := w.browser().get(late); status != http.StatusForbidden {
		t.Errorf("after eleven minutes: %d", status)
	}
}

// TestSessionsEnd: when idle, at the latest after eight hours, at the sign-out, and when the key is
// withdrawn.
func TestSessionsEnd(t *testing.T) {
	in := func(b *browser) bool { _, text := b.get("/"); return strings.Contains(text, "Live leases") }
	w := newWorld(t)
	b := w.signedIn()
	w.now = w.now.Add(31 * time.Minute)
	if in(b) {
		t.Error("after half an hour of silence")
	}
	b = w.signedIn()
	for range 17 {
		w.now = w.now.Add(29 * time.Minute)
		in(b)
	}
	if in(b) {
		t.Error("after eight hours")
	}
	b = w.signedIn()
	if b.post("/sign-out", url.Values{"token": {b.token()}}); in(b) {
		t.Error("after the sign-out")
	}
	b = w.browser()
	b.post("/sign-in", url.Values{"account": {account}, "credential": {key}})
	if !in(b) {
		t.Error("a key does not sign in")
	}
	other, _ := auth.ParseKey("b3RoZXI=")
	if w.account = (&auth.Account{Name: account, Keys: []*auth.Key{other}}); in(b) {
		t.Error("after the key was withdrawn")
	}
}

// TestSignInIsSlowedDown: ten failures of an address in a minute, and it has to wait.
func TestSignInIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for range 10 {
		if status, _ := b.post("/sign-in", url.Values{"account": {account}, "credential": {"d3Jvbmc="}}); status != http.StatusForbidden {
			t.Errorf("wrong key: %d", status)
		}
	}
	if status, _ := b.post("/sign-in", url.Values{"account": {account}, "credential": {key}}); status != http.StatusTooManyRequests {
		t.Errorf("the eleventh: %d", status)
	}
	w.now = w.now.Add(time.Minute)
	if status, _ := b.post("/sign-in", url.Values{"account": {account}, "credential": {key}}); status != http.StatusOK {
		t.Errorf("a minute later: %d", status)
	}
}

// TestFormsAreBounded: who has not signed in can't have a long form stored.
func TestFormsAreBounded(t *testing.T) {
	w := newWorld(t)
	var body strings.Builder
	m := multipart.NewWriter(&body)
	m.WriteField("credential", key)
	f, _ := m.CreateFormFile("file", "long")
	io.WriteString(f, strings.Repeat("x", 2<<20))
	m.WriteField("account", account)
	m.Close()
	for _, path := range []string{"/sign-in", "/containers"} {
		r, _ := http.NewRequest("POST", w.server.URL+path, strings.NewReader(body.String()))
		r.Header.Set("Content-Type", m.FormDataContentType())
		if a, err := w.browser().client.Do(r); err == nil {
			a.Body.Close()
			if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	}
}

// TestForgery: another site's post, another session's form, and another name of the host change
// nothing.
func TestForgery(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	b := w.signedIn()
	form := url.Values{"item": {b.item("jobs/nightly")}, "confirm": {"jobs/nightly"}, "period": {"0"}}
	if status, _ := b.post("/break", form); status != http.StatusForbidden {
		t.Errorf("without a token: %d", status)
	}
	form.Set("token", w.signedIn().token())
	if status, _ := b.post("/break", form); status != http.StatusForbidden {
		t.Errorf("with the token of another session: %d", status)
	}
	form.Set("token", b.token())
	r, _ := http.NewRequest("POST", w.server.URL+"/break", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _ := b.send(r); status != http.StatusForbidden {
		t.Errorf("from another site: %d", status)
	}
	r, _ = http.NewRequest("GET", w.server.URL+"/", nil)
	r.Host = "evil.example"
	if status, _ := b.send(r); status != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %d", status)
	}
	if got := w.state("jobs/nightly"); got != "leased" {
		t.Errorf("the lease is %s", got)
	}
}

// TestBreak: the lease that was seen is broken by its name, and nothing else is.
func TestBreak(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	b := w.signedIn()
	seen := b.item("jobs/nightly")
	form := url.Values{"token": {b.token()}, "item": {seen}, "confirm": {"jobs/nightl"}, "period": {"0"}}
	if status, _ := b.post("/break", form); status != http.StatusBadRequest || w.state("jobs/nightly") != "leased" {
		t.Errorf("with the wrong name: %d, %s", status, w.state("jobs/nightly"))
	}
	form.Set("confirm", "jobs/nightly")
	if _, text := b.post("/break", form); !strings.Contains(text, "free now") || w.state("jobs/nightly") != "broken" {
		t.Errorf("%s, %s", w.state("jobs/nightly"), text)
	}
	w.lease("jobs/nightly")
	if _, text := b.post("/break", form); !strings.Contains(text, "changed hands") || w.state("jobs/nightly") != "leased" {
		t.Errorf("with the epoch of the lease before: %s, %s", w.state("jobs/nightly"), text)
	}
}

// TestBulkBreak: several are broken by their number, and one that changed hands is left alone.
func TestBulkBreak(t *testing.T) {
	w := newWorld(t)
	names := []string{"jobs/a", "jobs/b", "jobs/c"}
	b := w.signedIn()
	form := url.Values{"token": {b.token()}, "confirm": {"break 2"}, "period": {"0"}}
	for _, name := range names {
		w.lease(name)
		form.Add("item", b.item(name))
	}
	if status, _ := b.post("/break", form); status != http.StatusBadRequest {
		t.Errorf("with the wrong number: %d", status)
	}
	w.ask("PUT", "/jobs/b?comp=lease", "x-ms-lease-action", "break", "x-ms-lease-break-period", "0")
	w.lease("jobs/b")
	form.Set("confirm", "break 3")
	b.post("/break", form)
	var got []string
	for _, name := range names {
		got = append(got, w.state(name))
	}
	if want := []string{"broken", "leased", "broken"}; !slices.Equal(got, want) {
		t.Errorf("states %q, want %q", got, want)
	}
}

// TestSAS: whoever signs in with a signature sees and does what it permits.
func TestSAS(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	w.lease("other/secret")
	k := w.account.Keys[0]
	sign := func(letters string) string {
		s := auth.SAS{Version: "2022-11-02", Permissions: letters, Protocol: "https,http", Resource: "c", Expiry: auth.FormatTime(time.Now().Add(time.Hour))}
		return "http://127.0.0.1:10000/" + account + "/jobs?" + auth.SignServiceSAS(s, account, "jobs", "", k)
	}
	for letters, mayBreak := range map[string]bool{"rl": false, "rwl": true} {
		b := w.browser()
		if status, text := b.post("/sign-in", url.Values{"credential": {sign(letters)}}); status != http.StatusOK {
			t.Fatalf("%s: %d %s", letters, status, text)
		}
		_, text := b.get("/")
		if !strings.Contains(text, "nightly") || strings.Contains(text, "secret") {
			t.Errorf("%s: %s", letters, text)
		}
		if shown := strings.Contains(text, `aria-label="Break jobs/nightly"`) || strings.Contains(text, "key @"); shown != mayBreak {
			t.Errorf("%s: break and holder are shown: %t", letters, shown)
		}
		if strings.Contains(text, "sig=") {
			t.Errorf("%s: the signature is sent back", letters)
		}
		if status, _ := b.get("/lease?name=other/secret"); status == http.StatusOK {
			t.Errorf("%s: another container's lease is shown", letters)
		}
	}
	if status, _ := w.browser().post("/sign-in", url.Values{"credential": {sign("rl") + "x"}}); status != http.StatusForbidden {
		t.Errorf("with a wrong signature: %d", status)
	}
}

// TestReadOnly: a console for looking has no forms, and refuses what they would send.
func TestReadOnly(t *testing.T) {
	w := newWorld(t, func(o *console.Options) { o.ReadOnly = true })
	w.lease("jobs/nightly")
	b := w.signedIn()
	for _, page := range []string{"/containers", "/containers?container=jobs", "/access", "/lease?name=jobs/nightly"} {
		if _, text := b.get(page); strings.Count(text, `method="post"`) != 1 { // the sign-out
			t.Errorf("%s has forms: %s", page, text)
		}
	}
	for _, path := range []string{"/break", "/containers", "/access"} {
		if status, _ := b.post(path, url.Values{"token": {b.token()}}); status != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, status)
		}
	}
}

// TestNames: names with markup, quotes, escapes, slashes, right-to-left text and 1,024 characters
// are shown as they are, and found by their links.
func TestNames(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	for _, name := range []string{"<script>alert(1)</script>", `a"b'c&d`, "a%2Fb", "a//b", "شحن/قفل", strings.Repeat("x", 1024)} {
		w.lease("jobs/" + name)
		_, text := b.get("/?q=" + url.QueryEscape(name))
		if strings.Contains(text, "<script>alert") {
			t.Errorf("%q is markup", name)
		}
		links := regexp.MustCompile(`href="(/lease\?name=[^"]+)"`).FindStringSubmatch(text)
		if links == nil {
			t.Errorf("%q has no link", name)
			continue
		}
		if status, page := b.get(strings.ReplaceAll(links[1], "&amp;", "&")); status != http.StatusOK || !strings.Contains(page, ">acquired") {
			t.Errorf("%q: %d %s", name, status, page)
		}
		form := url.Values{"token": {b.token()}, "item": {b.item("jobs/" + name)}, "confirm": {"jobs/" + name}, "period": {"0"}}
		if _, page := b.post("/break", form); !strings.Contains(page, "free now") {
			t.Errorf("%q: %s", name, page)
		}
	}
}

// TestPages: a list is read page by page, in its order, by its own links.
func TestPages(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.lease("jobs/" + name)
	}
	b := w.signedIn()
	row := regexp.MustCompile(`<tr data-k="jobs/(.)"`)
	got := ""
	for at := "/?rows=2&q=jobs%2F&order=age"; at != ""; {
		_, text := b.get(at)
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			got += m[1]
		}
		got += " "
		at = ""
		if next := regexp.MustCompile(`href="([^"]+)">After`).FindStringSubmatch(text); next != nil {
			at = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	if got != "ab cd e " {
		t.Errorf("pages %q", got)
	}
}

// TestBrowse makes a container, uploads into it, downloads and deletes.
func TestBrowse(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn()
	token := b.token()
	if status, text := b.post("/containers", url.Values{"token": {token}, "do": {"create"}, "container": {"box"}}); status != http.StatusOK {
		t.Fatalf("create: %d %s", status, text)
	}
	var body strings.Builder
	m := multipart.NewWriter(&body)
	for name, value := range map[string]string{"token": token, "do": "upload", "container": "box", "prefix": "in/"} {
		m.WriteField(name, value)
	}
	f, _ := m.CreateFormFile("file", "page.html")
	io.WriteString(f, "<script>alert(1)</script>")
	m.Close()
	r, _ := http.NewRequest("POST", w.server.URL+"/containers", strings.NewReader(body.String()))
	r.Header.Set("Content-Type", m.FormDataContentType())
	if status, text := b.send(r); status != http.StatusOK || !strings.Contains(text, "page.html") {
		t.Fatalf("upload: %d %s", status, text)
	}
	a, err := b.client.Get(w.server.URL + "/download?name=box/in/page.html")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(a.Body)
	a.Body.Close()
	if string(text) != "<script>alert(1)</script>" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") ||
		a.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("download: %q %v", text, a.Header)
	}
	remove := url.Values{"token": {token}, "do": {"delete"}, "container": {"box"}, "blob": {"in/page.html"}, "confirm": {"page"}}
	if status, _ := b.post("/containers", remove); status != http.StatusBadRequest {
		t.Errorf("delete by a wrong name: %d", status)
	}
	remove.Set("confirm", "in/page.html")
	if status, page := b.post("/containers", remove); status != http.StatusOK || strings.Contains(page, "page.html") {
		t.Errorf("delete: %d %s", status, page)
	}
}

// TestStream: a stream begins with the whole page, then sends what changes and nothing else.
func TestStream(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/a")
	b := w.signedIn()
	a, err := b.client.Get(w.server.URL + "/events?q=jobs/")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	lines := bufio.NewScanner(a.Body)
	type message struct {
		Put []struct{ K, S string }
		Del []string
	}
	next := func() (kind string, m message) {
		for lines.Scan() {
			text := lines.Text()
			if value, ok := strings.CutPrefix(text, "event: "); ok {
				kind = value
			}
			if value, ok := strings.CutPrefix(text, "data: "); ok {
				if err := json.Unmarshal([]byte(value), &m); err != nil {
					t.Fatal(err)
				}
				return kind, m
			}
		}
		t.Fatal("the stream ended")
		return "", m
	}
	if kind, m := next(); kind != "reset" || len(m.Put) != 1 || m.Put[0].K != "jobs/a" {
		t.Fatalf("begins with %s %+v", kind, m)
	}
	w.lease("jobs/b")
	if kind, m := next(); kind != "change" || len(m.Put) != 1 || m.Put[0].K != "jobs/b" {
		t.Errorf("after a lease: %s %+v", kind, m)
	}
	w.ask("PUT", "/jobs/a?comp=lease", "x-ms-lease-action", "break", "x-ms-lease-break-period", "0")
	if kind, m := next(); kind != "change" || len(m.Put) != 0 || !slices.Equal(m.Del, []string{"jobs/a"}) {
		t.Errorf("after a break: %s %+v", kind, m)
	}
}

// TestMakeSAS: a signature that the console makes is good, and does not last longer than a week.
func TestMakeSAS(t *testing.T) {
	w := newWorld(t)
	w.lease("jobs/nightly")
	b := w.signedIn()
	form := url.Values{"token": {b.token()}, "permissions": {"rl"}, "hours": {"1"}, "container": {"jobs"}}
	_, text := b.post("/access", form)
	found := regexp.MustCompile(`http://127.0.0.1:10000/[^<]+`).FindString(text)
	other := w.browser()
	if _, page := other.post("/sign-in", url.Values{"credential": {strings.ReplaceAll(found, "&amp;", "&")}}); !strings.Contains(page, "nightly") {
		t.Errorf("%q does not sign in", found)
	}
	form.Set("hours", "1000")
	if status, _ := b.post("/access", form); status != http.StatusBadRequest {
		t.Errorf("for 1000 hours: %d", status)
	}
}
