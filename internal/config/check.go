package config

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/identity"
)

// Summary describes a configuration without its secrets.
type Summary struct {
	Accounts   []AccountSummary `json:"accounts"`
	Principals []string         `json:"principals"`
	Groups     []string         `json:"groups"`
	Roles      []string         `json:"roles"` // who may do what where
	Issuers    []string         `json:"issuers"`
}

// AccountSummary describes an account without its keys.
type AccountSummary struct {
	Name string `json:"name"`
	Keys int    `json:"keys"`
}

// Check reads a configuration file, the environment and all files they name, as New does, and
// changes nothing.
func Check(name string) (*Summary, error) {
	file, err := Read(name)
	if err != nil {
		return nil, err
	}
	accounts, err := file.All(false)
	if err != nil {
		return nil, err
	}
	if len(accounts) == 0 {
		return nil, ErrNoAccounts
	}
	var files []string
	if _, err = file.principals(&files); err != nil {
		return nil, err
	}
	if _, err = file.access(&Options{}); err != nil {
		return nil, err
	}
	keys := map[string]string{}
	s := &Summary{}
	for _, i := range file.Issuers {
		keys[i.Name] = i.Keys
		s.Issuers = append(s.Issuers, i.Name)
	}
	if _, err = identity.NewOutside(keys, nil, time.Now); err != nil {
		return nil, err
	}
	byName := func(a, b *auth.Account) int { return cmp.Compare(a.Name, b.Name) }
	for _, a := range slices.SortedFunc(maps.Values(accounts), byName) {
		s.Accounts = append(s.Accounts, AccountSummary{a.Name, len(a.Keys)})
	}
	for _, p := range file.Principals {
		s.Principals = append(s.Principals, p.Name)
	}
	for _, g := range file.Groups {
		s.Groups = append(s.Groups, g.Name)
	}
	for _, r := range file.Roles {
		s.Roles = append(s.Roles, cmp.Or(r.Principal, r.Group)+": "+r.Role+" on "+r.Scope)
	}
	return s, nil
}
