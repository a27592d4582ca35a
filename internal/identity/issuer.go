package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// tokenLifetime is how long tokens are valid. Clients renew them some minutes before.
const tokenLifetime = time.Hour

// ADFS is the tenant for which clients accept an authority without asking the public cloud about
// it.
const ADFS = "adfs"

// Principal is a program to which tokens are issued.
type Principal struct {
	Name      string
	ObjectID  string // GUID to which roles are assigned
	ClientID  string // GUID by which the program identifies itself
	Secrets   []string
	Keys      []any        // public keys of its client assertions
	Federated []Federation // outside tokens accepted as its assertions
	Groups    []string     // object IDs
}

// Federation describes tokens of an outside issuer that are accepted as assertions of a principal.
type Federation struct{ Issuer, Subject, Audience string }

// KeySource finds the public keys of issuers, as auth.Tokens does.
type KeySource interface {
	KeySet(issuer, kid string) (*jose.JSONWebKeySet, error)
}

// Issuer issues tokens. All fields are required but Aliases and Outside.
type Issuer struct {
	Base string // URL of the authority, https, without a slash at its end
	// Aliases are further host names of the authority, such as those of the public one.
	Aliases    []string
	Tenant     string // GUID
	Key        *SigningKey
	Principals func() []Principal // current principals
	Outside    KeySource          // of the issuers of federated tokens; nil for none
	Now        func() time.Time
}

// Name returns the issuer name in tokens.
func (i *Issuer) Name() string { return i.Base + "/" + ADFS }

// baseFor returns the URL of the authority under the host name of a request. Clients refuse a
// configuration that names another host.
func (i *Issuer) baseFor(r *http.Request) string {
	host := strings.ToLower(strings.TrimSuffix(r.Host, ":443"))
	if slices.Contains(i.Aliases, host) {
		return "https://" + host
	}
	return i.Base
}

// AuthorizationURI returns the URL in the challenge for clients without a token.
func (i *Issuer) AuthorizationURI() string { return i.Name() + "/oauth2/authorize" }

// KeySet returns the public keys if issuer is this one, else nil.
func (i *Issuer) KeySet(issuer, _ string) (*jose.JSONWebKeySet, error) {
	if issuer != i.Name() {
		return nil, nil
	}
	return &i.Key.public, nil
}

// appIDACR is the token claim that says how a program authenticated.
type appIDACR string

const (
	bySecret    appIDACR = "1"
	byAssertion appIDACR = "2"
)

// Token issues a token for a principal and a resource, and returns it with its expiry.
func (i *Issuer) Token(p *Principal, resource string, how appIDACR) (string, time.Time, error) {
	now := i.Now()
	end := now.Add(tokenLifetime)
	text, err := jwt.Signed(i.Key.signer).Claims(map[string]any{
		"aud": resource, "iss": i.Name(), "iat": now.Unix(), "nbf": now.Unix(), "exp": end.Unix(),
		"oid": p.ObjectID, "sub": p.ObjectID, "tid": i.Tenant, "appid": p.ClientID, "appidacr": how,
		"idtyp": "app", "ver": "1.0", "groups": p.Groups, "uti": newGUID(),
	}).Serialize()
	return text, end, err
}

// resourceOf returns the resource named by a scope or resource parameter. It returns false unless
// the resource is storage or the management endpoint, which is this authority.
func (i *Issuer) resourceOf(text string) (string, bool) {
	resource, _ := strings.CutSuffix(text, "/.default")
	u, err := url.Parse(resource)
	if err != nil || u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	resource = strings.TrimRight(resource, "/")
	if u.Host == "storage.azure.com" || strings.HasSuffix(u.Host, ".blob."+storageSuffix) || resource == i.Base {
		return resource, true
	}
	return "", false
}

// find returns the principal with a client ID, in any case.
func (i *Issuer) find(clientID string) *Principal {
	all := i.Principals()
	for n := range all {
		if clientID != "" && strings.EqualFold(all[n].ClientID, clientID) {
			return &all[n]
		}
	}
	return nil
}

// hasSecret reports whether a secret belongs to the principal. It compares in constant time.
func (p *Principal) hasSecret(secret string) bool {
	ok := 0
	for _, own := range p.Secrets {
		ok |= equal(own, secret)
	}
	return ok == 1 && secret != ""
}

func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// assertionAlgorithms are those of client assertions; none is symmetric.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256}

// skew is how far the clock of a client may be off.
const skew = 5 * time.Minute

// maxAssertion bounds assertions, in bytes.
const maxAssertion = 16 << 10

// asserted reports whether an assertion proves that its sender is the principal: signed
// with its own key, or by an issuer that it is federated with. The error is that of
// looking up keys.
func (i *Issuer) asserted(p *Principal, text string, endpoints []string) (bool, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxAssertion {
		return false, nil
	}
	token, err := jwt.ParseSigned(text, assertionAlgorithms)
	if err != nil {
		return false, nil
	}
	var c jwt.Claims
	for _, key := range p.Keys {
		own := token.Claims(key, &c) == nil && strings.EqualFold(c.Issuer, p.ClientID) && strings.EqualFold(c.Subject, p.ClientID)
		if own && i.current(c) && meantFor(c.Audience, endpoints) {
			return true, nil
		}
	}
	if i.Outside == nil || token.UnsafeClaimsWithoutVerification(&c) != nil {
		return false, nil
	}
	for _, f := range p.Federated {
		if f.Issuer != c.Issuer || f.Subject != c.Subject || !meantFor(c.Audience, []string{f.Audience}) {
			continue
		}
		set, err := i.Outside.KeySet(c.Issuer, token.Headers[0].KeyID)
		if err != nil || set == nil {
			return false, err
		}
		var verified jwt.Claims
		if token.Claims(set, &verified) == nil && i.current(verified) {
			return verified.Issuer == f.Issuer && verified.Subject == f.Subject, nil
		}
	}
	return false, nil
}

func (i *Issuer) current(c jwt.Claims) bool {
	now := i.Now()
	return c.Expiry != nil && now.Before(c.Expiry.Time().Add(skew)) &&
		(c.NotBefore == nil || !now.Before(c.NotBefore.Time().Add(-skew)))
}

func meantFor(audience jwt.Audience, any []string) bool {
	for _, a := range any {
		if audience.Contains(a) {
			return true
		}
	}
	return false
}

// newGUID returns a random GUID.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
