package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/wire"
)

// Limits of sessions.
const (
	sessionIdle   = 30 * time.Minute
	sessionMax    = 8 * time.Hour
	maxSessions   = 1024 // some kilobytes each
	linkTime      = 10 * time.Minute
	maxLinks      = 64 // that were printed and not used
	maxFailures   = 10 // sign-ins of one address that fail in a minute
	maxAddresses  = 4096
	secretBytes   = 32
	cookieName    = "leasehold_console"
	secureCookie  = "__Host-leasehold_console"
	maxCredential = 4096 // bytes of a pasted key or SAS
)

// session is one sign-in. Its credential stays in memory, and is judged anew with every request.
type session struct {
	id, token    string
	account, who string
	key          *auth.Key // nil unless signed in with a key
	sas          string    // query; "" unless signed in with a SAS
	container    string    // that the SAS is for; "" for the account
	dev          bool      // signed in by link
	since, used  time.Time
}

// sessions are all sessions, links and failures. They end with the process.
type sessions struct {
	mu       sync.Mutex
	byID     map[string]*session
	links    map[string]time.Time // until when each is good
	failures map[string]int       // of each address, in the present minute
	minute   int64
}

func secret() string {
	var b [secretBytes]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// find returns the session of a request, nil if it has none.
func (s *sessions) find(r *http.Request, secure bool, now time.Time) *session {
	c, err := r.Cookie(cookieFor(secure))
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[c.Value]
	if one == nil {
		return nil
	}
	if one.over(now) {
		delete(s.byID, one.id)
		return nil
	}
	one.used = now
	return one
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) > sessionIdle || now.Sub(s.since) > sessionMax
}

// add begins a session. When there are too many, those that are over go, then the one that was idle
// longest.
func (s *sessions) add(one *session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = make(map[string]*session)
	}
	if len(s.byID) >= maxSessions {
		var idlest *session
		for id, other := range s.byID {
			if other.over(now) {
				delete(s.byID, id)
			} else if idlest == nil || other.used.Before(idlest.used) {
				idlest = other
			}
		}
		if len(s.byID) >= maxSessions {
			delete(s.byID, idlest.id)
		}
	}
	one.id, one.token, one.since, one.used = secret(), secret(), now, now
	s.byID[one.id] = one
}

func (s *sessions) end(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, one.id)
}

// Link returns the path and query of a fresh link that signs one viewer in to the account of
// development, once, within ten minutes; "" if there is no such account.
func (c *Console) Link() string {
	if c.Dev == "" {
		return ""
	}
	s := &c.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil || len(s.links) >= maxLinks {
		s.links = make(map[string]time.Time)
	}
	code := secret()[:22] // 128 bits and more
	s.links[code] = c.Now().Add(linkTime)
	return "/link?code=" + code
}

