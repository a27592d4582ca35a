package service

import (
	"bytes"
	"cmp"
	"io"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// keyed are the headers by which a request gives the key of a blob.
type keyed struct {
	Key       string `header:"x-ms-encryption-key"`
	KeyHash   string `header:"x-ms-encryption-key-sha256"`
	Algorithm string `header:"x-ms-encryption-algorithm"`
}

// givenKey returns the key, nil if there is none.
func (k *keyed) givenKey() (*encryption.Key, error) {
	return encryption.OfBlob.Parse(k.Key, k.KeyHash, k.Algorithm)
}

// scoped is the encryption scope that a request names.
type scoped struct {
	Scope encryption.Scope `header:"x-ms-encryption-scope"`
}

func (a *scoped) givenScope() string { return string(a.Scope) }

// keyOf returns the key that came with a request, and refuses one that the operation does
// not take or that anybody on the way could have read.
func (c *call) keyOf(args any) (*encryption.Key, error) {
	g, ok := args.(interface {
		givenKey() (*encryption.Key, error)
	})
	if !ok {
		if c.req.Header.Get(encryption.OfBlob.Key) != "" {
			return nil, fault.UnsupportedHeaderNamed(encryption.OfBlob.Key, "")
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
	if scope, err := c.scopeOf(args); err != nil {
		return nil, err
	} else if scope != "" {
		return nil, fault.InvalidHeader(encryption.ScopeHeader, scope)
	}
	return k, nil
}

// scopeOf returns the encryption scope that a write names, by its header or its
// signature, "" if it names none. It refuses a header that is not what is signed.
func (c *call) scopeOf(args any) (string, error) {
	g, ok := args.(interface{ givenScope() string })
	if !ok {
		return "", nil
	}
	given, signed := g.givenScope(), c.grant.EncryptionScope()
	switch {
	case signed == "":
		return given, nil
	case given != "" && given != signed:
		return "", fault.InvalidHeader(encryption.ScopeHeader, given)
	case new(encryption.Scope).UnmarshalText([]byte(signed)) != nil:
		return "", fault.InvalidQuery("ses", signed, "")
	}
	return signed, nil
}

// echoKey tells which key and scope the request was taken with.
func (c *call) echoKey(args any) {
	h := c.req.Writer.Header()
	if k, _ := c.keyOf(args); k != nil {
		h[encryption.OfBlob.Hash] = []string{k.HashText()}
	}
	if scope, _ := c.scopeOf(args); scope != "" {
		h[encryption.ScopeHeader] = []string{scope}
	}
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
	if _, ok := args.(interface {
		givenKey() (*encryption.Key, error)
	}); !ok {
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
	case !bytes.Equal(s.blob.KeyHash, k.Hash()):
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
	given = cmp.Or(s.grant.EncryptionScope(), given)
	c := s.container
	if given == encryption.DefaultScope && c.DefaultScope == "" {
		given = ""
	}
	switch {
	case given == "" || given == c.DefaultScope:
		return c.DefaultScope, nil
	case c.DenyScopeOverride:
		return "", fault.RequestForbiddenByContainerEncryptionPolicy
	}
	return given, nil
}

// encryptedBy gives a blob that is being made the key that its bytes are written with.
func (s *scope) encryptedBy(b *blob.Blob, args any) error {
	k, err := s.keyOf(args)
	if k != nil {
		b.KeyHash, b.Scope = k.Hash(), ""
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

// unseal prepares the decryption of a part, whose offset counts the nonce. object is the
// whole object if it is inline.
func (s *scope) unseal(p *part, object []byte) error {
	nonce := make([]byte, encryption.NonceSize)
	if object != nil {
		copy(nonce, object)
	} else if err := s.readNonce(p.ref, nonce); err != nil {
		return err
	}
	p.cipher = s.key.Open(nonce, p.off-encryption.NonceSize)
	return nil
}

func (s *scope) readNonce(ref segment.Ref, nonce []byte) error {
	r, err := s.Segments.Open(s.ctx(), ref, 0, encryption.NonceSize)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, nonce)
	return err
}
