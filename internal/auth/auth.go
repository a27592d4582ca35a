// Package auth decides who sent a request and what the sender may do: Shared Key and Shared Key
// Lite, shared access signatures of all kinds, bearer tokens, anonymous access, roles, and the
// matching of CORS rules.
//
// Everything here is a function of the given request, keys and time: no I/O, no clock, no
// randomness. Failures are fault codes, with the details the service gives. A request is judged in
// two steps: [Authenticate] turns its credentials into a [Grant], and [Grant.Allow] checks the
// Grant for the [Permission] that the operation declares.
package auth

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/query"
)

// Request holds the facts of a request that credentials are judged by. It must not change while a
// Grant made from it is in use.
type Request struct {
	Method        string      // upper case
	RawPath       string      // as it stands in the request line, percent-encoding untouched, without the query
	RawQuery      string      // as it stands in the request line, without '?'; one that query.Parse can read
	Header        http.Header // names in canonical form
	ContentLength int64       // bytes of the body; -1 when unknown
	TLS           bool        // came over HTTPS
	Remote        netip.Addr  // address of the client
	Version       string      // protocol version the request is served by; "" stands for the oldest
	Unversioned   bool        // Version is a default: the request names none

	Account   string // account the target names, without "-secondary"
	Container string // "" for the account itself; "$root" is written out
	Blob      string // decoded, with its dots resolved; "" for a container or the account
	SentBlob  string // Blob as the path has it, if that is not the same; else ""
	Secondary bool   // the target is the secondary endpoint
	PathStyle bool   // the account is the first segment of RawPath
}

// Account is a storage account as far as credentials are concerned.
type Account struct {
	Name              string
	Keys              []*Key // either may sign; two by custom
	RequireHTTPS      bool   // refuse plain HTTP
	KeysDisabled      bool   // refuse Shared Key, account SAS and service SAS
	AllowPublicAccess bool   // honour the public access levels of containers
}

// Env holds everything that a request is judged against. An optional field that is zero switches
// its feature off.
type Env struct {
	Account *Account  // the account that Request.Account names; nil if it does not exist
	Now     time.Time // moment of the request

	// Policy looks up a stored access policy of a container of the account; nil if the container or
	// the policy does not exist. An error fails the request as it is.
	Policy func(container, id string) (*AccessPolicy, error)
	// PublicAccess looks up the public access level of a container of the account; PublicNone if it
	// does not exist.
	PublicAccess func(container string) (PublicAccess, error)

	DelegationSecret []byte   // secret from which user delegation keys are derived
	Tokens           Tokens   // trusted issuers of tokens
	Issuers          []string // issuers whose users may hold user delegation keys
	Audiences        []string // URLs that tokens may be meant for, besides those of the real service
	Access           *Access  // role assignments
	AuthorizationURI string   // where a client without a token is sent; its first path segment is the tenant
	BearerOverHTTP   bool     // take tokens over plain HTTP too, where anybody on the way can read them

	// ReencodedPaths accepts Shared Key signatures over a path that differs from the request line
	// only in which characters are percent-encoded, as proxies and some HTTP stacks leave it.
	ReencodedPaths bool
}

// Authenticate finds the credentials of a request, verifies them and returns what they grant. A
// request without credentials gets the grant of the public, which never fails here. Failures carry
// the code and the detail of the service, among them 400 [fault.InvalidAuthenticationInfo] for an
// Authorization header that cannot be read, 403 [fault.AuthenticationFailed] for credentials that
// do not verify, 401 with a challenge for a bad token, 400 [fault.AccountRequiresHTTPS], and 404
// [fault.ResourceNotFound] for an unknown account.
func Authenticate(req *Request, env *Env) (Grant, error) {
	if env.Account == nil {
		return Grant{}, fault.ResourceNotFound
	}
	if env.Account.RequireHTTPS && !req.TLS {
		return Grant{}, fault.AccountRequiresHTTPS
	}
	switch values := req.Header["Authorization"]; len(values) {
	case 0:
	case 1:
		scheme, credentials, _ := strings.Cut(values[0], " ")
		switch {
		case strings.EqualFold(scheme, "SharedKey"):
			return authenticateKey(req, env, credentials, false)
		case strings.EqualFold(scheme, "SharedKeyLite"):
			return authenticateKey(req, env, credentials, true)
		case !strings.EqualFold(scheme, "Bearer"):
			return Grant{}, fault.InvalidAuthenticationInfo
		case !query.Named(req.RawQuery, "sig"):
			return authenticateBearer(req, env)
		}
	default:
		return Grant{}, fault.InvalidAuthenticationInfo
	}
	if query.Named(req.RawQuery, "sig") {
		return authenticateSAS(req, env)
	}
	return Grant{req: req, env: env}, nil
}