// followLink signs in by a link, and takes it out of the address.
func (c *Console) followLink(w http.ResponseWriter, r *http.Request) {
	s, code := &c.sessions, r.FormValue("code")
	s.mu.Lock()
	until, ok := s.links[code]
	delete(s.links, code)
	s.mu.Unlock()
	if !ok || c.Now().After(until) {
		c.failSignIn(w, http.StatusForbidden, "The link was used before, or is older than ten minutes. “leasehold console” prints a fresh one.")
		return
	}
	c.start(w, r, &session{account: c.Dev, who: "development", dev: true})
	// A redirect would still count as coming from the page that had the link, and the browser would
	// keep the cookie back.
	w.Header().Set("Refresh", "0; url=/")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html><title>Leasehold</title><link rel="icon" href="data:,"><a href="/">Go on to the leases</a>`)
}

// start starts a session in the place of the one that the request has.
func (c *Console) start(w http.ResponseWriter, r *http.Request, one *session) {
	if old := c.sessions.find(r, c.Secure, c.Now()); old != nil {
		c.sessions.end(old)
	}
	c.sessions.add(one, c.Now())
	http.SetCookie(w, c.cookie(one.id, int(sessionMax/time.Second)))
}

func cookieFor(secure bool) string {
	if secure {
		return secureCookie
	}
	return cookieName
}

func (c *Console) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: cookieFor(c.Secure), Value: value, Path: "/", HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteStrictMode, MaxAge: age}
}

func (c *Console) signOut(v *view) error {
	if !same(v.r.FormValue("token"), v.session.token) {
		return &refusal{http.StatusForbidden, "The form is not of this session. Load the page again."}
	}
	c.sessions.end(v.session)
	http.SetCookie(v.w, c.cookie("", -1))
	http.Redirect(v.w, v.r, "/sign-in", http.StatusSeeOther)
	return nil
}

func (c *Console) showSignIn(w http.ResponseWriter, _ *http.Request) {
	c.write(w, "signin.html", frame{Title: "Sign in", Data: map[string]any{"Dev": c.Dev != ""}})
}

func (c *Console) failSignIn(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	c.write(w, "signin.html", frame{Title: "Sign in", Data: map[string]any{"Dev": c.Dev != "", "Error": text}})
}

// signIn takes a key or a SAS.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !c.sessions.mayTry(address, c.Now()) {
		w.Header().Set("Retry-After", "60")
		c.failSignIn(w, http.StatusTooManyRequests, "Too many sign-ins from your address failed. Try again in a minute.")
		return
	}
	account, credential := strings.TrimSpace(r.PostFormValue("account")), strings.TrimSpace(r.PostFormValue("credential"))
	one := c.credential(r, account, credential)
	if one == nil {
		c.sessions.failed(address)
		c.failSignIn(w, http.StatusForbidden, "That is neither a key of an account of this server nor a SAS URL that it accepts.")
		return
	}
	c.start(w, r, one)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// credential returns the session that a pasted key or SAS begins, nil if it is worth nothing.
func (c *Console) credential(r *http.Request, account, text string) *session {
	if len(text) > maxCredential || text == "" {
		return nil
	}
	if u, err := url.Parse(text); err == nil && u.RawQuery != "" && strings.Contains(u.RawQuery, "sig=") {
		t, err := wire.ParseTarget(u.Host, u.EscapedPath(), c.addressing)
		if err != nil {
			return nil
		}
		one := &session{account: t.Account, who: "SAS", sas: u.RawQuery, container: t.Container}
		if _, err := c.grantOf(one, r); err != nil {
			return nil
		}
		return one
	}
	key, err := auth.ParseKey(text)
	if err != nil {
		return nil
	}
	one := &session{account: account, who: "account key", key: key}
	if _, err := c.grantOf(one, r); err != nil {
		return nil
	}
	return one
}

// mayTry reports whether an address may try to sign in.
func (s *sessions) mayTry(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if minute := now.Unix() / 60; minute != s.minute || len(s.failures) >= maxAddresses {
		s.minute, s.failures = minute, make(map[string]int)
	}
	return s.failures[address] < maxFailures
}

func (s *sessions) failed(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[address]++
}

// grantOf returns what the credential of a session allows now: keys are withdrawn and signatures
// end.
func (c *Console) grantOf(s *session, r *http.Request) (auth.Grant, error) {
	account := c.Account(s.account)
	if account == nil {
		return auth.Grant{}, &refusal{http.StatusForbidden, "The account is not there any more."}
	}
	full := auth.Grant{Principal: auth.Principal{Kind: auth.KindKey, Name: account.Name}}
	switch {
	case s.dev:
		return full, nil
	case s.sas != "":
		return c.sasGrant(s, r)
	case s.key != nil && !account.KeysDisabled:
		challenge := []byte(secret())
		for _, k := range account.Keys {
			if same(k.Sign(challenge), s.key.Sign(challenge)) {
				return full, nil
			}
		}
	}
	return auth.Grant{}, &refusal{http.StatusForbidden, "The key is not one of the account."}
}

// sasGrant has the service judge the SAS as it would on a listing of what the SAS is for.
func (c *Console) sasGrant(s *session, r *http.Request) (auth.Grant, error) {
	query := "comp=list&" + s.sas
	if s.container != "" {
		query = "restype=container&" + query
	}
	in, err := c.inner(r.Context(), r, s, "GET", s.container, "", query, nil, unanswered{})
	if err != nil {
		return auth.Grant{}, err
	}
	return c.Service.Authenticate(in)
}

// unanswered is the writer of a request that is judged and not answered.
type unanswered struct{}

func (unanswered) Header() http.Header         { return http.Header{} }
func (unanswered) Write(b []byte) (int, error) { return len(b), nil }
func (unanswered) WriteHeader(int)             {}

// valid reports whether the session of a stream still allows anything.
func (v *view) valid() bool {
	_, err := v.grantOf(v.session, v.r)
	return err == nil && !v.session.over(v.Now())
}
