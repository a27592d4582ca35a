package encryption

import (
	"errors"
	"strings"
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
