package auth

import (
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/httpdate"
)

// dateTolerance is how far the date of a Shared Key request may lie from the server's clock, either
// way.
const dateTolerance = 15 * time.Minute

// authenticateKey verifies the credentials of Authorization: SharedKey, or SharedKeyLite, which are
// account:signature.
func authenticateKey(req *Request, env *Env, credentials string, lite bool) (Grant, error) {
	account, signature, ok := strings.Cut(credentials, ":")
	if !ok || account == "" || signature == "" {
		return Grant{}, fault.InvalidAuthenticationInfo
	}
	if env.Account.KeysDisabled {
		return Grant{}, fault.KeyBasedAuthenticationNotPermitted
	}
	if account != env.Account.Name {
		return Grant{}, fault.NotAuthenticated("The account '" + account + "' is not the one the request is sent to.")
	}
	c, err := newCanon(req, lite)
	if err != nil {
		return Grant{}, err
	}
	defer c.release()
	if err := checkDate(req, env.Now); err != nil {
		return Grant{}, err
	}
	if !c.signedBy(env, signature) {
		return Grant{}, fault.NotAuthenticated("The MAC signature found in the HTTP request '" + signature +
			"' is not the same as any computed signature. Server used following string to sign: '" +
			string(c.write(c.documented())) + "'.")
	}
	return Grant{Principal: Principal{Kind: KindKey, Name: account}, req: req, env: env}, nil
}

// signedBy reports whether a key of the account made the signature, over the documented
// string-to-sign or another known form.
func (c *canon) signedBy(env *Env, signature string) bool {
	if verifyAny(env.Account.Keys, c.write(c.documented()), signature) {
		return true
	}
	if len(signature) != signatureSize {
		return false
	}
	for f := range c.others(env.ReencodedPaths) {
		if verifyAny(env.Account.Keys, c.write(f), signature) {
			return true
		}
	}
	return false
}

func verifyAny(keys []*Key, text []byte, signature string) bool {
	for _, k := range keys {
		if k.verify(text, signature) {
			return true
		}
	}
	return false
}

// checkDate refuses a request whose x-ms-date, or else Date, is missing, unreadable or too far from
// now.
func checkDate(req *Request, now time.Time) error {
	value := first(req.Header["Date"])
	if v, ok := req.Header["X-Ms-Date"]; ok {
		value = first(v)
	}
	date, err := httpdate.Parse(value)
	if err != nil || now.Sub(date).Abs() > dateTolerance {
		return fault.NotAuthenticated("Request date header too old: '" + value + "'")
	}
	return nil
}
