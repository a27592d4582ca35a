package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/leasehold/leasehold/internal/fault"
)

const testIssuer = "https://issuer.example/adfs"

// testKeys are made once: RSA keys are slow to find.
var testKeys = sync.OnceValue(func() (k struct {
	rsa, other, small *rsa.PrivateKey
	ec, p384          *ecdsa.PrivateKey
}) {
	var errs [5]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.other, errs[1] = rsa.GenerateKey(rand.Reader, 2048)
	k.small, errs[2] = rsa.GenerateKey(rand.Reader, 1024)
	k.ec, errs[3] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, errs[4] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return k
})

// issuers is a Tokens of fixed sets.
type issuers map[string]*jose.JSONWebKeySet

func (i issuers) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	if kid == "broken" {
		return nil, errLookup
	}
	return i[issuer], nil
}

func testTokens() issuers {
	k := testKeys()
	return issuers{testIssuer: {Keys: []jose.JSONWebKey{
		{KeyID: "rsa", Key: k.rsa.Public(), Algorithm: "RS256", Use: "sig"},
		{KeyID: "any", Key: k.rsa.Public()},
		{KeyID: "enc", Key: k.rsa.Public(), Use: "enc"},
		{KeyID: "small", Key: k.small.Public()},
		{KeyID: "ec", Key: k.ec.Public()},
		{KeyID: "p384", Key: k.p384.Public()},
		{KeyID: "oct", Key: []byte("a shared secret that should not be here")},
	}}}
}

func tokenEnv(t testing.TB) *Env {
	e := sasEnv(t)
	e.Tokens = testTokens()
	e.AuthorizationURI = "https://issuer.example/adfs/oauth2/authorize"
	e.Audiences = []string{"https://acct.blob.localhost/"}
	return e
}

func goodClaims() map[string]any {
	return map[string]any{
		"iss": testIssuer, "aud": "https://storage.azure.com", "nbf": testNow.Unix() - 60, "exp": testNow.Unix() + 3600,
		"oid": testOID, "tid": testTenant, "appid": "app", "groups": []string{"g"},
	}
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// mint makes a token by hand, so that it can also be one that no library would make.
func mint(head map[string]any, claims any, sign func(text string) []byte) string {
	text := encode(head) + "." + encode(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
}

func rs256(key *rsa.PrivateKey) func(string) []byte {
	return func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		return sig
	}
}

func ps256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPSS(rand.Reader, testKeys().rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		panic(err)
	}
	return sig
}

func es(key *ecdsa.PrivateKey) func(string) []byte {
	return func(text string) []byte {
		sum := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		n := (key.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
}

func hs256(secret []byte) func(string) []byte {
	return func(text string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
}

func head(alg, kid string) map[string]any {
	return map[string]any{"alg": alg, "kid": kid, "typ": "JWT"}
}

// goodToken is one with the claims of goodClaims, changed.
func goodToken(change func(map[string]any)) string {
	c := goodClaims()
	change(c)
	return mint(head("RS256", "rsa"), c, rs256(testKeys().rsa))
}

func withToken(token string) *Request {
	r := target("GET", "cont", "b", "")
	r.Header = http.Header{"Authorization": {"Bearer " + token}}
	return r
}

func TestBearerAccepted(t *testing.T) {
	k := testKeys()
	set := func(name string, value any) string { return goodToken(func(c map[string]any) { c[name] = value }) }
	noKid := head("RS256", "")
	delete(noKid, "kid")
	tests := map[string]string{
		"as issued":          set("x", 1),
		"slash":              set("aud", "https://storage.azure.com/"),
		"account":            set("aud", "https://acct.blob.core.windows.net"),
		"account, slash":     set("aud", "https://acct.blob.core.windows.net/"),
		"application":        set("aud", storageApplication),
		"several":            set("aud", []string{"x", "https://storage.azure.com"}),
		"own audience":       set("aud", "https://acct.blob.localhost"),
		"early within skew":  set("nbf", testNow.Unix()+300),
		"late within skew":   set("exp", testNow.Unix()-299),
		"no nbf":             goodToken(func(c map[string]any) { delete(c, "nbf") }),
		"PS256":              mint(head("PS256", "any"), goodClaims(), ps256),
		"ES256":              mint(head("ES256", "ec"), goodClaims(), es(k.ec)),
		"key without an ID":  mint(noKid, goodClaims(), rs256(k.rsa)),
		"fractional seconds": set("exp", float64(testNow.Unix())+10.5),
	}
	for name, token := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := Authenticate(withToken(token), tokenEnv(t))
			if err != nil {
				t.Fatal(detailOf(err))
			}
			p := g.Principal
			if p.Kind != KindBearer || p.ObjectID != testOID || p.Tenant != testTenant || p.Application != "app" || p.Name != "app" || p.Groups[0] != "g" {
				t.Errorf("principal is %+v", p)
			}
			if err := g.Allow(PermPutBlob, Resource{Container: "cont", Blob: "b"}); err != nil {
				t.Error(err)
			}
			if err := g.Allow(PermGetTags, Resource{Container: "cont", Blob: "b"}); !errors.Is(err, fault.AuthorizationPermissionMismatch) {
				t.Errorf("a contributor reads tags: %v", err)
			}
		})
	}
}

