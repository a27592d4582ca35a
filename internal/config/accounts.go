package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/service"
)

// The development account and its published key. Every SDK knows both as those of the emulator.
const (
	DevAccount = "devstoreaccount1"
	DevKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// AccountsVariable names the environment variable that holds accounts and their keys.
const AccountsVariable = "LEASEHOLD_ACCOUNTS"

// EmulatorVariable names the environment variable with the accounts of the emulator, which --dev
// serves, too.
const EmulatorVariable = "AZURITE_ACCOUNTS"

// Account is one [[account]] of the configuration file.
type Account struct {
	Name         string   `toml:"name"`
	Keys         []string `toml:"keys"`      // Base64
	KeyFiles     []string `toml:"key-files"` // files that hold one Base64 key each
	PublicAccess bool     `toml:"public-access"`
	RequireHTTPS bool     `toml:"require-https"`

	Versioning         bool `toml:"versioning"`
	ContainerRetention int  `toml:"container-retention-days"` // 0 to 365
	Immutability       bool `toml:"immutability"`
	Expiry             bool `toml:"expiry"`
	PageTiers          bool `toml:"page-blob-tiers"`
}

// features returns the optional features of the account.
func (c *Account) features() service.Features {
	return service.Features{Versioning: c.Versioning, ContainerRetention: c.ContainerRetention,
		Immutability: c.Immutability, Expiry: c.Expiry, PageTiers: c.PageTiers}
}

// maxKeys is how many keys an account may have. With two, one can be rotated while the other is in
// use. The development account may have the well-known key besides.
const maxKeys = 2

// minKey is the least length of a key that is not for development, in bytes: fewer could be
// guessed.
const minKey = 16

// withDevelopment adds the accounts of --dev: those that the environment gives the emulator, and
// the development account. If the development account is configured, the well-known key joins its
// keys.
func withDevelopment(all []Account) ([]Account, error) {
	fromEmulator, err := parseAccounts(os.Getenv(EmulatorVariable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EmulatorVariable, err)
	}
	for i := range fromEmulator {
		fromEmulator[i].PublicAccess = true
	}
	all = slices.Concat(all, fromEmulator)
	for i := range all {
		if a := &all[i]; a.Name == DevAccount {
			a.PublicAccess = true
			if !slices.Contains(a.Keys, DevKey) {
				a.Keys = append(slices.Clip(a.Keys), DevKey)
			}
			return all, nil
		}
	}
	return append(all, Account{Name: DevAccount, Keys: []string{DevKey}, PublicAccess: true}), nil
}

// All returns the accounts of the configuration file, the environment and --dev.
func (c *File) All(dev bool) (map[string]*auth.Account, error) {
	fromEnv, err := parseAccounts(os.Getenv(AccountsVariable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", AccountsVariable, err)
	}
	all := slices.Concat(c.Accounts, fromEnv)
	if dev {
		if all, err = withDevelopment(all); err != nil {
			return nil, err
		}
	}
	accounts := make(map[string]*auth.Account, len(all))
	for _, c := range all {
		if accounts[c.Name] != nil {
			return nil, fmt.Errorf("account %q is configured twice", c.Name)
		}
		if accounts[c.Name], err = c.account(dev); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// parseAccounts parses "name:key[:key2];name:key…". Errors never quote a key.
func parseAccounts(text string) ([]Account, error) {
	var all []Account
	for i, entry := range strings.Split(text, ";") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, keys, ok := strings.Cut(entry, ":")
		if !ok {
			return nil, fmt.Errorf("entry %d is not of the form name:base64key[:base64key2]", i+1)
		}
		all = append(all, Account{Name: name, Keys: strings.Split(keys, ":")})
	}
	return all, nil
}

// account returns the account for requests. With dev, keys of any length are taken, as by the
// emulator.
func (c *Account) account(dev bool) (*auth.Account, error) {
	if err := CheckAccountName(c.Name); err != nil {
		return nil, err
	}
	if c.ContainerRetention < 0 || c.ContainerRetention > 365 {
		return nil, fmt.Errorf("account %s: container-retention-days is %d, not 0 to 365", c.Name, c.ContainerRetention)
	}
	keys := append([]string(nil), c.Keys...)
	for _, file := range c.KeyFiles {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("account %s: key file: %w", c.Name, err)
		}
		keys = append(keys, strings.TrimSpace(string(raw)))
	}
	most := maxKeys
	if dev && c.Name == DevAccount {
		most++
	}
	if len(keys) == 0 || len(keys) > most {
		return nil, fmt.Errorf("account %s has %d keys; one or two are allowed", c.Name, len(keys))
	}
	a := &auth.Account{Name: c.Name, AllowPublicAccess: c.PublicAccess, RequireHTTPS: c.RequireHTTPS}
	for i, text := range keys {
		k, err := auth.ParseKey(text)
		if err != nil || base64.StdEncoding.DecodedLen(len(text)) < minKey && !dev {
			return nil, fmt.Errorf("account %s: key %d is not Base64 of at least %d bytes", c.Name, i+1, minKey)
		}
		a.Keys = append(a.Keys, k)
	}
	return a, nil
}

// CheckAccountName returns an error unless name is a legal account name.
func CheckAccountName(name string) error {
	ok := len(name) >= 3 && len(name) <= 24
	for _, r := range name {
		ok = ok && ('a' <= r && r <= 'z' || '0' <= r && r <= '9')
	}
	if !ok {
		return fmt.Errorf("account name %q: must have 3 to 24 lower-case letters and digits", name)
	}
	return nil
}

// ErrNoAccounts means that no account is configured.
var ErrNoAccounts = errors.New(`no accounts: set ` + AccountsVariable + `="name:base64key", configure them in a file with --config,
or use --dev for development on this machine. To make a key: head -c 64 /dev/urandom | base64 -w0`)
