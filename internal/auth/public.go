package auth

import "github.com/leasehold/leasehold/internal/fault"

// challengeSince is the version from which missing and bad tokens are answered with 401 and a
// challenge.
const challengeSince = "2019-12-12"

// storageAudience is the resource that tokens for storage are issued for.
const storageAudience = "https://storage.azure.com"

// allowPublic decides for requests without credentials by the public access level of the container.
func (g Grant) allowPublic(p Permission, r Resource) error {
	if g.env == nil {
		return fault.NoAuthenticationInformation
	}
	if p.Public == PublicNone {
		return unauthenticated(g.req, g.env)
	}
	if !g.env.Account.AllowPublicAccess {
		return fault.PublicAccessNotPermitted
	}
	level := PublicNone
	if g.env.PublicAccess != nil && r.Container != "" {
		var err error
		if level, err = g.env.PublicAccess(r.Container); err != nil {
			return err
		}
	}
	if level < p.Public {
		return unauthenticated(g.req, g.env)
	}
	return nil
}

// unauthenticated refuses a request without credentials; a client of an older version must not
// learn that the resource exists.
func unauthenticated(req *Request, env *Env) error {
	if req.Version < challengeSince {
		return fault.ResourceNotFound
	}
	return &fault.Error{Code: fault.NoAuthenticationInformation, Header: challenge(env)}
}

// challenge returns the header that tells a client where to get a token; none if no such place is
// configured. Clients take the URI out of every challenge, and the JavaScript client fails on one
// without.
func challenge(env *Env) []fault.Detail {
	if env.AuthorizationURI == "" {
		return nil
	}
	value := "Bearer authorization_uri=" + env.AuthorizationURI + " resource_id=" + storageAudience
	return []fault.Detail{{Name: "WWW-Authenticate", Value: value}}
}
