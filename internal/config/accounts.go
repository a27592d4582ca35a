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

// The account of development and its key, which are published: every SDK knows them
// as those of the emulator.
const (
	DevAccount = "devstoreaccount1"
	DevKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// AccountsVariable names the environment variable with accounts and their keys.
const AccountsVariable = "LEASEHOLD_ACCOUNTS"

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

// features are what the account offers beyond what every account does.
func (c *Account) features() service.Features {
	return service.Features{Versioning: c.Versioning, ContainerRetention: c.ContainerRetention,
		Immutability: c.Immutability, Expiry: c.Expiry, PageTiers: c.PageTiers}
}

// maxKeys is how many keys an account may have at a time: two, so that one can be
// replaced while the other is used.
const maxKeys = 2

// All collects the accounts of the configuration file, the environment and --dev.
func (c *File) All(dev bool) (map[string]*auth.Account, error) {
	fromEnv, err := parseAccounts(os.Getenv(AccountsVariable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", AccountsVariable, err)
	}
	all := slices.Concat(c.Accounts, fromEnv)
	if dev {
		all = append(all, Account{Name: DevAccount, Keys: []string{DevKey}, PublicAccess: true})
	}
	accounts := make(map[string]*auth.Account, len(all))
	for _, c := range all {
		if accounts[c.Name] != nil {
			return nil, fmt.Errorf("account %q is configured twice", c.Name)
		}
		if accounts[c.Name], err = c.account(); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

// parseAccounts reads "name:key[:key2];name:key…". The error never quotes a key.
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

func (c *Account) account() (*auth.Account, error) {
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
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("account %s: %d keys, an account has one or two", c.Name, len(keys))
	}
	a := &auth.Account{Name: c.Name, AllowPublicAccess: c.PublicAccess, RequireHTTPS: c.RequireHTTPS}
	for i, text := range keys {
		k, err := auth.ParseKey(text)
		if err != nil || base64.StdEncoding.DecodedLen(len(text)) < 16 {
			return nil, fmt.Errorf("account %s: key %d is not Base64 of at least 16 bytes", c.Name, i+1)
		}
		a.Keys = append(a.Keys, k)
	}
	return a, nil
}

// CheckAccountName returns an error if a name is none that an account can have.
func CheckAccountName(name string) error {
	ok := len(name) >= 3 && len(name) <= 24
	for _, r := range name {
		ok = ok && ('a' <= r && r <= 'z' || '0' <= r && r <= '9')
	}
	if !ok {
		return fmt.Errorf("account name %q: 3 to 24 lower-case letters and digits are needed", name)
	}
	return nil
}

// ErrNoAccounts says that nothing is configured that could be served.
var ErrNoAccounts = errors.New(`no accounts: set ` + AccountsVariable + `="name:base64key", or name them in a file given by --config,
or use --dev for development on this machine. A key can be made with: head -c 64 /dev/urandom | base64 -w0`)
