package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	tenant = "bbbbbbbb-0000-0000-0000-000000000002"
	object = "aaaaaaaa-0000-0000-0000-000000000001"
	client = "cccccccc-0000-0000-0000-000000000003"
	secret = "a secret of the worker"
)

type world struct {
	*Issuer
	now        time.Time
	principals []Principal
	own        *rsa.PrivateKey // of the principal
}

func newWorld(t testing.TB) *world {
	t.Helper()
	key, err := OpenKey(filepath.Join(t.TempDir(), "deep", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC), own: own}
	w.principals = []Principal{{Name: "worker", ObjectID: object, ClientID: client, Secrets: []string{"old", secret}, Keys: []any{own.Public()}}}
	w.Issuer = &Issuer{
		Base: "https://login.leasehold.internal", Tenant: tenant, Key: key,
		Principals: func() []Principal { return w.principals }, Now: func() time.Time { return w.now },
	}
	return w
}

// post sends a form to a path of the authority.
func (w *world) post(path, body string) (int, map[string]any) {
	r := httptest.NewRequest("POST", w.Base+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return serve(w.Handler(), r)
}

func serve(h http.Handler, r *http.Request) (int, map[string]any) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var out map[string]any
	json.Unmarshal(rec.Body.Bytes(), &out)
	return rec.Code, out
}

func form(pairs ...string) string {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "scope": {"https://storage.azure.com/.default openid offline_access profile"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

func (w *world) verify(t *testing.T, text string) map[string]any {
	t.Helper()
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := w.KeySet(w.Name(), token.Headers[0].KeyID)
	var claims map[string]any
	if err := token.Claims(set, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/adfs/oauth2/token", "/" + tenant + "/oauth2/v2.0/token", "/adfs/oauth2/token?client-request-id=1"} {
		status, out := w.post(path, form("client_secret", secret))
		if status != 200 || out["token_type"] != "Bearer" || out["expires_in"] != 3600.0 {
			t.Fatalf("%s: %d %v", path, status, out)
		}
		c := w.verify(t, out["access_token"].(string))
		for name, want := range map[string]any{
			"aud": "https://storage.azure.com", "iss": "https://login.leasehold.internal/adfs", "oid": object, "sub": object,
			"tid": tenant, "appid": client, "appidacr": "1", "idtyp": "app", "ver": "1.0", "exp": float64(w.now.Add(time.Hour).Unix()),
		} {
			if c[name] != want {
				t.Errorf("%s: claim %s is %v, want %v", path, name, c[name], want)
			}
		}
	}
}

func TestTokenRequestsAreRefused(t *testing.T) {
	w := newWorld(t)
	good := form("client_secret", secret)
	for name, tc := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"wrong secret":       {"", form("client_secret", secret+"x"), 401, "invalid_client"},
		"empty secret":       {"", form("client_secret", ""), 401, "invalid_client"},
		"unknown client":     {"", form("client_secret", secret, "client_id", object), 401, "invalid_client"},
		"other grant":        {"", form("client_secret", secret, "grant_type", "password"), 400, "unsupported_grant_type"},
		"no client":          {"", form("client_secret", secret, "client_id", ""), 400, "invalid_request"},
		"other resource":     {"", form("client_secret", secret, "scope", "https://graph.microsoft.com/.default"), 400, "invalid_scope"},
		"resource by prefix": {"", form("client_secret", secret, "scope", "https://storage.azure.com.evil.example/.default"), 400, "invalid_scope"},
		"resource with user": {"", form("client_secret", secret, "scope", "https://storage.azure.com@evil.example/.default"), 400, "invalid_scope"},
		"two resources":      {"", form("client_secret", secret, "resource", "https://acct.blob.core.windows.net"), 400, "invalid_scope"},
		"no resource":        {"", form("client_secret", secret, "scope", "openid"), 400, "invalid_request"},
		"secret twice":       {"", good + "&client_secret=" + url.QueryEscape(secret), 400, "invalid_request"},
		"both proofs":        {"", good + "&client_assertion=x", 400, "invalid_request"},
		"bad form":           {"", good + "&a=%zz", 400, "invalid_request"},
		"semicolon":          {"", good + ";client_id=x", 400, "invalid_request"},
		"too long":           {"", good + "&a=" + strings.Repeat("a", maxForm), 400, "invalid_request"},
		"bad assertion":      {"", form("client_assertion_type", assertionType, "client_assertion", "a.b.c"), 401, "invalid_client"},
		"assertion untyped":  {"", form("client_assertion", "a.b.c"), 400, "invalid_request"},
		"other tenant":       {"/common/oauth2/token", good, 400, "invalid_tenant"},
	} {
		path := tc.path
		if path == "" {
			path = "/adfs/oauth2/token"
		}
		status, out := w.post(path, tc.body)
		if status != tc.status || out["error"] != tc.code {
			t.Errorf("%s: %d %v, want %d %s", name, status, out, tc.status, tc.code)
		}
		if text, _ := out["error_description"].(string); strings.Contains(text, secret) {
			t.Errorf("%s: the refusal shows the secret", name)
		}
	}
	r := httptest.NewRequest("POST", w.Base+"/adfs/oauth2/token", strings.NewReader(good))
	r.Header.Set("Content-Type", "application/json")
	if status, _ := serve(w.Handler(), r); status != 400 {
		t.Errorf("another content type: %d", status)
	}
	if status, _ := serve(w.Handler(), httptest.NewRequest("GET", w.Base+"/adfs/oauth2/token?"+good, nil)); status == 200 {
		t.Error("secrets are taken from a URL")
	}
}

func FuzzTokenRequest(f *testing.F) {
	w := newWorld(f)
	f.Add(form("client_secret", secret))
	f.Add("grant_type=client_credentials&client_id=" + client + "&client_secret=%00&scope=//")
	f.Add(form("client_assertion", "e30.e30.e30", "client_assertion_type", assertionType))
	f.Fuzz(func(t *testing.T, body string) {
		status, out := w.post("/adfs/oauth2/token", body)
		if status == 200 {
			v, err := url.ParseQuery(body)
			if err != nil || !w.principals[0].hasSecret(v.Get("client_secret")) || len(v["client_secret"]) != 1 {
				t.Errorf("%q got a token", body)
			}
		} else if out["error"] == nil {
			t.Errorf("%q: %d without an error", body, status)
		}
	})
}

func assertion(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestClientAssertion(t *testing.T) {
	w := newWorld(t)
	stranger, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change ...any) map[string]any {
		c := map[string]any{"iss": client, "sub": client, "aud": w.Base + "/adfs/oauth2/token", "exp": w.now.Add(time.Minute).Unix()}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
		}
		return c
	}
	for name, tc := range map[string]struct {
		key    *rsa.PrivateKey
		claims map[string]any
		want   int
	}{
		"good":           {w.own, claims(), 200},
		"other key":      {stranger, claims(), 401},
		"other issuer":   {w.own, claims("iss", object), 401},
		"other subject":  {w.own, claims("sub", object), 401},
		"other audience": {w.own, claims("aud", "https://login.microsoftonline.com/x/oauth2/token"), 401},
		"expired":        {w.own, claims("exp", w.now.Add(-time.Hour).Unix()), 401},
		"no expiry":      {w.own, claims("exp", nil), 401},
		"too early":      {w.own, claims("nbf", w.now.Add(time.Hour).Unix()), 401},
	} {
		text := assertion(t, tc.key, tc.claims) + "\n" // files end so, and are sent as they are
		status, out := w.post("/adfs/oauth2/token", form("client_assertion_type", assertionType, "client_assertion", text))
		if status != tc.want {
			t.Errorf("%s: %d %v, want %d", name, status, out, tc.want)
		}
	}
}

