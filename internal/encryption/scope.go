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

// Scope is the name of an encryption scope. What it stands for is a matter of the
// real service; here it is a label that is kept and told.
type Scope string

var errScope = errors.New("encryption: not the name of an encryption scope")

// UnmarshalText takes DefaultScope, and names of 3 to 63 letters, digits and hyphens.
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

// Use is what content is encrypted with beside what the store itself does: a customer's
// key, known by its SHA-256, or an encryption scope. The zero value is neither.
type Use struct {
	KeyHash []byte // nil without a key
	Scope   string // "" without a scope
}

func (u Use) none() bool { return u.KeyHash == nil && u.Scope == "" }

// Check judges whether a request gives what content is encrypted with. It fails with
// BlobUsesCustomerSpecifiedEncryption if the request gives nothing,
// BlobDoesNotUseCustomerSpecifiedEncryption if it gives something for what needs
// nothing, else with BlobCustomerSpecifiedEncryptionMismatch (docs/facts/customer-encryption.md).
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
