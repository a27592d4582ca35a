// Package config loads the configuration of a server (accounts with their keys, principals, roles,
// and trusted token issuers) and reloads it when a file changes.
package config

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/go-jose/go-jose/v4"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/datadir"
	"github.com/leasehold/leasehold/internal/durable"
	"github.com/leasehold/leasehold/internal/identity"
	"github.com/leasehold/leasehold/internal/server"
	"github.com/leasehold/leasehold/internal/service"
)

// File is a parsed configuration file.
type File struct {
	Accounts   []Account         `toml:"account"`
	Principals []principalConfig `toml:"principal"`
	Groups     []groupConfig     `toml:"group"`
	Roles      []roleConfig      `toml:"role-assignment"`
	Issuers    []issuerConfig    `toml:"issuer"`
	Audiences  []string          `toml:"audiences"` // accepted audiences of tokens, besides those of the real service
}

// Read parses a configuration file. The name "" stands for an empty file.
func Read(file string) (*File, error) {
	c := &File{}
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	md, err := toml.Decode(string(text), c)
	var wrong toml.ParseError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("configuration file %s, line %d: %s", file, wrong.Position.Line, wrong.Message)
	case err != nil:
		return nil, fmt.Errorf("configuration file %s: %w", file, err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("configuration file %s, line %d: unknown setting %q", file, lineOf(string(text), unknown[0]), unknown[0].String())
	}
	return c, nil
}

// lineOf returns the number of the first line that sets a key or begins a table with its name.
func lineOf(text string, key toml.Key) int {
	last, n := key[len(key)-1], 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		name, _, _ := strings.Cut(strings.Trim(line, " \t[]\r"), "=")
		if name = strings.Trim(name, " \t\"'"); name == last || strings.HasSuffix(name, "."+last) {
			return n
		}
	}
	return 1
}

// Options names the sources of the configuration. Every field but Data is optional.
type Options struct {
	File            string // configuration file
	Data            string // data folder, which holds generated secrets
	TLSCert, TLSKey string // files of the certificate and its key

	Dev       bool   // adds the development account and principal
	DevOwner  bool   // makes the development principal owner of the data
	DevSecret string // secret of the development principal
	Issues    bool   // this server issues tokens
}

// settings is an immutable snapshot of the configuration.
type settings struct {
	accounts   map[string]*auth.Account
	features   map[string]service.Features
	principals []identity.Principal
	trust      *service.Trust
	outside    *identity.Outside
	files      []string // every file that was read
}

// Live holds the current settings and reloads them.
type Live struct {
	Issuer      *identity.Issuer    // nil unless this server issues tokens
	Certificate *server.Certificate // nil unless certificate files are configured

	o    *Options
	log  *slog.Logger
	now  atomic.Pointer[settings]
	seen map[string]time.Time // modification times of files when they were last read
	last atomic.Pointer[Load]
}

// Load is an attempt to load the settings.
type Load struct {
	At time.Time
	OK bool // the settings are in use
}

// LastLoad returns the last attempt to load the settings, at the start or later.
func (c *Live) LastLoad() Load { return *c.last.Load() }

// New loads the settings.
func New(o *Options, log *slog.Logger) (*Live, error) {
	c := &Live{o: o, log: log}
	if o.Issues {
		key, err := identity.OpenKey(filepath.Join(o.Data, datadir.Identity, "signing-key.pem"))
		if err != nil {
			return nil, err
		}
		c.Issuer = &identity.Issuer{
			Base: "https://" + AuthorityHost, Aliases: PublicAuthorities, Tenant: TenantID, Key: key, Now: time.Now,
			Outside:    outsideNow{c},
			Principals: func() []identity.Principal { return c.now.Load().principals },
		}
	}
	c.last.Store(&Load{At: time.Now(), OK: true})
	before := modified([]string{o.File, o.TLSCert, o.TLSKey})
	if o.TLSCert != "" {
		var err error
		if c.Certificate, err = server.LoadCertificate(o.TLSCert, o.TLSKey); err != nil {
			return nil, err
		}
	}
	s, err := c.load()
	if err != nil {
		return nil, err
	}
	c.adopt(s, before)
	return c, nil
}

// outsideNow finds the keys of the currently configured issuers.
type outsideNow struct{ *Live }

// KeySet returns the keys that the current settings find for an issuer.
func (o outsideNow) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	return o.now.Load().outside.KeySet(issuer, kid)
}

// Site returns the account whose website is served under a host that names no account: the
// development account, or the only one.
func (c *Live) Site() string {
	all := c.now.Load().accounts
	switch {
	case c.o.Dev:
		return DevAccount
	case len(all) == 1:
		for name := range all {
			return name
		}
	}
	return ""
}

// Account returns an account by name, or nil.
func (c *Live) Account(name string) *auth.Account { return c.now.Load().accounts[name] }

// Features returns the optional features of an account.
func (c *Live) Features(name string) service.Features { return c.now.Load().features[name] }

// Trust returns the trusted issuers and the role assignments.
func (c *Live) Trust() *service.Trust { return c.now.Load().trust }

// Accounts returns the names of all accounts.
func (c *Live) Accounts() []string { return slices.Collect(maps.Keys(c.now.Load().accounts)) }

