package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/leasehold/leasehold/internal/fault"
)

const (
	// maxToken bounds the tokens that are looked at, in bytes. The largest real ones, with 200
	// groups, have about 10,000.
	maxToken = 16 << 10
	// minRSA is the least size of an RSA key, in bits.
	minRSA = 2048
	// clockSkew is how far the clock of an issuer may be off.
	clockSkew = 5 * time.Minute
	// bearerSince is the oldest version that takes tokens.
	bearerSince = "2017-11-09"
	// storageApplication is the ID of the storage service as an application, which may stand as
	// audience of a token.
	storageApplication = "e406a681-f3d4-42a8-90b6-c2b029497af1"
)

// tokenAlgorithms lists the algorithms that may sign a token. None is symmetric, so that a public
// key never counts as a secret.
var tokenAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256}

// Tokens looks up the keys of trusted issuers.
type Tokens interface {
	// KeySet returns the public keys of an issuer, or nil if the issuer is not trusted. issuer is
	// the "iss" of a token that is not verified yet; kid is the ID of the wanted key, by which an
	// implementation may decide to fetch again. An error means that the answer is not known, and
	// fails the request.
	KeySet(issuer, kid string) (*jose.JSONWebKeySet, error)
}

// claims holds the claims of a token that are used.
type claims struct {
	Issuer    string           `json:"iss"`
	Audience  jwt.Audience     `json:"aud"`
	Expiry    *jwt.NumericDate `json:"exp"`
	NotBefore *jwt.NumericDate `json:"nbf"`

	ObjectID string   `json:"oid"`
	Tenant   string   `json:"tid"`
	AppID    string   `json:"appid"`
	AzP      string   `json:"azp"`
	Groups   []string `json:"groups"`
	UPN      string   `json:"upn"`
	Name     string   `json:"unique_name"`
}

// authenticateBearer verifies the token of Authorization: Bearer.
func authenticateBearer(req *Request, env *Env) (Grant, error) {
	values := req.Header["Authorization"]
	if len(values) != 1 {
		return Grant{}, badToken(req, env, "One token is needed.")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Grant{}, badToken(req, env, "A token is needed.")
	}
	if !req.TLS && !env.BearerOverHTTP {
		return Grant{}, fault.NotAuthenticated("Authentication scheme Bearer is not allowed with HTTP.")
	}
	if req.Version == "" || req.Unversioned {
		return Grant{}, fault.MissingHeader("x-ms-version")
	}
	if req.Version < bearerSince {
		return Grant{}, fault.InvalidHeader("x-ms-version", req.Version)
	}
	c, detail, err := verifyToken(strings.TrimSpace(token), env)
	if err != nil {
		return Grant{}, err
	}
	if detail == "" {
		detail = c.check(env)
	}
	if detail != "" {
		return Grant{}, badToken(req, env, detail)
	}
	return Grant{Principal: c.principal(), req: req, env: env}, nil
}

// badToken refuses a token.
func badToken(req *Request, env *Env, detail string) error {
	e := fault.NotAuthenticated(detail)
	if req.Version >= challengeSince {
		e.Code, e.Status = fault.InvalidAuthenticationInfo, 401
		e.Message = fault.NoAuthenticationInformation.Message()
		e.Header = challenge(env)
	}
	return e
}

// What is wrong with a token, in the words of the service.
const (
	tokenUnreadable = "The token is not in the expected format."
	tokenSignature  = "Signature validation failed."
	tokenIssuer     = "Issuer validation failed. Issuer did not match."
	tokenAudience   = "Audience validation failed. Audience did not match."
	tokenLifetime   = "Lifetime validation failed. The token is expired."
	tokenTooEarly   = "Lifetime validation failed. The token is not yet valid."
	tokenIdentity   = "The token does not name an object."
)

// verifyToken returns the claims of a token that a trusted issuer has signed, or in detail what is
// wrong with the token. err is the failure to look up keys.
func verifyToken(token string, env *Env) (c claims, detail string, err error) {
	if token == "" || len(token) > maxToken {
		return c, tokenUnreadable, nil
	}
	parsed, err := jwt.ParseSigned(token, tokenAlgorithms)
	if err != nil {
		return c, tokenUnreadable, nil
	}
	var unverified struct {
		Issuer string `json:"iss"`
	}
	if parsed.UnsafeClaimsWithoutVerification(&unverified) != nil {
		return c, tokenUnreadable, nil
	}
	if env.Tokens == nil || unverified.Issuer == "" {
		return c, tokenIssuer, nil
	}
	head := parsed.Headers[0]
	set, err := env.Tokens.KeySet(unverified.Issuer, head.KeyID)
	if err != nil {
		return c, "", err
	}
	if set == nil {
		return c, tokenIssuer, nil
	}
	for _, k := range set.Keys {
		if fits(k, head) && parsed.Claims(k.Key, &c) == nil {
			return c, "", nil
		}
		c = claims{}
	}
	return c, tokenSignature, nil
}

// fits reports whether a key is the one that the head of a token names, and of a kind that may sign
// with its algorithm.
func fits(k jose.JSONWebKey, head jose.Header) bool {
	if head.KeyID != "" && k.KeyID != head.KeyID || k.Use != "" && k.Use != "sig" ||
		k.Algorithm != "" && k.Algorithm != head.Algorithm {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA && (head.Algorithm == string(jose.RS256) || head.Algorithm == string(jose.PS256))
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() && head.Algorithm == string(jose.ES256)
	}
	return false
}

// check returns what is wrong with the claims of a genuine token; "" if nothing is.
func (c *claims) check(env *Env) string {
	switch now := env.Now; {
	case c.Expiry == nil || !now.Before(c.Expiry.Time().Add(clockSkew)):
		return tokenLifetime
	case c.NotBefore != nil && now.Before(c.NotBefore.Time().Add(-clockSkew)):
		return tokenTooEarly
	case !slices.ContainsFunc(c.Audience, env.audience):
		return tokenAudience
	case c.ObjectID == "":
		return tokenIdentity
	}
	return ""
}

// audience reports whether a token for this audience is meant for the account.
func (e *Env) audience(aud string) bool {
	bare := strings.TrimSuffix(aud, "/")
	return bare == storageAudience || bare == "https://"+e.Account.Name+".blob.core.windows.net" || aud == storageApplication ||
		slices.ContainsFunc(e.Audiences, func(own string) bool { return strings.TrimSuffix(own, "/") == bare })
}

func (c *claims) principal() Principal {
	p := Principal{Kind: KindBearer, Name: c.UPN, ObjectID: c.ObjectID, Issuer: c.Issuer, Tenant: c.Tenant, Application: c.AppID, Groups: c.Groups}
	if p.Application == "" {
		p.Application = c.AzP
	}
	for _, name := range []string{c.Name, p.Application} {
		if p.Name == "" {
			p.Name = name
		}
	}
	return p
}