func TestBearerNames(t *testing.T) {
	for want, change := range map[string]func(map[string]any){
		"me@x": func(c map[string]any) { c["upn"] = "me@x" },
		"u@x":  func(c map[string]any) { c["unique_name"] = "u@x" },
		"azp":  func(c map[string]any) { delete(c, "appid"); c["azp"] = "azp" },
	} {
		g, err := Authenticate(withToken(goodToken(change)), tokenEnv(t))
		if err != nil || g.Principal.Name != want {
			t.Errorf("%s: %+v, %v", want, g.Principal, err)
		}
	}
}

func TestBearerAttacks(t *testing.T) {
	k := testKeys()
	set := func(name string, value any) string { return goodToken(func(c map[string]any) { c[name] = value }) }
	without := func(name string) string { return goodToken(func(c map[string]any) { delete(c, name) }) }
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := goodToken(func(map[string]any) {})
	parts := strings.Split(good, ".")
	embedded := head("RS256", "rsa")
	embedded["jwk"] = jose.JSONWebKey{Key: k.other.Public(), KeyID: "rsa"}
	critical := head("RS256", "rsa")
	critical["crit"] = []string{"x"}
	none := func(string) []byte { return nil }

	tests := map[string]struct{ token, detail string }{
		"empty":                      {"", tokenUnreadable},
		"garbage":                    {"abc", tokenUnreadable},
		"three dots":                 {good + ".x", tokenUnreadable},
		"JSON serialization":         {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, tokenUnreadable},
		"oversized":                  {set("x", strings.Repeat("x", maxToken)), tokenUnreadable},
		"none":                       {mint(head("none", "rsa"), goodClaims(), none), tokenUnreadable},
		"None":                       {mint(head("None", "rsa"), goodClaims(), none), tokenUnreadable},
		"no algorithm":               {mint(map[string]any{"kid": "rsa"}, goodClaims(), none), tokenUnreadable},
		"no signature":               {parts[0] + "." + parts[1] + ".", tokenSignature},
		"HS256 with the public key":  {mint(head("HS256", "rsa"), goodClaims(), hs256(public)), tokenUnreadable},
		"HS256 with the bytes of it": {mint(head("HS256", "any"), goodClaims(), hs256(der)), tokenUnreadable},
		"HS256 with a shared key":    {mint(head("HS256", "oct"), goodClaims(), hs256([]byte("a shared secret that should not be here"))), tokenUnreadable},
		"RS256 by a shared key":      {mint(head("RS256", "oct"), goodClaims(), hs256([]byte("a shared secret that should not be here"))), tokenSignature},
		"RS512":                      {mint(head("RS512", "any"), goodClaims(), rs256(k.rsa)), tokenUnreadable},
		"other key":                  {mint(head("RS256", "rsa"), goodClaims(), rs256(k.other)), tokenSignature},
		"key of its own":             {mint(embedded, goodClaims(), rs256(k.other)), tokenSignature},
		"unknown key ID":             {mint(head("RS256", "x"), goodClaims(), rs256(k.rsa)), tokenSignature},
		"key for encryption":         {mint(head("RS256", "enc"), goodClaims(), rs256(k.rsa)), tokenSignature},
		"key for another algorithm":  {mint(head("PS256", "rsa"), goodClaims(), ps256), tokenSignature},
		"short key":                  {mint(head("RS256", "small"), goodClaims(), rs256(k.small)), tokenSignature},
		"other curve":                {mint(head("ES256", "p384"), goodClaims(), es(k.p384)), tokenSignature},
		"ES256 by an RSA key":        {mint(head("ES256", "any"), goodClaims(), rs256(k.rsa)), tokenSignature},
		"critical extension":         {mint(critical, goodClaims(), rs256(k.rsa)), tokenSignature},
		"changed claims":             {parts[0] + "." + encode(map[string]any{"iss": testIssuer, "oid": "root"}) + "." + parts[2], tokenSignature},
		"claims are no object":       {mint(head("RS256", "rsa"), []string{"x"}, rs256(k.rsa)), tokenUnreadable},

		"no issuer":       {without("iss"), tokenIssuer},
		"other issuer":    {set("iss", "https://evil.example/"), tokenIssuer},
		"issuer in part":  {set("iss", testIssuer+"/"), tokenIssuer},
		"no audience":     {without("aud"), tokenAudience},
		"other audience":  {set("aud", "https://vault.azure.net"), tokenAudience},
		"other account":   {set("aud", "https://acct2.blob.core.windows.net"), tokenAudience},
		"audience prefix": {set("aud", "https://storage.azure.com.evil.example"), tokenAudience},
		"two slashes":     {set("aud", "https://storage.azure.com//"), tokenAudience},
		"empty audiences": {set("aud", []string{}), tokenAudience},
		"expired":         {set("exp", testNow.Unix()-300), tokenLifetime},
		"never expires":   {without("exp"), tokenLifetime},
		"not yet":         {set("nbf", testNow.Unix()+301), tokenTooEarly},
		"nobody":          {without("oid"), tokenIdentity},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Authenticate(withToken(tt.token), tokenEnv(t))
			e, _ := fault.Of(err)
			if err == nil || e.Status != 401 || e.Code != fault.InvalidAuthenticationInfo {
				t.Fatalf("got %v", err)
			}
			if got := e.Details[0].Value; got != tt.detail {
				t.Errorf("detail is %q, want %q", got, tt.detail)
			}
			const want = "Bearer authorization_uri=https://issuer.example/adfs/oauth2/authorize resource_id=https://storage.azure.com"
			if len(e.Header) != 1 || e.Header[0] != (fault.Detail{Name: "WWW-Authenticate", Value: want}) {
				t.Errorf("challenge is %v", e.Header)
			}
		})
	}
}

