package service

import (
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// Trust configures the credentials that are accepted besides the keys of accounts. The zero value
// accepts none.
type Trust struct {
	DelegationSecret []byte       // secret from which user delegation keys are derived; nil issues none
	Tokens           auth.Tokens  // trusted issuers of bearer tokens
	Issuers          []string     // issuers whose users may hold user delegation keys
	Audiences        []string     // URLs that tokens may be meant for, besides those of the real service
	Access           *auth.Access // role assignments
	AuthorizationURI string       // where a client without a token is sent
	BearerOverHTTP   bool         // take tokens over plain HTTP too
}

// environment returns everything that the credentials of a request are judged against.
func (s *Service) environment(r *wire.Request) *auth.Env {
	env := &auth.Env{Account: s.Accounts(r.Account), Now: r.Received, ReencodedPaths: true}
	if s.Trust != nil {
		if t := s.Trust(); t != nil {
			env.DelegationSecret, env.Tokens, env.Issuers, env.Audiences = t.DelegationSecret, t.Tokens, t.Issuers, t.Audiences
			env.Access, env.AuthorizationURI, env.BearerOverHTTP = t.Access, t.AuthorizationURI, t.BearerOverHTTP
		}
	}
	lookUp := func(container string) (c *blob.Container, err error) {
		err = s.DB.View(r.Context(), func(tx kv.Reader) error {
			c, err = meta.Container(tx, r.Account, container)
			return err
		})
		return c, err
	}
	env.Policy = func(container, id string) (*auth.AccessPolicy, error) {
		c, err := lookUp(container)
		if c == nil || err != nil {
			return nil, err
		}
		return policyNamed(c.Policies, id), nil
	}
	env.PublicAccess = func(container string) (auth.PublicAccess, error) {
		c, err := lookUp(container)
		if c == nil || err != nil {
			return auth.PublicNone, err
		}
		return auth.PublicAccess(c.Access), nil
	}
	return env
}

func policyNamed(policies []blob.Policy, id string) *auth.AccessPolicy {
	for _, p := range policies {
		if p.ID == id {
			return &auth.AccessPolicy{Start: timeOrZero(p.Start), Expiry: timeOrZero(p.Expiry), Permissions: p.Permissions}
		}
	}
	return nil
}

func timeOrZero(t blob.Time) (out time.Time) {
	if t != 0 {
		out = t.Std()
	}
	return out
}

// mayOverwrite refuses to change an existing blob if the grant allows only to create one.
func (s *txn) mayOverwrite() error {
	if s.blob == nil || s.blob.Uncommitted {
		return nil
	}
	if s.grant.CreateOnly(s.op.Needs, s.resource()) {
		return fault.UnauthorizedBlobOverwrite
	}
	return nil
}
