package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"sync"
)

// signatureSize is the length of a signature in Base64.
const signatureSize = 44

// Key signs strings with HMAC-SHA256. It is safe for concurrent use, and cheap to use again and
// again: the state of the hash after the key is kept.
type Key struct{ states sync.Pool }

// state is a keyed hash with room for its results.
type state struct {
	hash hash.Hash
	sum  [sha256.Size]byte
	text [signatureSize]byte
}

// NewKey returns a Key of the secret bytes. It keeps no reference to them.
func NewKey(secret []byte) *Key {
	own := append([]byte(nil), secret...)
	k := &Key{}
	k.states.New = func() any { return &state{hash: hmac.New(sha256.New, own)} }
	return k
}

// ParseKey returns the key written in Base64, as account keys are. It fails for text that is not
// Base64, or empty.
func ParseKey(text string) (*Key, error) {
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("an account key must be Base64")
	}
	if len(secret) == 0 {
		return nil, errors.New("an account key must not be empty")
	}
	return NewKey(secret), nil
}

// Sign returns the signature of text in Base64.
func (k *Key) Sign(text []byte) string {
	s := k.states.Get().(*state)
	defer k.states.Put(s)
	return string(s.sign(text))
}

// verify reports, in constant time, whether signature is the signature of text. It compares the
// Base64 text, not the decoded bytes, so that a signature has one spelling only.
func (k *Key) verify(text []byte, signature string) bool {
	s := k.states.Get().(*state)
	defer k.states.Put(s)
	want := s.sign(text)
	if len(signature) != len(want) {
		return false
	}
	var given [signatureSize]byte
	copy(given[:], signature)
	return hmac.Equal(want, given[:])
}

func (s *state) sign(text []byte) []byte {
	s.hash.Reset()
	s.hash.Write(text)
	base64.StdEncoding.Encode(s.text[:], s.hash.Sum(s.sum[:0]))
	return s.text[:]
}
