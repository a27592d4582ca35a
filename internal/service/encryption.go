package service

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// Bytes that are written with a customer's key are stored encrypted: an object is a
// random nonce of 16 bytes and then the ciphertext of AES-256 in counter mode. The cipher's
// key is an HMAC of the nonce under the customer's key, and the counter begins at zero:
// so no two objects share a key stream, any range can be read by itself, and the length
// stays what it is. The key is never stored, only its SHA-256 with the blob.

const (
	keyHeader       = "x-ms-encryption-key"
	keyHashHeader   = "x-ms-encryption-key-sha256"
	algorithmHeader = "x-ms-encryption-algorithm"
	scopeHeader     = "x-ms-encryption-scope"

	nonceSize = 16
	keySize   = 32
)

// customerKey is a key as it came with a request.
type customerKey struct {
	secret []byte
	hash   []byte
}

// hashOf returns the hash that is stored; nil without a key.
func (k *customerKey) hashOf() []byte {
	if k == nil {
		return nil
	}
	return k.hash
}

// stream returns the cipher for an object at an offset of its content.
func (k *customerKey) stream(nonce []byte, off int64) cipher.Stream {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte("leasehold object"))
	mac.Write(nonce)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the length is right
	}
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(off/aes.BlockSize))
	s := cipher.NewCTR(block, counter[:])
	skip := make([]byte, off%aes.BlockSize)
	s.XORKeyStream(skip, skip)
	return s
}

// keyed are the headers by which a request gives the key of a blob.
type keyed struct {
	Key       string `header:"x-ms-encryption-key"`
	KeyHash   string `header:"x-ms-encryption-key-sha256"`
	Algorithm string `header:"x-ms-encryption-algorithm"`
}

// givenKey returns the key, nil if there is none. No error repeats it.
func (k *keyed) givenKey() (*customerKey, error) {
	switch {
	case k.Key == "" && k.KeyHash == "" && k.Algorithm == "":
		return nil, nil
	case k.Key == "":
		return nil, fault.MissingHeader(keyHeader)
	case k.KeyHash == "":
		return nil, fault.MissingHeader(keyHashHeader)
	case k.Algorithm == "":
		return nil, fault.MissingHeader(algorithmHeader)
	case k.Algorithm != "AES256":
		return nil, fault.InvalidHeader(algorithmHeader, k.Algorithm)
	}
	secret, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil || len(secret) != keySize {
		return nil, fault.InvalidHeader(keyHeader, "")
	}
	sum := sha256.Sum256(secret)
	if hash, err := base64.StdEncoding.DecodeString(k.KeyHash); err != nil || !hmac.Equal(hash, sum[:]) {
		return nil, fault.InvalidHeader(keyHashHeader, k.KeyHash)
	}
	return &customerKey{secret, sum[:]}, nil
}

// scoped is the encryption scope that a request names.
type scoped struct {
	Scope scopeName `header:"x-ms-encryption-scope"`
}

func (a *scoped) givenScope() string { return string(a.Scope) }

// scopeName is the name of an encryption scope. What it stands for is a matter of the
// real service; here it is a label that is kept and told.
type scopeName string

// UnmarshalText refuses what can't be a name.
func (n *scopeName) UnmarshalText(text []byte) error {
	bad := strings.IndexFunc(string(text), func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
	})
	if bad >= 0 && string(text) != defaultScope || len(text) < 3 || len(text) > 63 {
		return fault.InvalidHeader(scopeHeader, string(text))
	}
	*n = scopeName(text)
	return nil
}

// keyOf returns the key that came with a request, and refuses one that the operation does
// not take or that anybody on the way could have read.
func (c *call) keyOf(args any) (*customerKey, error) {
	g, ok := args.(interface{ givenKey() (*customerKey, error) })
	if !ok {
		if c.req.Header.Get(keyHeader) != "" {
			return nil, fault.UnsupportedHeaderNamed(keyHeader, "")
		}
		return nil, nil
	}
	k, err := g.givenKey()
	if k == nil || err != nil {
		return nil, err
	}
	if c.req.TLS == nil && !remoteAddr(c.req.Request).IsLoopback() {
		return nil, fault.AccountRequiresHTTPS
	}
	if g, ok := args.(interface{ givenScope() string }); ok && g.givenScope() != "" {
		return nil, fault.InvalidHeader(scopeHeader, g.givenScope())
	}
	return k, nil
}

// echoKey tells which key and scope the request was taken with.
func (c *call) echoKey(args any) {
	h := c.req.Writer.Header()
	if k, _ := c.keyOf(args); k != nil {
		h[keyHashHeader] = []string{base64.StdEncoding.EncodeToString(k.hash)}
	}
	if g, ok := args.(interface{ givenScope() string }); ok && g.givenScope() != "" {
		h[scopeHeader] = []string{g.givenScope()}
	}
}

