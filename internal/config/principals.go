package config

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/identity"
)

// The names of the local authority and its tenant.
const (
	AuthorityHost = "login.leasehold.internal"
	TenantID      = "1ea5e401-d000-4000-8000-000000000000"
)

// PublicAuthorities are the host names of the public authority. Some programs use them whatever
// they are configured to use; the proxy leads such requests to the local authority.
var PublicAuthorities = []string{"login.microsoftonline.com", "login.microsoft.com", "login.windows.net"}

// The development principal. Each start makes a new secret for it.
const (
	DevPrincipal = "developer"
	DevObjectID  = "1ea5e401-d000-4000-8000-000000000001"
	DevClientID  = "1ea5e401-d000-4000-8000-000000000002"
)

// principalConfig is one [[principal]]: a program that gets tokens from this server or, without a
// client ID, the subject of tokens from another issuer.
type principalConfig struct {
	Name        string            `toml:"name"`
	ID          string            `toml:"id"`     // object ID
	Issuer      string            `toml:"issuer"` // issuer of its tokens; default: this server with a client ID, else the only configured issuer
	ClientID    string            `toml:"client-id"`
	SecretFiles []string          `toml:"secret-files"`
	KeyFiles    []string          `toml:"certificate-files"` // PEM: certificates or public keys of client assertions
	Federated   []federatedConfig `toml:"federated"`
}

type federatedConfig struct {
	Issuer   string `toml:"issuer"`
	Subject  string `toml:"subject"`
	Audience string `toml:"audience"`
}

// groupConfig is one [[group]].
type groupConfig struct {
	Name    string   `toml:"name"`
	ID      string   `toml:"id"`
	Issuer  string   `toml:"issuer"`  // issuer whose tokens list the group; default: the only configured issuer
	Members []string `toml:"members"` // names or object IDs of principals
}

// roleConfig is one [[role-assignment]].
type roleConfig struct {
	Principal string `toml:"principal"` // name or object ID
	Group     string `toml:"group"`     // name or object ID
	Issuer    string `toml:"issuer"`    // issuer of the object, if it is no configured principal or group
	Role      string `toml:"role"`
	Scope     string `toml:"scope"` // account, account/container, or "*" for all accounts
}

// issuerConfig is one [[issuer]]: a trusted issuer of tokens.
type issuerConfig struct {
	Name             string `toml:"name"`              // "iss" of its tokens
	Keys             string `toml:"keys"`              // URL of its keys; default: found by discovery
	AuthorizationURI string `toml:"authorization-uri"` // where clients without a token are told to get one
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// defaultAudience is the audience of workload identity tokens.
const defaultAudience = "api://AzureADTokenExchange"

// principals reads the [[principal]] entries and adds the files they name to files.
func (c *File) principals(files *[]string) ([]identity.Principal, error) {
	var all []identity.Principal
	for _, p := range c.Principals {
		if p.Name == "" || !guid.MatchString(p.ID) || p.ClientID != "" && !guid.MatchString(p.ClientID) {
			return nil, fmt.Errorf("principal %q: needs a name, and GUIDs as id and client-id", p.Name)
		}
		out := identity.Principal{Name: p.Name, ObjectID: p.ID, ClientID: p.ClientID}
		for _, f := range p.SecretFiles {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("principal %s: secret: %w", p.Name, err)
			}
			secret := strings.TrimSpace(string(text))
			if len(secret) < minSecret {
				return nil, fmt.Errorf("principal %s: the secret in %s has fewer than %d characters", p.Name, f, minSecret)
			}
			out.Secrets = append(out.Secrets, secret)
		}
		for _, f := range p.KeyFiles {
			key, err := readPublicKey(f)
			if err != nil {
				return nil, fmt.Errorf("principal %s: %s: %w", p.Name, f, err)
			}
			out.Keys = append(out.Keys, key)
		}
		for _, f := range p.Federated {
			if f.Audience == "" {
				f.Audience = defaultAudience
			}
			out.Federated = append(out.Federated, identity.Federation(f))
		}
		*files = append(append(*files, p.SecretFiles...), p.KeyFiles...)
		all = append(all, out)
	}
	return all, nil
}

// minSecret is the minimum length of a client secret, in characters.
const minSecret = 16

func readPublicKey(file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			key = cert.PublicKey
		case "PUBLIC KEY":
			if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
				return nil, err
			}
		default:
			continue
		}
		switch key.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey:
			return key, nil
		}
		return nil, errors.New("its key is neither RSA nor ECDSA")
	}
	return nil, errors.New("it holds neither a certificate nor a public key")
}

// developer returns the development principal.
func (o *Options) developer() identity.Principal {
	return identity.Principal{Name: DevPrincipal, ObjectID: DevObjectID, ClientID: DevClientID, Secrets: []string{o.DevSecret}}
}

// LocalIssuer is the name of this server's own issuer.
const LocalIssuer = "https://" + AuthorityHost + "/" + identity.ADFS

// issuers returns the names of all trusted issuers.
func (c *File) issuers() []string {
	all := []string{LocalIssuer}
	for _, i := range c.Issuers {
		all = append(all, i.Name)
	}
	return all
}

