package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
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

// config is the configuration file.
type config struct {
	Accounts   []accountConfig   `toml:"account"`
	Principals []principalConfig `toml:"principal"`
	Groups     []groupConfig     `toml:"group"`
	Roles      []roleConfig      `toml:"role-assignment"`
	Issuers    []issuerConfig    `toml:"issuer"`
	Audiences  []string          `toml:"audiences"` // URLs that tokens may be meant for, besides those of the real service
}

// readConfig reads a configuration file; "" is an empty one.
func readConfig(file string) (*config, error) {
	c := &config{}
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

// settings is what the configuration says at one time. It is not changed, but replaced.
type settings struct {
	accounts   map[string]*auth.Account
	features   map[string]service.Features
	principals []identity.Principal
	trust      *service.Trust
	outside    *identity.Outside
	files      []string // that all this was read from
}

// configuration is the settings as they are now.
type configuration struct {
	o      *serveOptions
	log    *slog.Logger
	issuer *identity.Issuer // nil unless tokens are issued here

	certificate *server.Certificate // nil unless there is one in files
	now         atomic.Pointer[settings]
	seen        map[string]time.Time // modification times of files when they were last read
}

// newConfiguration reads the settings for the first time.
func newConfiguration(o *serveOptions, log *slog.Logger) (*configuration, error) {
	c := &configuration{o: o, log: log}
	if o.issues() {
		key, err := identity.OpenKey(filepath.Join(o.data, datadir.Identity, "signing-key.pem"))
		if err != nil {
			return nil, err
		}
		c.issuer = &identity.Issuer{
			Base: "https://" + authorityHost, Aliases: publicAuthorities, Tenant: tenantID, Key: key, Now: time.Now,
			Outside:    outsideNow{c},
			Principals: func() []identity.Principal { return c.now.Load().principals },
		}
	}
	before := modified([]string{o.config, o.tlsCert, o.tlsKey})
	if o.tlsCert != "" {
		var err error
		if c.certificate, err = server.LoadCertificate(o.tlsCert, o.tlsKey); err != nil {
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
type outsideNow struct{ *configuration }

// KeySet asks the current settings.
func (o outsideNow) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	return o.now.Load().outside.KeySet(issuer, kid)
}

// site returns the account whose website is served where the host names none: that of
// development, or the only one.
func (c *configuration) site() string {
	all := c.now.Load().accounts
	switch {
	case c.o.dev:
		return devAccount
	case len(all) == 1:
		for name := range all {
			return name
		}
	}
	return ""
}

func (c *configuration) account(name string) *auth.Account     { return c.now.Load().accounts[name] }
func (c *configuration) features(name string) service.Features { return c.now.Load().features[name] }
func (c *configuration) trust() *service.Trust                 { return c.now.Load().trust }

// load reads everything anew.
func (c *configuration) load() (*settings, error) {
	file, err := readConfig(c.o.config)
	if err != nil {
		return nil, err
	}
	s := &settings{files: []string{c.o.config, c.o.tlsCert, c.o.tlsKey}}
	s.features = make(map[string]service.Features)
	for i := range file.Accounts {
		s.features[file.Accounts[i].Name] = file.Accounts[i].features()
	}
	if s.accounts, err = file.accounts(c.o.dev); err != nil {
		return nil, err
	}
	for _, a := range file.Accounts {
		s.files = append(s.files, a.KeyFiles...)
	}
	if s.principals, err = file.principals(&s.files); err != nil {
		return nil, err
	}
	if c.o.dev && c.issuer != nil {
		s.principals = append(s.principals, c.o.developer())
	}
	access, err := file.access(c.o)
	if err != nil {
		return nil, err
	}
	secretFile := filepath.Join(c.o.data, datadir.Identity, delegationName)
	secret, err := openSecret(secretFile)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, secretFile)
	s.trust = &service.Trust{DelegationSecret: secret, Access: access, Issuers: file.issuers(), Audiences: file.Audiences}
	return s, c.trustIssuers(file, s)
}

// trustIssuers sets whose tokens are taken: ours, and those of the issuers configured.
func (c *configuration) trustIssuers(file *config, s *settings) error {
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
	if c.issuer != nil {
		sources = append(sources, c.issuer)
		if s.trust.AuthorizationURI == "" {
			s.trust.AuthorizationURI = c.issuer.AuthorizationURI()
		}
	}
	if len(keys) > 0 || c.issuer != nil {
		s.trust.Tokens = sources
	}
	return nil
}

// watchEvery is how often the files are looked at.
const watchEvery = time.Second

// watch reads the settings again on SIGHUP and when one of the files has changed, until
// ctx ends. Settings that are wrong are logged, and those before them stay.
func (c *configuration) watch(ctx context.Context) {
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

func (c *configuration) reloadIfChanged() {
	if files := c.now.Load().files; !equalTimes(c.seen, modified(files)) {
		c.reload()
	}
}

func (c *configuration) reload() {
	old := c.now.Load()
	c.seen = modified(old.files)
	if c.certificate != nil {
		if err := c.certificate.Reload(); err != nil {
			c.log.Error("the certificate can't be read again; the one before it stays", "error", err)
		}
	}
	s, err := c.load()
	if err == nil && len(s.accounts) == 0 {
		err = errNoAccounts
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
func (c *configuration) adopt(s *settings, before map[string]time.Time) {
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
	delegationName = "delegation-secret"
	secretBytes    = 32
)

// openSecret returns the secret in a file, after making it if there is none.
func openSecret(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		secret := newSecret()
		if err := durable.Replace(file, secret+"\n"); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(secret)
	}
	if err != nil {
		return nil, err
	}
	secret, err := parseSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to make a new one", file, err)
	}
	return secret, nil
}

func parseSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(secret) < secretBytes {
		return nil, errors.New("the file does not hold a secret")
	}
	return secret, nil
}

// newSecret returns a random secret in Base64.
func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
