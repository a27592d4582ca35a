package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// MaxDelegationKeyAge is the longest time between start and expiry of a user delegation key.
const MaxDelegationKeyAge = 7 * 24 * time.Hour

// DelegationKey names a user delegation key. The key itself is not stored anywhere: it is derived
// from these fields, the account and a secret of the server, so verifying needs no lookup and a new
// secret revokes all keys.
type DelegationKey struct {
	ObjectID        string    // of the user or application it was issued to
	Tenant          string    // of that object
	Start, Expiry   time.Time // whole seconds
	Service         string    // "b"
	Version         string    // protocol version it was issued by
	DelegatedTenant string    // "" unless asked for
	Issuer          string    // issuer of the token that asked for the key; no field of a signature names it
}

// Value returns the 32 bytes of the key for an account. Times count in whole seconds, however a
// client spells them.
func (k DelegationKey) Value(secret []byte, account string) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, field := range []string{
		"leasehold user delegation key 2", account, k.ObjectID, k.Tenant, FormatTime(k.Start), FormatTime(k.Expiry),
		k.Service, k.Version, k.DelegatedTenant, k.Issuer,
	} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(field)))
		mac.Write(size[:])
		mac.Write([]byte(field))
	}
	return mac.Sum(nil)
}