// issuerOf returns the issuer of an object. If several issuers are configured, it has to be named.
func (c *File) issuerOf(what, named string) (string, error) {
	switch {
	case named != "" && !slices.Contains(c.issuers(), named):
		return "", fmt.Errorf("%s: %q is not a configured issuer", what, named)
	case named != "":
		return named, nil
	case len(c.Issuers) > 1:
		return "", fmt.Errorf("%s: several issuers are configured, and the same ID may mean different objects: name one with issuer", what)
	case len(c.Issuers) == 1:
		return c.Issuers[0].Name, nil
	}
	return LocalIssuer, nil
}

// object returns the issuer and the ID of a principal. With a client ID the issuer is this server.
func (p *principalConfig) object(c *File) (auth.Object, error) {
	what := "principal " + p.Name
	if p.ClientID == "" {
		issuer, err := c.issuerOf(what, p.Issuer)
		return auth.Object{Issuer: issuer, ID: p.ID}, err
	}
	if p.Issuer != "" && p.Issuer != LocalIssuer {
		return auth.Object{}, fmt.Errorf("%s: with a client-id it gets its tokens from this server, not from %s", what, p.Issuer)
	}
	return auth.Object{Issuer: LocalIssuer, ID: p.ID}, nil
}

// objects returns the principals by their names.
func (c *File) objects() (map[string]auth.Object, error) {
	all := map[string]auth.Object{DevPrincipal: {Issuer: LocalIssuer, ID: DevObjectID}}
	for i := range c.Principals {
		o, err := c.Principals[i].object(c)
		if err != nil {
			return nil, err
		}
		all[c.Principals[i].Name] = o
	}
	return all, nil
}

// Principal returns the principal that a name or GUID stands for.
func (c *File) Principal(nameOrID string) (auth.Object, error) {
	known, err := c.objects()
	if err != nil {
		return auth.Object{}, err
	}
	return c.find("principal", nameOrID, "", known)
}

// access returns the groups and the role assignments.
func (c *File) access(o *Options) (*auth.Access, error) {
	known, err := c.objects()
	if err != nil {
		return nil, err
	}
	groups, members := map[string]auth.Object{}, map[auth.Object][]auth.Object{}
	for _, g := range c.Groups {
		if !guid.MatchString(g.ID) {
			return nil, fmt.Errorf("group %q: id is no GUID", g.Name)
		}
		issuer, err := c.issuerOf("group "+g.Name, g.Issuer)
		if err != nil {
			return nil, err
		}
		group := auth.Object{Issuer: issuer, ID: g.ID}
		groups[g.Name] = group
		for _, m := range g.Members {
			member, err := c.find("member of group "+g.Name, m, "", known)
			if err != nil {
				return nil, err
			}
			members[group] = append(members[group], member)
		}
	}
	var all []auth.Assignment
	for _, r := range c.Roles {
		a, err := r.assignment(c, known, groups)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if o.Dev {
		role := auth.RoleContributor
		if o.DevOwner {
			role = auth.RoleOwner
		}
		all = append(all, auth.Assignment{Principal: DevObjectID, Issuer: LocalIssuer, Role: role, Account: DevAccount})
	}
	return auth.NewAccess(all, members), nil
}

func (r *roleConfig) assignment(c *File, principals, groups map[string]auth.Object) (a auth.Assignment, err error) {
	if (r.Principal == "") == (r.Group == "") {
		return a, fmt.Errorf("role assignment of %q: needs either a principal or a group", r.Role)
	}
	what, name, known := "principal", r.Principal, principals
	if r.Group != "" {
		what, name, known = "group", r.Group, groups
	}
	who, err := c.find(what, name, r.Issuer, known)
	if err != nil {
		return a, fmt.Errorf("role assignment of %q: %w", r.Role, err)
	}
	a.Principal, a.Issuer = who.ID, who.Issuer
	if a.Role = auth.RoleNamed(r.Role); a.Role == nil {
		return a, fmt.Errorf("role assignment: there is no role %q; roles are named in full, such as %q", r.Role, auth.RoleContributor.Name)
	}
	switch account, container, _ := strings.Cut(r.Scope, "/"); {
	case r.Scope == "":
		return a, fmt.Errorf("role assignment of %q: the scope is missing: an account, account/container, or *", r.Role)
	case r.Scope != "*":
		if err := CheckAccountName(account); err != nil {
			return a, fmt.Errorf("role assignment of %q: %w", r.Role, err)
		}
		a.Account, a.Container = account, container
	}
	return a, nil
}

// find returns the object with a name or GUID. Without an issuer, a GUID refers to the configured
// object with that ID; it is an error if there are several.
func (c *File) find(what, nameOrID, issuer string, known map[string]auth.Object) (auth.Object, error) {
	if o, ok := known[nameOrID]; ok {
		if issuer != "" && issuer != o.Issuer {
			return o, fmt.Errorf("%s %s belongs to issuer %s, not to %s", what, nameOrID, o.Issuer, issuer)
		}
		return o, nil
	}
	if !guid.MatchString(nameOrID) {
		return auth.Object{}, fmt.Errorf("%s %q is neither configured nor a GUID", what, nameOrID)
	}
	if issuer == "" {
		issuers := map[string]bool{}
		for _, o := range known {
			if strings.EqualFold(o.ID, nameOrID) {
				issuers[o.Issuer] = true
				issuer = o.Issuer
			}
		}
		if len(issuers) > 1 {
			return auth.Object{}, fmt.Errorf("%s %s is configured for several issuers: use a name, or name one with issuer", what, nameOrID)
		}
	}
	issuer, err := c.issuerOf(what+" "+nameOrID, issuer)
	return auth.Object{Issuer: issuer, ID: nameOrID}, err
}
