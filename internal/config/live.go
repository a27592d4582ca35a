// Package config reads the configuration of a server: accounts with their keys, principals, roles, and the issuers whose
// tokens are taken. It reads them again when a file has changed.
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

// File is a configuration file.
type File struct {
	Accounts   []Account         `toml:"account"`
	Principals []principalConfig `toml:"principal"`
	Groups     []groupConfig     `toml:"group"`
	Roles      []roleConfig      `toml:"role-assignment"`
	Issuers    []issuerConfig    `toml:"issuer"`
	Audiences  []string          `toml:"audiences"` // URLs that tokens may be meant for, besides those of the real service
}

// Read reads a configuration file; "" is an empty one.
func Read(file string) (*File, error) {
	c := &File{}
	if file == "" {
		return c, nil
	}
	md, err := toml.DecodeFile(file, c)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("configuration file %s: unknown setting %q", file, unknown[0].String())
	}
	return c, nil
}

// Options says where the configuration comes from. Every field but Data is optional.
type Options struct {
	File            string // configuration file
	Data            string // data folder, which has the secrets that are made here
	TLSCert, TLSKey string // files of the certificate and its key

	Dev       bool   // with the account and the principal of development
	DevOwner  bool   // the principal of development is the owner of the data
	DevSecret string // its secret
	Issues    bool   // tokens are issued here
}

// settings is what the configuration says at one time. It is not changed, but replaced.
type settings struct {
	accounts   map[string]*auth.Account
	features   map[string]service.Features
	principals []identity.Principal
	trust      *service.Trust
	outside    *identity.Outside
	files      []string // that all this was read from
}

// Live holds the current settings and reloads them.
type Live struct {
	Issuer      *identity.Issuer    // nil unless tokens are issued here
	Certificate *server.Certificate // nil unless there is one in files

	o    *Options
	log  *slog.Logger
	now  atomic.Pointer[settings]
	seen map[string]time.Time // modification times of files when they were last read
}

// New reads the settings for the first time.
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

// outsideNow finds the keys of the issuers that are configured now.
type outsideNow struct{ *Live }

// KeySet asks the current settings.
func (o outsideNow) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	return o.now.Load().outside.KeySet(issuer, kid)
}

// Site returns the account whose website is served where the host names none: that of
// development, or the only one.
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

// Account returns the account of a name, nil if there is none.
func (c *Live) Account(name string) *auth.Account { return c.now.Load().accounts[name] }

// Features returns what an account offers beyond what every account does.
func (c *Live) Features(name string) service.Features { return c.now.Load().features[name] }

// Trust returns whose tokens are taken, and what their subjects may do.
func (c *Live) Trust() *service.Trust { return c.now.Load().trust }

// Accounts returns the names of all accounts.
func (c *Live) Accounts() []string { return slices.Collect(maps.Keys(c.now.Load().accounts)) }

// DefaultClient is the client ID of the principal that programs get the tokens of if
// they name none: that of development, or the only one.
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

// load reads everything anew.
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

// trustIssuers sets whose tokens are taken: ours, and those of the issuers configured.
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

// watchEvery is how often the files are looked at.
const watchEvery = time.Second

// Watch reads the settings again on SIGHUP and when one of the files has changed, until
// ctx ends. Settings that are wrong are logged, and those before them stay.
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
	if c.Certificate != nil {
		if err := c.Certificate.Reload(); err != nil {
			c.log.Error("the certificate can't be read again; the one before it stays", "error", err)
		}
	}
	s, err := c.load()
	if err == nil && len(s.accounts) == 0 {
		err = ErrNoAccounts
	}
	if err != nil {
		c.log.Error("the configuration is wrong; the one before it stays", "error", err)
		return
	}
	c.adopt(s, c.seen)
	c.log.Info("the configuration was read again", "accounts", len(s.accounts), "principals", len(s.principals))
}

// adopt puts settings in the place of those before. A file that changed since before was made, while the
// settings were read, will be found to have changed.
func (c *Live) adopt(s *settings, before map[string]time.Time) {
	c.now.Store(s)
	c.seen = modified(s.files)
	for f, t := range before {
		if _, ok := c.seen[f]; ok {
			c.seen[f] = t
		}
	}
}

// modified returns when files were changed, the zero time for those that are missing.
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
	// DelegationSecretFile is the name of the file, in the data folder's datadir.Identity, with the secret of user delegation
	// keys.
	DelegationSecretFile = "delegation-secret"
	secretBytes          = 32
)

// openSecret returns the secret in a file, after making it if there is none.
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

// ParseSecret reads the text of a file with a secret.
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
