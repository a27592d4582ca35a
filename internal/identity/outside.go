package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Limits for fetching the keys of outside issuers.
const (
	fetchTimeout = 5 * time.Second
	freshFor     = time.Hour        // keys are fetched again after it
	usableFor    = 24 * time.Hour   // keys are used if fetching again fails
	retryAfter   = 30 * time.Second // minimum time between two attempts, for any key
	maxDocument  = 1 << 20          // bytes
)

// Outside finds the keys of other issuers by OpenID Connect discovery. It fetches keys on first
// use, caches them, and is safe for concurrent use.
type Outside struct {
	issuers map[string]*outsider
	client  *http.Client
	now     func() time.Time
}

// NewOutside trusts the issuers that are the keys of the map, by their exact names. The values are
// the URLs of their keys, or "" to use discovery. Names and URLs must be https. If client is nil, a
// client with a timeout is used.
func NewOutside(keys map[string]string, client *http.Client, now func() time.Time) (*Outside, error) {
	if client == nil {
		client = &http.Client{Timeout: fetchTimeout, CheckRedirect: sameScheme}
	}
	o := &Outside{issuers: map[string]*outsider{}, client: client, now: now}
	for name, keysURL := range keys {
		if err := secure(name); err != nil {
			return nil, fmt.Errorf("issuer %s: %w", name, err)
		}
		if keysURL != "" {
			if err := secure(keysURL); err != nil {
				return nil, fmt.Errorf("keys of issuer %s: %w", name, err)
			}
		}
		o.issuers[name] = &outsider{name: name, keysURL: keysURL}
	}
	return o, nil
}

// maxRedirects is how many redirects a fetch follows.
const maxRedirects = 3

func sameScheme(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || r.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirected too often, or away from https")
	}
	return nil
}

// secure returns an error unless nobody on the network path can change the response: the URL must
// be https, or on this machine.
func secure(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("it is no URL")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && !(u.Scheme == "http" && err == nil && ip.IsLoopback()) {
		return errors.New("it is not https")
	}
	return nil
}

// outsider is one issuer. Its lock is held during a fetch, so that concurrent callers share it.
type outsider struct {
	name, keysURL string

	mu      sync.Mutex
	set     *jose.JSONWebKeySet
	fetched time.Time
	tried   time.Time
	failure error
}

// KeySet returns the keys of a trusted issuer, or nil for any other. If kid is unknown the keys are
// fetched again, at most once per retryAfter.
func (o *Outside) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	i := o.issuers[issuer]
	if i == nil {
		return nil, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	now := o.now()
	age := now.Sub(i.fetched)
	known := i.set != nil && age < usableFor
	if known && age < freshFor && (kid == "" || len(i.set.Key(kid)) > 0) {
		return i.set, nil
	}
	if i.tried.IsZero() || now.Sub(i.tried) >= retryAfter {
		i.tried = now
		set, err := o.fetch(i)
		if i.failure = err; err == nil {
			i.set, i.fetched, known = set, now, true
		}
	}
	if known {
		return i.set, nil
	}
	return nil, fmt.Errorf("keys of issuer %s: %w", issuer, i.failure)
}

func (o *Outside) fetch(i *outsider) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keysURL := i.keysURL
	if keysURL == "" {
		var d struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if err := o.get(ctx, strings.TrimSuffix(i.name, "/")+"/.well-known/openid-configuration", &d); err != nil {
			return nil, err
		}
		if d.Issuer != i.name {
			return nil, fmt.Errorf("its discovery document names the issuer %q", d.Issuer)
		}
		if err := secure(d.Keys); err != nil {
			return nil, fmt.Errorf("jwks_uri: %w", err)
		}
		keysURL = d.Keys
	}
	set := &jose.JSONWebKeySet{}
	if err := o.get(ctx, keysURL, set); err != nil {
		return nil, err
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("it has no keys")
	}
	return set, nil
}

func (o *Outside) get(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	w, err := o.client.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, w.Status)
	}
	body, err := io.ReadAll(io.LimitReader(w.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return fmt.Errorf("%s answered more than %d bytes", address, maxDocument)
	}
	return json.Unmarshal(body, into)
}

// Sources combines several key sources.
type Sources []KeySource

// KeySet returns the keys from the first source that knows the issuer.
func (s Sources) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	for _, one := range s {
		if set, err := one.KeySet(issuer, kid); set != nil || err != nil {
			return set, err
		}
	}
	return nil, nil
}