// Every change of one character is refused, or changes nothing that counts.
func TestTokenEveryCharacterCounts(t *testing.T) {
	token := mint(head("ES256", "ec"), goodClaims(), es(testKeys().ec))
	env := tokenEnv(t)
	for i := range token {
		for _, c := range []byte("A9.=") {
			changed := token[:i] + string(c) + token[i+1:]
			if changed == token {
				continue
			}
			if _, err := Authenticate(withToken(changed), env); err == nil {
				// The last character of each part has bits that stand for nothing.
				if a, b := strings.Split(changed, "."), strings.Split(token, "."); !sameBytes(a, b) {
					t.Fatalf("accepted %s for %s", changed, token)
				}
			}
		}
	}
}

func sameBytes(a, b []string) bool {
	for i := range b {
		x, err1 := base64.RawURLEncoding.DecodeString(a[i])
		y, err2 := base64.RawURLEncoding.DecodeString(b[i])
		if err1 != nil || err2 != nil || string(x) != string(y) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestBearerCircumstances(t *testing.T) {
	good := goodToken(func(map[string]any) {})
	tests := []struct {
		name   string
		change func(*Request, *Env)
		want   string // "" if accepted
	}{
		{"plain HTTP", func(r *Request, e *Env) { r.TLS = false },
			"403 AuthenticationFailed [{AuthenticationErrorDetail Authentication scheme Bearer is not allowed with HTTP.}]"},
		{"plain HTTP, allowed", func(r *Request, e *Env) { r.TLS, e.BearerOverHTTP = false, true }, ""},
		{"default version", func(r *Request, e *Env) { r.Unversioned = true }, "400 MissingRequiredHeader [{HeaderName x-ms-version}]"},
		{"no version", func(r *Request, e *Env) { r.Version = "" }, "400 MissingRequiredHeader [{HeaderName x-ms-version}]"},
		{"old version", func(r *Request, e *Env) { r.Version = "2017-07-29" }, "400 InvalidHeaderValue [{HeaderName x-ms-version} {HeaderValue 2017-07-29}]"},
		{"oldest version", func(r *Request, e *Env) { r.Version = "2017-11-09" }, ""},
		{"bad token, before the challenge", func(r *Request, e *Env) { r.Version = "2019-10-10"; e.Now = e.Now.Add(2 * time.Hour) },
			"403 AuthenticationFailed [{AuthenticationErrorDetail " + tokenLifetime + "}]"},
		{"nobody trusted", func(r *Request, e *Env) { e.Tokens = nil }, "401 InvalidAuthenticationInfo [{AuthenticationErrorDetail " + tokenIssuer + "}]"},
		{"two tokens", func(r *Request, e *Env) { r.Header.Add("Authorization", "Bearer "+good) }, "400 InvalidAuthenticationInfo []"},
		{"case of the scheme", func(r *Request, e *Env) { r.Header.Set("Authorization", "bearer "+good) }, ""},
		{"keys can't be looked up", func(r *Request, e *Env) {
			r.Header.Set("Authorization", "Bearer "+mint(head("RS256", "broken"), goodClaims(), rs256(testKeys().rsa)))
		}, "500 InternalError []"},
		{"keys disabled", func(r *Request, e *Env) { e.Account.KeysDisabled = true }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, env := withToken(good), tokenEnv(t)
			tt.change(req, env)
			_, err := Authenticate(req, env)
			if got := ""; err != nil {
				if got = detailOf(err); got != tt.want {
					t.Errorf("\n got %s\nwant %s", got, tt.want)
				}
			} else if tt.want != "" {
				t.Error("accepted")
			}
		})
	}
}

// A signature beside a token is what counts, and one that is bound to a user needs the token as
// well.
func TestSASBoundToUser(t *testing.T) {
	const user, tenant = "cccccccc-0000-0000-0000-000000000003", "dddddddd-0000-0000-0000-000000000004"
	plain := delegationSAS(t, testDelegationKey, func(*SAS) {}, nil)
	bound := delegationSAS(t, testDelegationKey, func(s *SAS) { s.DelegatedID = user }, nil)
	cross := testDelegationKey
	cross.DelegatedTenant = tenant
	foreign := delegationSAS(t, cross, func(s *SAS) { s.DelegatedID = user }, nil)
	token := func(oid, tid string) string {
		return "Bearer " + goodToken(func(c map[string]any) { c["oid"], c["tid"] = oid, tid })
	}
	tests := map[string]struct {
		query, authorization string
		want                 error
	}{
		"token is beside the point": {plain, token("x", "y"), nil},
		"bad token beside":          {plain, "Bearer x", nil},
		"right user":                {bound, token(strings.ToUpper(user), testTenant), nil},
		"other user":                {bound, token(testOID, testTenant), fault.AuthenticationFailed},
		"other tenant":              {bound, token(user, tenant), fault.AuthenticationFailed},
		"bad token":                 {bound, "Bearer x", fault.InvalidAuthenticationInfo},
		"no token":                  {bound, "", fault.AuthenticationFailed},
		"user of the other tenant":  {foreign, token(user, tenant), nil},
		"user of this tenant":       {foreign, token(user, testTenant), fault.AuthenticationFailed},
		"tenant removed":            {strings.Replace(foreign, "&skdutid="+tenant, "", 1), token(user, testTenant), fault.AuthenticationFailed},
		"user removed":              {strings.Replace(bound, "&sduoid="+user, "", 1), "", fault.AuthenticationFailed},
	}
	for name, tt := range tests {
		req := target("GET", "cont", "b", tt.query)
		if tt.authorization != "" {
			req.Header.Set("Authorization", tt.authorization)
		}
		g, err := Authenticate(req, tokenEnv(t))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (g.Principal.Kind != KindDelegationSAS || g.Principal.ObjectID != testOID) {
			t.Errorf("%s: principal is %+v", name, g.Principal)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(goodToken(func(map[string]any) {}))
	f.Add(mint(head("none", "rsa"), goodClaims(), func(string) []byte { return nil }))
	f.Add("..")
	f.Add("e30.e30.e30")
	keys := issuers{testIssuer: {Keys: []jose.JSONWebKey{{KeyID: "rsa", Key: testKeys().other.Public()}}}}
	f.Fuzz(func(t *testing.T, token string) {
		env := testEnv(t)
		env.Tokens = keys
		if g, err := Authenticate(withToken(token), env); err == nil {
			t.Errorf("accepted %q as %+v", token, g.Principal)
		}
	})
}
