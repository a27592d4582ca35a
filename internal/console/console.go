// Package console serves the web console: pages that show who holds which lease, for how long, who
// waits and who was refused, and where a lease can be broken; also what is stored, and how to
// connect.
//
// The console has no power of its own: every action is an ordinary operation of package service,
// called in process under the grant of the viewer, and what is shown of the journal is filtered by
// the same grant. Pages work without JavaScript; the script adds what moves.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
)

// Options configures a Console. Service, Account and Random are required.
type Options struct {
	Service *service.Service
	// Account returns an account by name, nil if there is none.
	Account func(name string) *auth.Account
	// Hosts are the names under which the console may be reached, without a port, besides those of
	// loopback: others are refused, since a page of another site may have its name point here.
	Hosts []string
	// Secure says that browsers reach the console over TLS.
	Secure bool
	// ReadOnly refuses everything but looking.
	ReadOnly bool
	// Dev is the account of development, whose viewers sign in by link; "" for none.
	Dev string
	// DevKey is its key, for the page that says how to connect.
	DevKey string
	// Endpoint is where clients reach the service, without an account: http://127.0.0.1:10000.
	Endpoint string
	// Facts are shown on the page about the server's health.
	Facts func() []Fact
	Log   *slog.Logger
	Now   func() time.Time
}

// Fact is a line of the page about the server's health.
type Fact struct{ Name, Value string }

// Console is an http.Handler.
type Console struct {
	Options
	handler    http.Handler
	addressing *wire.Addressing
	sessions   sessions
	streams    chan struct{} // a place for each stream that may be open
	pages      *template.Template
	files      map[string]file // by the name under which they are served
	names      map[string]string
	listing    sync.Mutex // one list of leases is made at a time
}

type file struct {
	contentType string
	text        []byte
}

//go:embed static
var static embed.FS

// policy is the Content-Security-Policy of all pages: nothing from elsewhere, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// New returns a console.
func New(o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Console{Options: o, streams: make(chan struct{}, maxStreams), files: make(map[string]file), names: make(map[string]string)}
	c.addressing = &wire.Addressing{IsAccount: func(name string) bool { return o.Account(name) != nil }}
	for name, contentType := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "mark.svg": "image/svg+xml",
	} {
		text, err := static.ReadFile("static/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		hash := sha256.Sum256(text)
		served := strings.TrimSuffix(name, path.Ext(name)) + "-" + hex.EncodeToString(hash[:6]) + path.Ext(name)
		c.files[served], c.names[name] = file{contentType, text}, "/static/"+served
	}
	c.pages = template.Must(template.New("").Funcs(template.FuncMap{
		"static": func(name string) string { return c.names[name] },
		"ago":    span, "bytes": byteCount, "dir": dir, "mid": mid, "tail": tail, "clock": clock,
		"states": func() []string { return []string{"available", "leased", "breaking", "broken", "expired"} },
	}).ParseFS(static, "static/*.html"))
	c.handler = c.routes()
	return c
}

