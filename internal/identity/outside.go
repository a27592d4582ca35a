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

// Times and sizes of fetching the keys of outside issuers.
const (
	fetchTimeout = 5 * time.Second
	freshFor     = time.Hour        // keys are fetched again after it
	usableFor    = 24 * time.Hour   // keys are used if fetching again fails
	retryAfter   = 30 * time.Second // between attempts, whoever asks for whatever key
	maxDocument  = 1 << 20          // bytes
)

// Outside finds the keys of issuers that are not ours, by OpenID Connect discovery. It
// fetches when it is first asked, keeps what it got, and is safe for concurrent use.
type Outside struct {
	issuers map[string]*outsider
	client  *http.Client
	now     func() time.Time
}

// NewOutside trusts the issuers given by their exact names, each with the URL of its
// keys, or "" for one that discovery tells. Names and URLs have to be https. A nil
// client stands for one with a timeout.
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

// maxRedirects bounds how far a fetch is sent on.
const maxRedirects = 3

func sameScheme(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || r.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirected too often, or away from https")
	}
	return nil
}

// secure checks that nobody on the way can change what is fetched: https, or this
// machine.
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

// outsider is one issuer. Its lock is held while its keys are fetched, so that all who
// wait for them share one fetch.
type outsider struct {
	name, keysURL string

	mu      sync.Mutex
	set     *jose.JSONWebKeySet
	fetched time.Time
	tried   time.Time
	failure error
}

// KeySet returns the keys of a trusted issuer; nil for others. A key that is not known
// has them fetched again, at most once in retryAfter.
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
			return nil, fmt.Errorf("its configuration is that of %q", d.Issuer)
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

// Sources asks several sources in turn.
type Sources []KeySource

// KeySet returns the answer of the first source that knows the issuer.
func (s Sources) KeySet(issuer, kid string) (*jose.JSONWebKeySet, error) {
	for _, one := range s {
		if set, err := one.KeySet(issuer, kid); set != nil || err != nil {
			return set, err
		}
	}
	return nil, nil
}
