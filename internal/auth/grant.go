package auth

import (
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Kind is a kind of credential.
type Kind uint8

// The kinds of credential.
const (
	KindAnonymous     Kind = iota // none
	KindKey                       // Shared Key or Shared Key Lite
	KindAccountSAS                // SAS signed with an account key, for the whole account
	KindServiceSAS                // SAS signed with an account key, for a container, directory, blob, snapshot or version
	KindDelegationSAS             // SAS signed with a user delegation key
	KindBearer                    // token
)

// String returns the kind as it is written to logs.
func (k Kind) String() string {
	return [...]string{"anonymous", "key", "account-sas", "service-sas", "delegation-sas", "bearer"}[k]
}

// Principal identifies the sender of a request.
type Principal struct {
	Kind        Kind
	Name        string   // account for a key or SAS, stored access policy if a SAS names one, user or application name of a token
	ObjectID    string   // of the user or application behind a token or user delegation SAS
	Issuer      string   // issuer of ObjectID: another issuer may give the same ID to somebody else
	Tenant      string   // of that object
	Application string   // ID of the application a token was issued to
	Groups      []string // object IDs of groups that a token lists
}

// Resource is what a permission is needed on. The zero value is the account.
type Resource struct {
	Container string
	Blob      string // decoded; "" for the container
	Prefix    string // of a listing; a SAS for a directory allows listing below it only
}

// Grant is what the credentials of a request allow. The zero value allows nothing.
type Grant struct {
	Principal Principal

	req *Request
	env *Env

	sas       *SAS
	letters   string // permissions of the SAS or its policy
	resource  string // canonical resource that the SAS covers
	keyPeriod period // of the user delegation key
}

// extent is how far a grant includes a permission.
type extent uint8

const (
	nothing  extent = iota
	creation        // as long as the operation creates the resource
	whole
)

// Allow reports whether the grant includes the permission on the resource: nil, or the refusal as
// the service words it. It may call the functions of Env that look up the container, and returns
// their errors as they are.
func (g Grant) Allow(p Permission, r Resource) error {
	if p.Open {
		return nil
	}
	switch g.Principal.Kind {
	case KindKey:
		if p.TokenOnly {
			return p.unfit()
		}
		return nil
	case KindAccountSAS:
		return g.allowAccountSAS(p)
	case KindServiceSAS, KindDelegationSAS:
		return g.allowScopedSAS(p, r)
	case KindBearer:
		if g.roles(p, r) == nothing {
			return fault.AuthorizationPermissionMismatch
		}
		return nil
	}
	return g.allowPublic(p, r)
}

func (g Grant) allowAccountSAS(p Permission) error {
	switch {
	case p.Type != 0 && strings.IndexByte(g.sas.Types, p.Type) < 0:
		return fault.AuthorizationResourceTypeMismatch
	case p.Account == "":
		return p.unfit()
	case g.signed(p) == nothing:
		return fault.AuthorizationPermissionMismatch
	}
	return nil
}

func (g Grant) allowScopedSAS(p Permission, r Resource) error {
	resource, ok := g.sas.resource(g.env.Account.Name, r)
	switch {
	case !ok || resource != g.resource:
		return fault.NotAuthenticated("The signature does not cover the resource.")
	case p.WholeContainer && g.sas.Resource == "d":
		return p.unfit()
	case p.Scoped == "" || (g.sas.Resource == "bs" || g.sas.Resource == "bv") && !p.OfVersion && p.Scoped != AnyLetter:
		return p.unfit()
	case g.signed(p) == nothing:
		return fault.AuthorizationPermissionMismatch
	case g.Principal.Kind == KindDelegationSAS && g.roles(p, r) == nothing:
		return fault.AuthorizationPermissionMismatch
	}
	return nil
}

// breakWithDelete is the version from which letters of Permission.Break count.
const breakWithDelete = "2017-07-29"

// signed returns how far the letters of the SAS include the permission.
func (g Grant) signed(p Permission) extent {
	full, fresh := p.Scoped, p.ScopedNew
	if g.Principal.Kind == KindAccountSAS {
		full, fresh = p.Account, p.AccountNew
	}
	version := g.req.Version
	if version == "" {
		version = g.sas.Version
	}
	switch {
	case full.in(g.letters), version >= breakWithDelete && p.Break.in(g.letters):
		return whole
	case fresh.in(g.letters):
		return creation
	}
	return nothing
}

// roles returns how far the roles of the principal include the permission.
func (g Grant) roles(p Permission, r Resource) extent {
	switch account := g.env.Account.Name; {
	case g.env.Access.allows(g.Principal, p.Actions, account, r.Container):
		return whole
	case g.env.Access.allows(g.Principal, p.ActionsNew, account, r.Container):
		return creation
	}
	return nothing
}

// CreateOnly reports whether the grant allows the permission on the resource only if the operation
// creates the blob. Replacing a blob is then refused with [fault.UnauthorizedBlobOverwrite].
func (g Grant) CreateOnly(p Permission, r Resource) bool {
	switch g.Principal.Kind {
	case KindAccountSAS, KindServiceSAS:
		return g.signed(p) == creation
	case KindDelegationSAS:
		return min(g.signed(p), g.roles(p, r)) == creation
	case KindBearer:
		return g.roles(p, r) == creation
	}
	return false
}

// MayReadTags reports whether the grant includes reading the tags of the resource, which conditions
// on tags need.
func (g Grant) MayReadTags(r Resource) bool { return g.Allow(PermGetTags, r) == nil }

// MayWriteTags reports whether the grant includes setting the tags of the resource, which writes
// that carry tags need.
func (g Grant) MayWriteTags(r Resource) bool { return g.Allow(PermSetTags, r) == nil }

// Override returns the header values that the signature of a service or user delegation SAS fixes
// for the response to a read.
func (g Grant) Override() Override {
	if g.Principal.Kind == KindServiceSAS || g.Principal.Kind == KindDelegationSAS {
		return g.sas.Override
	}
	return Override{}
}

// EncryptionScope returns the encryption scope that the SAS demands of writes; "" if it demands
// none.
func (g Grant) EncryptionScope() string {
	if g.sas == nil {
		return ""
	}
	return g.sas.EncryptionScope
}