// DefaultClient returns the client ID of the principal for token requests that name none: the
// development principal, or the only one.
func (c *Live) DefaultClient() string {
	all := c.now.Load().principals
	switch {
	case c.o.Dev:
		return DevClientID
	case len(all) == 1:
		return all[0].ClientID
	}
	return ""
}

// load reads every file and returns new settings.
func (c *Live) load() (*settings, error) {
	file, err := Read(c.o.File)
	if err != nil {
		return nil, err
	}
	s := &settings{files: []string{c.o.File, c.o.TLSCert, c.o.TLSKey}}
	s.features = make(map[string]service.Features)
	for i := range file.Accounts {
		s.features[file.Accounts[i].Name] = file.Accounts[i].features()
	}
	if s.accounts, err = file.All(c.o.Dev); err != nil {
		return nil, err
	}
	for _, a := range file.Accounts {
		s.files = append(s.files, a.KeyFiles...)
	}
	if s.principals, err = file.principals(&s.files); err != nil {
		return nil, err
	}
	if c.o.Dev && c.Issuer != nil {
		s.principals = append(s.principals, c.o.developer())
	}
	access, err := file.access(c.o)
	if err != nil {
		return nil, err
	}
	secretFile := filepath.Join(c.o.Data, datadir.Identity, DelegationSecretFile)
	secret, err := openSecret(secretFile)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, secretFile)
	s.trust = &service.Trust{DelegationSecret: secret, Access: access, Issuers: file.issuers(), Audiences: file.Audiences}
	return s, c.trustIssuers(file, s)
}

// trustIssuers trusts the configured issuers, and this server if it issues tokens.
func (c *Live) trustIssuers(file *File, s *settings) error {
	keys := map[string]string{}
	for _, i := range file.Issuers {
		keys[i.Name] = i.Keys
		if s.trust.AuthorizationURI == "" && i.AuthorizationURI != "" {
			s.trust.AuthorizationURI = i.AuthorizationURI
		}
	}
	outside, err := identity.NewOutside(keys, nil, time.Now)
	if err != nil {
		return err
	}
	s.outside = outside
	sources := identity.Sources{outside}
	if c.Issuer != nil {
		sources = append(sources, c.Issuer)
		if s.trust.AuthorizationURI == "" {
			s.trust.AuthorizationURI = c.Issuer.AuthorizationURI()
		}
	}
	if len(keys) > 0 || c.Issuer != nil {
		s.trust.Tokens = sources
	}
	return nil
}

// watchEvery is the interval at which Watch checks files for changes.
const watchEvery = time.Second

// Watch reloads the settings on SIGHUP and after a file has changed, until ctx ends. If the new
// settings are wrong it logs the error and keeps the old ones.
func (c *Live) Watch(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			c.reload()
		case <-tick.C:
			c.reloadIfChanged()
		}
	}
}

func (c *Live) reloadIfChanged() {
	if files := c.now.Load().files; !equalTimes(c.seen, modified(files)) {
		c.reload()
	}
}

func (c *Live) reload() {
	old := c.now.Load()
	c.seen = modified(old.files)
	outcome := &Load{At: time.Now(), OK: true}
	defer func() { c.last.Store(outcome) }()
	if c.Certificate != nil {
		if err := c.Certificate.Reload(); err != nil {
			outcome.OK = false
			c.log.Error("could not reload the certificate; the old one stays in use", "error", err)
		}
	}
	s, err := c.load()
	if err == nil && len(s.accounts) == 0 {
		err = ErrNoAccounts
	}
	if err != nil {
		outcome.OK = false
		c.log.Error("the new configuration is wrong; the old one stays in use", "error", err)
		return
	}
	c.adopt(s, c.seen)
	c.log.Info("reloaded the configuration", "accounts", len(s.accounts), "principals", len(s.principals))
}

// adopt replaces the settings. The modification times in before were taken before the files were
// read, so a file that changed during the read is found to have changed at the next check.
func (c *Live) adopt(s *settings, before map[string]time.Time) {
	c.now.Store(s)
	c.seen = modified(s.files)
	for f, t := range before {
		if _, ok := c.seen[f]; ok {
			c.seen[f] = t
		}
	}
}

// modified returns the modification time of each file, or the zero time if it is missing.
func modified(files []string) map[string]time.Time {
	out := map[string]time.Time{}
	for _, f := range files {
		if f == "" {
			continue
		}
		var t time.Time
		if info, err := os.Stat(f); err == nil {
			t = info.ModTime()
		}
		out[f] = t
	}
	return out
}

func equalTimes(a, b map[string]time.Time) bool {
	for f, t := range b {
		if old, ok := a[f]; !ok || !old.Equal(t) {
			return false
		}
	}
	return len(a) == len(b)
}

const (
	// DelegationSecretFile is the file with the secret of user delegation keys, in the folder
	// datadir.Identity of the data folder.
	DelegationSecretFile = "delegation-secret"
	secretBytes          = 32
)

// openSecret returns the secret in a file. It makes the file if it is missing.
func openSecret(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		secret := NewSecret()
		if err := durable.Replace(file, secret+"\n"); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(secret)
	}
	if err != nil {
		return nil, err
	}
	secret, err := ParseSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to make a new one", file, err)
	}
	return secret, nil
}

// ParseSecret parses the content of a secret file.
func ParseSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(secret) < secretBytes {
		return nil, errors.New("the file does not hold a secret")
	}
	return secret, nil
}

// NewSecret returns a random secret in Base64.
func NewSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
