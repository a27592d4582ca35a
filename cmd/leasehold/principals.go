package main

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/identity"
)

// The names of the local authority and its tenant.
const (
	authorityHost = "login.leasehold.internal"
	tenantID      = "1ea5e401-d000-4000-8000-000000000000"
)

// publicAuthorities are the host names of the public authority. Programs ask it whatever they are told, or because they know
// no other; the proxy leads them to the local one.
var publicAuthorities = []string{"login.microsoftonline.com", "login.microsoft.com", "login.windows.net"}

// The principal of development. Its secrets are made anew at each start.
const (
	devPrincipal = "developer"
	devObjectID  = "1ea5e401-d000-4000-8000-000000000001"
	devClientID  = "1ea5e401-d000-4000-8000-000000000002"
)

// principalConfig is one [[principal]]: a program that gets tokens here, or, without a
// client ID, somebody whose tokens come from elsewhere.
type principalConfig struct {
	Name        string            `toml:"name"`
	ID          string            `toml:"id"` // object ID
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
	Members []string `toml:"members"` // names or object IDs of principals
}

// roleConfig is one [[role-assignment]].
type roleConfig struct {
	Principal string `toml:"principal"` // name or object ID
	Group     string `toml:"group"`     // name or object ID
	Role      string `toml:"role"`
	Scope     string `toml:"scope"` // account, account/container, or "*" for all accounts
}

// issuerConfig is one [[issuer]] whose tokens are taken.
type issuerConfig struct {
	Name             string `toml:"name"`              // "iss" of its tokens
	Keys             string `toml:"keys"`              // URL of its keys; found by discovery if absent
	AuthorizationURI string `toml:"authorization-uri"` // where clients without a token are sent
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// defaultAudience is what the tokens of workload identity are meant for.
const defaultAudience = "api://AzureADTokenExchange"

// principals reads the [[principal]] entries, and notes the files that they name.
func (c *config) principals(files *[]string) ([]identity.Principal, error) {
	var all []identity.Principal
	for _, p := range c.Principals {
		if p.Name == "" || !guid.MatchString(p.ID) || p.ClientID != "" && !guid.MatchString(p.ClientID) {
			return nil, fmt.Errorf("principal %q: a name, and a GUID for id and client-id, are needed", p.Name)
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

// minSecret is the least length of a client secret, in characters.
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

// developer is the principal of --dev.
func (o *serveOptions) developer() identity.Principal {
	return identity.Principal{Name: devPrincipal, ObjectID: devObjectID, ClientID: devClientID, Secrets: []string{o.devSecret}}
}

// access reads the role assignments.
func (c *config) access(s *settings, o *serveOptions) (*auth.Access, error) {
	ids := map[string]string{}
	for _, p := range s.principals {
		ids[p.Name] = p.ObjectID
	}
	groupIDs, members := map[string]string{}, map[string][]string{}
	for _, g := range c.Groups {
		if !guid.MatchString(g.ID) {
			return nil, fmt.Errorf("group %q: id is no GUID", g.Name)
		}
		groupIDs[g.Name] = g.ID
		for _, m := range g.Members {
			id, err := objectID("member of group "+g.Name, m, ids)
			if err != nil {
				return nil, err
			}
			members[g.ID] = append(members[g.ID], id)
		}
	}
	var all []auth.Assignment
	for _, r := range c.Roles {
		a, err := r.assignment(ids, groupIDs)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if o.dev {
		role := auth.RoleContributor
		if o.devOwner {
			role = auth.RoleOwner
		}
		all = append(all, auth.Assignment{Principal: devObjectID, Role: role, Account: devAccount})
	}
	return auth.NewAccess(all, members), nil
}

func (r *roleConfig) assignment(principals, groups map[string]string) (a auth.Assignment, err error) {
	if (r.Principal == "") == (r.Group == "") {
		return a, fmt.Errorf("role assignment of %q: one of principal and group is needed", r.Role)
	}
	if a.Principal, err = objectID("principal", r.Principal+r.Group, principals); r.Group != "" {
		a.Principal, err = objectID("group", r.Group, groups)
	}
	if err != nil {
		return a, fmt.Errorf("role assignment of %q: %w", r.Role, err)
	}
	if a.Role = auth.RoleNamed(r.Role); a.Role == nil {
		return a, fmt.Errorf("role assignment: there is no role %q; roles are named in full, such as %q", r.Role, auth.RoleContributor.Name)
	}
	switch account, container, _ := strings.Cut(r.Scope, "/"); {
	case r.Scope == "":
		return a, fmt.Errorf("role assignment of %q: the scope is missing: an account, account/container, or *", r.Role)
	case r.Scope != "*":
		if err := checkAccountName(account); err != nil {
			return a, fmt.Errorf("role assignment of %q: %w", r.Role, err)
		}
		a.Account, a.Container = account, container
	}
	return a, nil
}

// objectID returns the object ID that a name or GUID stands for.
func objectID(what, nameOrID string, known map[string]string) (string, error) {
	if id := known[nameOrID]; id != "" {
		return id, nil
	}
	if guid.MatchString(nameOrID) {
		return nameOrID, nil
	}
	return "", fmt.Errorf("%s %q is neither configured nor a GUID", what, nameOrID)
}
