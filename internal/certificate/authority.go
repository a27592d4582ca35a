// Package certificate issues certificates for a server without a public one. Its private authority
// is kept in a folder and may only vouch for the local machine and the names of the Blob service.
package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lifetimes of certificates. A server renews its own while it runs; when the authority expires, a
// new one has to be trusted.
const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 90 * 24 * time.Hour
)

// The names and addresses that an authority may vouch for: those of a server on this machine.
// Trusting the authority therefore endangers connections to no other host.
var (
	permittedDomains = []string{"blob.core.windows.net", "web.core.windows.net", "dfs.core.windows.net", "localhost", "leasehold.internal"}
	permittedRanges  = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
)

// Authority is a private certificate authority, for loopback addresses and the names
// of the Blob service only.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Names of the files of an authority in its folder.
const (
	authorityCert = "ca.pem"
	authorityKey  = "ca-key.pem"
)

// OpenAuthority returns the authority kept in a folder. If it is missing or about to expire,
// OpenAuthority makes one with [NewAuthority]. Only the user can read its key.
func OpenAuthority(dir string, now time.Time, more ...string) (*Authority, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, authorityCert))
	if err == nil {
		var a *Authority
		keyPEM, err := os.ReadFile(filepath.Join(dir, authorityKey))
		if err == nil {
			a, err = parseAuthority(certPEM, keyPEM)
		}
		if err != nil {
			return nil, fmt.Errorf("local certificate authority in %s: %w; remove its files to make a new one", dir, err)
		}
		if now.Add(leafLifetime).Before(a.cert.NotAfter) {
			return a, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	a, err := NewAuthority(now, more...)
	if err != nil {
		return nil, err
	}
	return a, a.save(dir)
}

func parseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("the certificate is not that of an authority")
	}
	return &Authority{cert: pair.Leaf, key: key}, nil
}

// save writes the key before the certificate, so that a certificate always has its key.
func (a *Authority) save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	os.Remove(filepath.Join(dir, authorityCert))
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, authorityKey), block, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, authorityCert), a.PEM(), 0o644)
}

// NewAuthority makes an authority that is valid from an hour before now. The domains in more extend
// the names it may vouch for; if its key leaks, connections to those domains are no longer safe for
// anyone who trusts the authority.
func NewAuthority(now time.Time, more ...string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := certificate(now, authorityLifetime)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "Leasehold local authority"}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = slices.Concat(permittedDomains, more)
	template.PermittedIPRanges = permittedRanges
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key}, nil
}

// PEM returns the authority's certificate, in the format of SSL_CERT_FILE, REQUESTS_CA_BUNDLE and
// NODE_EXTRA_CA_CERTS.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// permits reports whether the authority may vouch for a DNS name. An authority made by an older
// version permits fewer names.
func (a *Authority) permits(name string) bool {
	return slices.ContainsFunc(a.cert.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

// Issue issues a server certificate for DNS names, which may begin with a wildcard label, and IP
// addresses. Names that the authority may not vouch for are left out, because clients would reject
// a certificate with such a name.
func (a *Authority) Issue(now time.Time, names ...string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := certificate(now, leafLifetime)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "Leasehold"}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if a.permits(name) {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate for %v: %w", names, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// certificate returns the template common to all certificates.
func certificate(now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(lifetime),
	}, nil
}

// Leaf is a server certificate that is reissued when its names change or before it expires. It is
// safe for concurrent use.
type Leaf struct {
	Authority *Authority
	Names     func() []string // in a fixed order
	Now       func() time.Time
	// Also, if not nil, reports whether a name requested by a client is added to the certificate.
	Also func(serverName string) bool

	mu      sync.Mutex
	current *tls.Certificate
	names   []string
}

// Get returns the certificate for a handshake, as the GetCertificate field of a tls.Config does.
func (l *Leaf) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	names, now := l.Names(), l.Now()
	if asked := strings.ToLower(hello.ServerName); l.Also != nil && l.Also(asked) {
		names = append(slices.Clip(names), asked)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && slices.Equal(names, l.names) && now.Add(leafLifetime/3).Before(l.current.Leaf.NotAfter) {
		return l.current, nil
	}
	c, err := l.Authority.Issue(now, names...)
	if err != nil {
		return nil, err
	}
	l.current, l.names = c, names
	return c, nil
}