// routes returns the table of pages and actions.
func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{name}", c.serveStatic)
	mux.HandleFunc("GET /sign-in", c.showSignIn)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("GET /link", c.followLink)
	mux.HandleFunc("POST /sign-out", c.signedIn(c.signOut))
	for pattern, page := range map[string]func(*view) error{
		"GET /{$}": (*view).home, "GET /lease": (*view).lease, "GET /break": (*view).askBreak,
		"GET /contention": (*view).contention, "GET /containers": (*view).browse, "GET /connect": (*view).connect,
		"GET /access": (*view).access, "GET /health": (*view).health, "GET /events": (*view).events,
		"GET /download": (*view).download,
	} {
		mux.HandleFunc(pattern, c.signedIn(page))
	}
	for pattern, action := range map[string]func(*view) error{
		"POST /break": (*view).breakLeases, "POST /containers": (*view).change, "POST /access": (*view).makeSAS,
	} {
		mux.HandleFunc(pattern, c.signedIn(c.writes(action)))
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !c.knows(r.Host) {
		http.Error(w, "This console is not known under the name in the address.", http.StatusMisdirectedRequest)
		return
	}
	limit := int64(maxForm)
	if r.URL.Path == "/containers" { // nothing of its body is read before the session is known
		limit += maxUpload
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	c.handler.ServeHTTP(w, r)
}

// loopback are the names under which the console is reached on its own machine. Cookies don't tell
// ports apart, so links lead to the first, which no other server uses.
var loopback = []string{"leasehold.localhost", "127.0.0.1", "localhost", "::1"}

// knows reports whether the console answers under a host.
func (c *Console) knows(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	return slices.Contains(loopback, name) || slices.Contains(c.Hosts, name)
}

func (c *Console) serveStatic(w http.ResponseWriter, r *http.Request) {
	f, ok := c.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(f.text)
}

// view is one request of one who has signed in.
type view struct {
	*Console
	w       http.ResponseWriter
	r       *http.Request
	session *session
	grant   auth.Grant
	now     time.Time // by the clock that leases are judged by
}

// signedIn makes a handler of a page. Whoever has not signed in is asked to.
func (c *Console) signedIn(page func(*view) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := c.sessions.find(r, c.Secure, c.Now())
		if s == nil {
			c.refuse(w, r)
			return
		}
		grant, err := c.grantOf(s, r)
		if err != nil {
			c.sessions.end(s)
			c.refuse(w, r)
			return
		}
		v := &view{Console: c, w: w, r: r, session: s, grant: grant}
		if v.now, err = c.Service.StoreTime(r.Context()); err == nil {
			err = page(v)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

// refuse sends whoever has not signed in to do so, with a page or, for a script, a status.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || wantsJSON(r) || r.URL.Path == "/events" {
		http.Error(w, "Sign in first.", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// writes makes an action of a function: the form must carry the token of the session.
func (c *Console) writes(action func(*view) error) func(*view) error {
	return func(v *view) error {
		if c.ReadOnly {
			return &refusal{http.StatusForbidden, "This console is for looking only."}
		}
		if !same(v.r.FormValue("token"), v.session.token) {
			return &refusal{http.StatusForbidden, "The form is not of this session. Load the page again."}
		}
		return action(v)
	}
}

// refusal is an answer that says why nothing happened.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// fail answers with what went wrong.
func (v *view) fail(err error) {
	status, text := http.StatusInternalServerError, "Something went wrong in the server. Its log says what."
	switch e := err.(type) {
	case *refusal:
		status, text = e.status, e.text
	case *answerError:
		status, text = e.status, e.Error()
	default:
		if v.r.Context().Err() == nil {
			v.Log.Error("the console failed", "path", v.r.URL.Path, "error", err)
		}
	}
	if wantsJSON(v.r) {
		writeJSON(v.w, status, map[string]any{"ok": false, "message": text})
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	v.render("error.html", map[string]any{"Title": "That did not work", "Text": text})
}

// frame is what every page has around it.
type frame struct {
	Title, Page, Who, Account, Token string
	ReadOnly, Live                   bool
	Now                              int64
	Data                             any
}

// render writes a page.
func (v *view) render(name string, data any) error {
	title, page := titles[name], strings.TrimSuffix(name, ".html")
	f := frame{Title: title, Page: page, Who: v.session.who, Account: v.session.account, Token: v.session.token, ReadOnly: v.ReadOnly,
		Live: page == "home" || page == "lease", Now: v.Now().UnixMilli(), Data: data}
	return v.Console.write(v.w, name, f)
}

var titles = map[string]string{
	"home.html": "Leases", "lease.html": "Lease", "break.html": "Break a lease", "broken.html": "Result", "contention.html": "Contention",
	"containers.html": "Containers", "connect.html": "Connect", "access.html": "Access", "health.html": "Health", "error.html": "That did not work",
	"signin.html": "Sign in",
}

func (c *Console) write(w http.ResponseWriter, name string, data any) error {
	var page bytes.Buffer
	if err := c.pages.ExecuteTemplate(&page, name, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := w.Write(page.Bytes())
	return err
}
