package identity

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxForm is the longest body of a token request in bytes.
const maxForm = 64 << 10

// Handler returns the OAuth authority, to be served over TLS: discovery, keys and the token
// endpoint, for the tenant ADFS and the issuer's own; and the parts of a cloud's management
// endpoint that programs ask for.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/{tenant}/.well-known/openid-configuration", "/{tenant}/v2.0/.well-known/openid-configuration"} {
		mux.HandleFunc("GET "+path, i.ofTenant(i.discovery))
	}
	// The Azure CLI takes the tenant for a name below that of the authority.
	mux.HandleFunc("GET /"+ADFS+"/"+ADFS+"/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("tenant", ADFS)
		i.discovery(w, r)
	})
	for _, path := range []string{"/{tenant}/discovery/keys", "/{tenant}/discovery/v2.0/keys"} {
		mux.HandleFunc("GET "+path, i.ofTenant(func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, &i.Key.public) }))
	}
	// The tenant follows the URL of the authority, which for some clients ends in that of ADFS.
	for _, path := range []string{
		"/{tenant}/oauth2/token", "/{tenant}/oauth2/v2.0/token", "/" + ADFS + "/{tenant}/oauth2/token", "/" + ADFS + "/{tenant}/oauth2/v2.0/token",
	} {
		mux.HandleFunc("POST "+path, i.ofTenant(i.token))
	}
	mux.HandleFunc("GET /common/discovery/instance", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, map[string]any{
			"tenant_discovery_endpoint": i.baseFor(r) + "/" + i.Tenant + "/v2.0/.well-known/openid-configuration",
			"metadata":                  []any{},
		})
	})
	i.manage(mux)
	return mux
}

// ofTenant refuses requests for other tenants.
func (i *Issuer) ofTenant(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if t := r.PathValue("tenant"); t != ADFS && !strings.EqualFold(t, i.Tenant) {
			i.refuse(w, &oauthError{400, "invalid_tenant", "There is no tenant of this name.", 90002})
			return
		}
		h(w, r)
	}
}

func (i *Issuer) discovery(w http.ResponseWriter, r *http.Request) {
	root := i.baseFor(r)
	base, token, keys := root+"/"+ADFS, "/oauth2/token", "/discovery/keys"
	if r.PathValue("tenant") != ADFS {
		base, token, keys = root+"/"+i.Tenant, "/oauth2/v2.0/token", "/discovery/v2.0/keys"
	}
	answer(w, 200, map[string]any{
		"issuer":                                root + "/" + ADFS,
		"authorization_endpoint":                base + "/oauth2/authorize",
		"token_endpoint":                        base + token,
		"device_authorization_endpoint":         base + "/oauth2/devicecode",
		"end_session_endpoint":                  base + "/oauth2/logout",
		"jwks_uri":                              base + keys,
		"response_types_supported":              []string{"token"},
		"grant_types_supported":                 []string{"client_credentials"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
	})
}

// endpoints returns the accepted audiences of client assertions.
func (i *Issuer) endpoints() (all []string) {
	roots := []string{i.Base}
	for _, host := range i.Aliases {
		roots = append(roots, "https://"+host)
	}
	for _, root := range roots {
		for _, t := range []string{ADFS, i.Tenant} {
			base := root + "/" + t
			all = append(all, base+"/oauth2/token", base+"/oauth2/v2.0/token", base, base+"/")
		}
	}
	return all
}

// oauthError is an error response of OAuth.
type oauthError struct {
	status int
	code   string
	text   string
	number int // of the public authority, which some clients look at
}

// Error returns the text.
func (e *oauthError) Error() string { return e.text }

func (i *Issuer) refuse(w http.ResponseWriter, e *oauthError) {
	answer(w, e.status, map[string]any{
		"error":             e.code,
		"error_description": "AADSTS" + strconv.Itoa(e.number) + ": " + e.text,
		"error_codes":       []int{e.number},
		"timestamp":         i.Now().UTC().Format("2006-01-02 15:04:05Z"),
		"correlation_id":    newGUID(),
	})
}

// tokenRequest is the form of a token request.
type tokenRequest struct {
	grant, clientID, secret, assertionType, assertion, scope, resource string
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// parseTokenRequest parses the form of a token request. It refuses repeated parameters, as RFC 6749
// requires.
func parseTokenRequest(body string) (*tokenRequest, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, &oauthError{400, "invalid_request", "The form can't be read.", 900144}
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, &oauthError{400, "invalid_request", "The parameter '" + printable(name) + "' is given more than once.", 90014}
		}
	}
	t := &tokenRequest{
		form.Get("grant_type"), form.Get("client_id"), form.Get("client_secret"),
		form.Get("client_assertion_type"), form.Get("client_assertion"), form.Get("scope"), form.Get("resource"),
	}
	switch {
	case t.grant != "client_credentials":
		return nil, &oauthError{400, "unsupported_grant_type", "Only client_credentials is served here.", 70003}
	case t.clientID == "":
		return nil, &oauthError{400, "invalid_request", "The parameter 'client_id' is missing.", 900144}
	case t.secret == "" && t.assertion == "":
		return nil, &oauthError{401, "invalid_client", "The parameter 'client_secret' or 'client_assertion' is missing.", 7000218}
	case t.secret != "" && t.assertion != "":
		return nil, &oauthError{400, "invalid_request", "One of 'client_secret' and 'client_assertion' is needed.", 90014}
	case t.assertion != "" && t.assertionType != assertionType:
		return nil, &oauthError{400, "invalid_request", "The 'client_assertion_type' is not known.", 900144}
	}
	return t, nil
}

