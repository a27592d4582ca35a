// Package identity issues and verifies bearer tokens for a server without a cloud around it. It
// provides an OAuth authority for service principals, a managed-identity endpoint, for which
// clients need only two environment variables, and the public keys of outside issuers, fetched on
// demand.
//
// A token is issued to anyone who presents a secret, an assertion or the header of the endpoint.
// Roles, which are evaluated elsewhere, decide what the token allows.
package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of signing keys.
const keyBits = 2048

// SigningKey signs tokens.
type SigningKey struct {
	signer jose.Signer
	public jose.JSONWebKeySet
}

// OpenKey returns the key in a file, which it makes if it is missing. Only the user can read the
// file. Removing it invalidates all tokens.
func OpenKey(file string) (*SigningKey, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the token issuer: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("key of the token issuer: %s holds no key; remove it to make a new one", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("key of the token issuer: %s holds no RSA key; remove it to make a new one", file)
	}
	return NewKey(key)
}

func makeKey(file string) (*SigningKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return NewKey(key)
}

// NewKey returns a signing key for an RSA key. Its ID is the thumbprint of the key.
func NewKey(key *rsa.PrivateKey) (*SigningKey, error) {
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	thumb, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256,
		Key:       jose.JSONWebKey{Key: key, KeyID: public.KeyID},
	}, options)
	if err != nil {
		return nil, err
	}
	return &SigningKey{signer, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}, nil
}
