package auth

import "github.com/leasehold/leasehold/internal/fault"

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

// Principal is who asks.
type Principal struct {
	Kind        Kind
	Name        string // account for a key or account SAS, stored access policy of a service SAS, user or application name of a token
	ObjectID    string // of the user or application behind a token or user delegation SAS
	Tenant      string // of that object
	Application string // ID of the application a token was issued to
}

// Resource is what a permission is needed on. The zero value is the account.
type Resource struct {
	Container string
	Blob      string
}

// Grant is what the credentials of a request allow. The zero value allows nothing.
type Grant struct {
	Principal Principal
	req       *Request
	env       *Env
}

// Allow reports whether the grant includes the permission on the resource: nil, or the refusal as the service words it.
func (g Grant) Allow(p Permission, r Resource) error {
	switch {
	case p.Open:
		return nil
	case g.Principal.Kind == KindKey && !p.TokenOnly:
		return nil
	case g.Principal.Kind == KindKey:
		return p.unfit()
	}
	return fault.NoAuthenticationInformation
}

// CreateOnly reports whether the grant, which allows the permission on the resource, does so only as long as the operation
// creates the blob. Over an existing one the answer is [fault.UnauthorizedBlobOverwrite].
func (g Grant) CreateOnly(p Permission, r Resource) bool { return false }

// MayReadTags reports whether the grant includes reading the tags of the resource, which conditions on tags need.
func (g Grant) MayReadTags(r Resource) bool { return g.Allow(PermGetTags, r) == nil }

// MayWriteTags reports whether the grant includes setting the tags of the resource, which writes that carry tags need.
func (g Grant) MayWriteTags(r Resource) bool { return g.Allow(PermSetTags, r) == nil }
