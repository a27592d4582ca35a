// Package encryption encrypts content with keys that customers send with their requests. It parses
// such keys and the names of encryption scopes.
//
// Content that is written with a key is stored as a random nonce and then the ciphertext of AES-256
// in counter mode. The cipher's key is an HMAC of the nonce under the customer's key, and the
// counter begins at zero. So no two objects share a key stream, any range can be read by itself,
// and only the nonce adds to the length. The mode does not authenticate. A key is never stored,
// only its SHA-256.
package encryption

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"

	"github.com/leasehold/leasehold/internal/fault"
)

// NonceSize is the number of bytes in front of the ciphertext of an object.
const NonceSize = 16

const (
	keySize   = 32
	algorithm = "AES256"
)

// Headers are the names of the three headers that give a key. The first one holds the key itself
// and is never repeated.
type Headers struct {
	Key, Hash, Algorithm string

	key string // Key in canonical form
}

// The headers with the key of the blob that a request is about, and with the key of the blob that
// it copies from (docs/reference/operations.md 3).
var (
	OfBlob   = Headers{"x-ms-encryption-key", "x-ms-encryption-key-sha256", "x-ms-encryption-algorithm", "X-Ms-Encryption-Key"}
	OfSource = Headers{"x-ms-source-encryption-key", "x-ms-source-encryption-key-sha256", "x-ms-source-encryption-algorithm", "X-Ms-Source-Encryption-Key"}
)

// Key is a customer's key. A nil Key stands for no encryption.
type Key struct{ secret, hash []byte }

// Parse reads a key of 256 bits, nil if none of the values is given. If only some of the values are
// given the error is MissingRequiredHeader; a malformed value or a hash of another key is
// InvalidHeaderValue. The errors name the header, and none repeats the key.
func (h Headers) Parse(key, hash, cipher string) (*Key, error) {
	switch {
	case key == "" && hash == "" && cipher == "":
		return nil, nil
	case key == "":
		return nil, fault.MissingHeader(h.Key)
	case hash == "":
		return nil, fault.MissingHeader(h.Hash)
	case cipher == "":
		return nil, fault.MissingHeader(h.Algorithm)
	case cipher != algorithm:
		return nil, fault.InvalidHeader(h.Algorithm, cipher)
	}
	secret, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(secret) != keySize {
		return nil, fault.InvalidHeader(h.Key, "")
	}
	sum := sha256.Sum256(secret)
	if given, err := base64.StdEncoding.DecodeString(hash); err != nil || !hmac.Equal(given, sum[:]) {
		return nil, fault.InvalidHeader(h.Hash, hash)
	}
	return &Key{secret, sum[:]}, nil
}

// Sent reports whether a request has a key.
func (h *Headers) Sent(in http.Header) bool {
	v := in[h.key]
	return len(v) > 0 && v[0] != ""
}

// Remove removes the key from the headers of a request.
func (h Headers) Remove(from http.Header) {
	from.Del(h.Key)
	from.Del(h.Hash)
	from.Del(h.Algorithm)
}

// Hash returns the SHA-256 of the key, nil without one.
func (k *Key) Hash() []byte {
	if k == nil {
		return nil
	}
	return k.hash
}

// HashText returns the hash as it stands in a header.
func (k *Key) HashText() string { return base64.StdEncoding.EncodeToString(k.Hash()) }

// Give puts the key into the headers of a request for the blob that it belongs to.
func (k *Key) Give(to http.Header) {
	to.Set(OfBlob.Key, base64.StdEncoding.EncodeToString(k.secret))
	to.Set(OfBlob.Hash, k.HashText())
	to.Set(OfBlob.Algorithm, algorithm)
}

// Seal returns the stored form of plain, which is NonceSize bytes longer. The nonce is read from
// random; no two objects may have the same.
func (k *Key) Seal(random, plain io.Reader) (io.Reader, error) {
	nonce := make([]byte, NonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(nonce), cipher.StreamReader{S: k.Open(nonce, 0), R: plain}), nil
}

// Open returns the cipher that decrypts an object with this nonce from an offset in bytes of its
// plain content.
func (k *Key) Open(nonce []byte, off int64) cipher.Stream {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("leasehold object"))
	mac.Write(nonce)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the key has the right length
	}
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(off/aes.BlockSize))
	s := cipher.NewCTR(block, counter[:])
	skip := make([]byte, off%aes.BlockSize)
	s.XORKeyStream(skip, skip)
	return s
}