// publisher is an outside issuer.
type publisher struct {
	*httptest.Server
	set   jose.JSONWebKeySet
	says  string // issuer in its configuration; its own URL if empty
	asked int
	down  bool
}

func publish(t *testing.T, key *rsa.PrivateKey) *publisher {
	p := &publisher{set: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked++
		switch {
		case p.down:
			http.Error(w, "down", 503)
		case r.URL.Path == "/.well-known/openid-configuration":
			name := p.says
			if name == "" {
				name = p.URL
			}
			answer(w, 200, map[string]string{"issuer": name, "jwks_uri": p.URL + "/keys"})
		default:
			answer(w, 200, &p.set)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func TestFederatedAssertion(t *testing.T) {
	w := newWorld(t)
	outside, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	p := publish(t, outside)
	if w.Outside, err = NewOutside(map[string]string{p.URL: ""}, p.Client(), w.Now); err != nil {
		t.Fatal(err)
	}
	w.principals[0].Federated = []Federation{{p.URL, "system:serviceaccount:app:worker", "api://AzureADTokenExchange"}}
	for subject, want := range map[string]int{"system:serviceaccount:app:worker": 200, "system:serviceaccount:app:other": 401} {
		text := assertion(t, outside, map[string]any{
			"iss": p.URL, "sub": subject, "aud": "api://AzureADTokenExchange", "exp": w.now.Add(time.Minute).Unix(),
		})
		if status, out := w.post("/adfs/oauth2/token", form("client_assertion_type", assertionType, "client_assertion", text)); status != want {
			t.Errorf("%s: %d %v, want %d", subject, status, out, want)
		}
	}
	forged := assertion(t, w.own, map[string]any{
		"iss": p.URL, "sub": "system:serviceaccount:app:worker", "aud": "api://AzureADTokenExchange", "exp": w.now.Add(time.Minute).Unix(),
	})
	if status, _ := w.post("/adfs/oauth2/token", form("client_assertion_type", assertionType, "client_assertion", forged)); status != 401 {
		t.Errorf("forged: %d", status)
	}
}

func TestOutsideKeysAreKeptAndRotated(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	p := publish(t, key)
	now := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	o, err := NewOutside(map[string]string{p.URL: ""}, p.Client(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(kid string, want int, what string) {
		t.Helper()
		set, err := o.KeySet(p.URL, kid)
		if err != nil || len(set.Key(kid)) != want {
			t.Errorf("%s: %v, %v", what, set, err)
		}
	}
	if set, err := o.KeySet("https://other.example", "k"); set != nil || err != nil || p.asked != 0 {
		t.Errorf("an issuer that is not trusted: %v, %v, %d requests", set, err, p.asked)
	}
	ask("k", 1, "first")
	ask("k", 1, "again")
	for range 5 {
		ask("unknown", 0, "unknown key")
	}
	if p.asked != 2 {
		t.Errorf("%d requests, want one of each document", p.asked)
	}
	now = now.Add(time.Minute)
	p.set.Keys[0].KeyID = "k2"
	ask("k2", 1, "rotated")
	p.down, now = true, now.Add(2*time.Hour)
	ask("k2", 1, "while it is down")
	now = now.Add(25 * time.Hour)
	if set, err := o.KeySet(p.URL, "k2"); err == nil {
		t.Errorf("keys of yesterday: %v", set)
	}
	p.down, p.says, now = false, "https://other.example", now.Add(time.Minute)
	if _, err := o.KeySet(p.URL, "k2"); err == nil {
		t.Error("the configuration of another issuer was taken")
	}
	for _, bad := range []string{"http://issuer.example", "issuer.example", "https://user@issuer.example", "file:///keys"} {
		if _, err := NewOutside(map[string]string{bad: ""}, nil, time.Now); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestManagedIdentity(t *testing.T) {
	w := newWorld(t)
	m := &Managed{Issuer: w.Issuer, Header: "the header", Default: func() string { return client }}
	ask := func(query string, headers ...string) (int, map[string]any) {
		r := httptest.NewRequest("GET", "http://127.0.0.1:20000"+ManagedPath+"?"+query, nil)
		for _, h := range headers {
			r.Header.Add("X-IDENTITY-HEADER", h)
		}
		return serve(m, r)
	}
	const query = "api-version=2019-08-01&resource=https://storage.azure.com/"
	status, out := ask(query, "the header")
	if status != 200 || out["resource"] != "https://storage.azure.com/" || out["token_type"] != "Bearer" || out["expires_on"] != "1772528400" {
		t.Fatalf("%d %v", status, out)
	}
	if c := w.verify(t, out["access_token"].(string)); c["oid"] != object || c["aud"] != "https://storage.azure.com" {
		t.Errorf("claims %v", c)
	}
	if status, _ := ask(query+"&object_id="+object, "the header"); status != 200 {
		t.Errorf("by object ID: %d", status)
	}
	for name, tc := range map[string]struct {
		query   string
		headers []string
		want    int
	}{
		"no header":      {query, nil, 401},
		"wrong header":   {query, []string{"the heade"}, 401},
		"two headers":    {query, []string{"the header", "the header"}, 401},
		"other version":  {"api-version=2017-09-01&resource=https://storage.azure.com/", []string{"the header"}, 400},
		"other resource": {"api-version=2019-08-01&resource=https://vault.azure.net", []string{"the header"}, 400},
		"resource twice": {query + "&resource=https://storage.azure.com", []string{"the header"}, 400},
		"unknown client": {query + "&client_id=" + object, []string{"the header"}, 400},
	} {
		if status, out := ask(tc.query, tc.headers...); status != tc.want || out["access_token"] != nil {
			t.Errorf("%s: %d, want %d", name, status, tc.want)
		}
	}
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	for path, token := range map[string]string{
		"/adfs/.well-known/openid-configuration":                "/adfs/oauth2/token",
		"/adfs/adfs/.well-known/openid-configuration":           "/adfs/oauth2/token",
		"/" + tenant + "/v2.0/.well-known/openid-configuration": "/" + tenant + "/oauth2/v2.0/token",
	} {
		status, out := serve(w.Handler(), httptest.NewRequest("GET", w.Base+path, nil))
		if status != 200 || out["token_endpoint"] != w.Base+token || !strings.HasPrefix(out["issuer"].(string), w.Base) {
			t.Errorf("%s: %d %v", path, status, out)
		}
		keys, _ := url.Parse(out["jwks_uri"].(string))
		if status, out := serve(w.Handler(), httptest.NewRequest("GET", keys.String(), nil)); status != 200 || out["keys"] == nil {
			t.Errorf("%s: %d %v", keys, status, out)
		} else if text, _ := json.Marshal(out); strings.Contains(string(text), `"d":`) {
			t.Error("the private key is published")
		}
	}
}

func TestKeyIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	first, err := OpenKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := OpenKey(file)
	if err != nil || again.public.Keys[0].KeyID != first.public.Keys[0].KeyID {
		t.Errorf("another key: %v", err)
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKey(file); err == nil {
		t.Error("a damaged key was taken")
	}
}