// nonce returns random bytes for one object.
func (c *call) nonce() (n [nonceSize]byte) {
	if _, err := io.ReadFull(c.Random, n[:]); err != nil {
		panic(fault.InternalError)
	}
	return n
}

// errKey answers requests whose key or scope is not that of the blob.
func errKey(message string) error {
	return &fault.Error{Code: fault.BlobUsesCustomerSpecifiedEncryption, Message: message}
}

// checkKey judges whether key and scope of a request are those of the blob that it reads
// or changes, and keeps the key for reading. Whoever replaces a blob brings new ones.
func (s *scope) checkKey(args any) error {
	if s.op.Use.creates {
		return nil
	}
	if _, ok := args.(interface{ givenKey() (*customerKey, error) }); !ok {
		if s.blob.KeyHash != nil && strings.HasSuffix(s.op.Name, "FromURL") {
			return fault.BlobUsesCustomerSpecifiedEncryption
		}
		return nil
	}
	k, err := s.keyOf(args)
	switch {
	case err != nil:
		return err
	case s.blob.KeyHash != nil && k == nil:
		return fault.BlobUsesCustomerSpecifiedEncryption
	case s.blob.KeyHash == nil && k != nil:
		return errKey("The blob is not encrypted with customer specified encryption, but it was provided in the request.")
	case !bytes.Equal(s.blob.KeyHash, k.hashOf()):
		return errKey("The given customer specified encryption does not match the encryption used to encrypt the blob.")
	}
	s.key = k
	if g, ok := args.(interface{ givenScope() string }); ok && s.tx != nil && k == nil {
		scope, err := s.scopeFor(g.givenScope())
		if err == nil && scope != s.blob.Scope {
			err = errKey("The given encryption scope is not that of the blob.")
		}
		return err
	}
	return nil
}

// scopeFor returns the encryption scope for a write: the one that is given, that a
// signature demands, or that of the container.
func (s *scope) scopeFor(given string) (string, error) {
	if signed := s.grant.EncryptionScope(); signed != "" {
		if given != "" && given != signed {
			return "", fault.AuthorizationFailure
		}
		given = signed
	}
	c := s.container
	if given == defaultScope && c.DefaultScope == "" {
		given = ""
	}
	switch {
	case given == "" || given == c.DefaultScope:
		return c.DefaultScope, nil
	case c.DenyScopeOverride:
		return "", fault.UnsupportedHeaderNamed(scopeHeader, given)
	}
	return given, nil
}

// encryptedBy gives a blob that is being made the key that its bytes are written with.
func (s *scope) encryptedBy(b *blob.Blob, args any) error {
	k, err := s.keyOf(args)
	if k != nil {
		b.KeyHash, b.Scope = k.hash, ""
	}
	return err
}

// checkBlockKeys refuses to make a blob of blocks that were written with another key than
// the one that is given.
func (s *scope) checkBlockKeys(hash []byte, staged, blocks []blob.Block) error {
	all, err := meta.StagedBlocks(s.r, s.container.Generation, s.req.Blob)
	if err != nil {
		return err
	}
	if hash == nil && (all == nil || all.Key == nil) && (s.blob == nil || s.blob.KeyHash == nil) {
		return nil
	}
	fresh := make(map[blob.ObjectID]bool, len(staged))
	for i := range staged {
		fresh[staged[i].Chunk.Object] = true
	}
	for i := range blocks {
		var used []byte
		if fresh[blocks[i].Chunk.Object] {
			used = all.Key
		} else if s.blob != nil {
			used = s.blob.KeyHash
		}
		if !bytes.Equal(used, hash) {
			return fault.BlobUsesCustomerSpecifiedEncryption
		}
	}
	return nil
}

// seal encrypts a body, which gets the nonce in front.
func (b *body) seal(nonce [nonceSize]byte, data io.Reader) io.Reader {
	enc := cipher.StreamReader{S: b.key.stream(nonce[:], 0), R: data}
	return io.MultiReader(bytes.NewReader(nonce[:]), enc)
}

// unseal prepares the decryption of a part, whose offset counts the nonce. object is the
// whole object if it is inline.
func (s *scope) unseal(p *part, object []byte) error {
	nonce := make([]byte, nonceSize)
	if object != nil {
		copy(nonce, object)
	} else if err := s.readNonce(p.ref, nonce); err != nil {
		return err
	}
	p.cipher = s.key.stream(nonce, p.off-nonceSize)
	return nil
}

func (s *scope) readNonce(ref segment.Ref, nonce []byte) error {
	r, err := s.Segments.Open(s.ctx(), ref, 0, nonceSize)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, nonce)
	return err
}
