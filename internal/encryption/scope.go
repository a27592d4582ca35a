package encryption

import (
	"bytes"
	"errors"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// ScopeHeader names the encryption scope of a request or an answer.
const ScopeHeader = "x-ms-encryption-scope"

// DefaultScope is the encryption scope of a container that names none.
const DefaultScope = "$account-encryption-key"

// Scope is the name of an encryption scope. The real service ties a key to it; here it is a label
// that is stored and returned.
type Scope string

var errScope = errors.New("encryption: not the name of an encryption scope")

// UnmarshalText accepts DefaultScope, and names of 3 to 63 letters, digits and hyphens.
func (s *Scope) UnmarshalText(text []byte) error {
	bad := strings.IndexFunc(string(text), func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
	})
	if bad >= 0 && string(text) != DefaultScope || len(text) < 3 || len(text) > 63 {
		return errScope
	}
	*s = Scope(text)
	return nil
}

// Use names what content is encrypted with: a customer's key, known by its SHA-256, or an
// encryption scope. The zero value is neither.
type Use struct {
	KeyHash []byte // nil without a key
	Scope   string // "" without a scope
}

func (u Use) none() bool { return u.KeyHash == nil && u.Scope == "" }

// Check checks that a request gives the key or scope of content. It fails with
// BlobUsesCustomerSpecifiedEncryption if the request gives none, with
// BlobDoesNotUseCustomerSpecifiedEncryption if the content has none, else with
// BlobCustomerSpecifiedEncryptionMismatch (docs/facts/customer-encryption.md).
func (u Use) Check(given Use) error {
	switch {
	case bytes.Equal(u.KeyHash, given.KeyHash) && u.Scope == given.Scope:
		return nil
	case given.none():
		return fault.BlobUsesCustomerSpecifiedEncryption
	case u.none():
		return fault.BlobDoesNotUseCustomerSpecifiedEncryption
	}
	return fault.BlobCustomerSpecifiedEncryptionMismatch
}