// maxName is how many bytes of a name an error message repeats.
const maxName = 40

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), maxName)])
}

// audience returns the requested resource. It ignores scopes about the user, which mean nothing for
// a program.
func (i *Issuer) audience(t *tokenRequest) (string, error) {
	wanted := strings.Fields(t.scope)
	if t.resource != "" {
		wanted = append(wanted, t.resource)
	}
	found := ""
	for _, s := range wanted {
		switch s {
		case "openid", "offline_access", "profile":
			continue
		}
		resource, ok := i.resourceOf(s)
		if !ok || found != "" && found != resource {
			return "", &oauthError{400, "invalid_scope", "Tokens are issued for storage only, one resource at a time.", 70011}
		}
		found = resource
	}
	if found == "" {
		return "", &oauthError{400, "invalid_request", "The parameter 'scope' is missing.", 900144}
	}
	return found, nil
}

// token answers a token request.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	text, end, err := i.grant(w, r)
	var refusal *oauthError
	switch {
	case errors.As(err, &refusal):
		i.refuse(w, refusal)
		return
	case err != nil:
		i.refuse(w, &oauthError{503, "temporarily_unavailable", "The assertion can't be checked now.", 90033})
		return
	}
	left := int(end.Sub(i.Now()) / time.Second)
	answer(w, 200, map[string]any{
		"token_type": "Bearer", "expires_in": left, "ext_expires_in": left,
		"expires_on": strconv.FormatInt(end.Unix(), 10), "access_token": text,
	})
}

func (i *Issuer) grant(w http.ResponseWriter, r *http.Request) (string, time.Time, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return "", time.Time{}, &oauthError{400, "invalid_request", "The body is to be a form.", 900144}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return "", time.Time{}, &oauthError{400, "invalid_request", "The form can't be read.", 900144}
	}
	t, err := parseTokenRequest(string(body))
	if err != nil {
		return "", time.Time{}, err
	}
	resource, err := i.audience(t)
	if err != nil {
		return "", time.Time{}, err
	}
	p, how := i.find(t.clientID), bySecret
	ok := p != nil && p.hasSecret(t.secret)
	if p != nil && t.assertion != "" {
		how = byAssertion
		if ok, err = i.asserted(p, t.assertion, i.endpoints()); err != nil {
			return "", time.Time{}, err
		}
	}
	if !ok {
		return "", time.Time{}, &oauthError{401, "invalid_client", "No such client, or its secret or assertion is not valid.", 7000215}
	}
	return i.Token(p, resource, how)
}

// answer sends a JSON document that must not be cached.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = 500, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that is gone needs no answer
}
