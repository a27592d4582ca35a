package service

import (
	"cmp"
	"io"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
)

// customerKey holds the headers with the key of a blob.
type customerKey struct {
	Key       string `header:"x-ms-encryption-key"`
	KeyHash   string `header:"x-ms-encryption-key-sha256"`
	Algorithm string `header:"x-ms-encryption-algorithm"`
}

func (k *customerKey) note(f *form) { f.givenKey = k }

// sourceCustomerKey holds the headers with the key of the source of a copy.
type sourceCustomerKey struct {
	SourceKey       string `header:"x-ms-source-encryption-key"`
	SourceKeyHash   string `header:"x-ms-source-encryption-key-sha256"`
	SourceAlgorithm string `header:"x-ms-source-encryption-algorithm"`
}

func (k *sourceCustomerKey) note(f *form) { f.givenSourceKey = k }

// scoped is the encryption scope that a request names.
type scoped struct {
	Scope encryption.Scope `header:"x-ms-encryption-scope"`
}

func (a *scoped) note(f *form) { f.givenScope, f.takesScope = string(a.Scope), true }

// keyOf returns the key that came with a request. It refuses a key that the operation does not
// take, and a key that was sent in plain text.
func (c *call) keyOf(f *form) (*encryption.Key, error) {
	g := f.givenKey
	if g == nil {
		return nil, c.takesNone(&encryption.OfBlob)
	}
	k, err := c.private(encryption.OfBlob.Parse(g.Key, g.KeyHash, g.Algorithm))
	if k != nil && err == nil && f.encryptionScope != "" {
		return nil, fault.InvalidHeader(encryption.ScopeHeader, f.encryptionScope)
	}
	return k, err
}

// sourceKeyOf returns the key of the source that came with a request, by the same rules.
func (c *call) sourceKeyOf(f *form) (*encryption.Key, error) {
	g := f.givenSourceKey
	if g == nil {
		return nil, c.takesNone(&encryption.OfSource)
	}
	return c.private(encryption.OfSource.Parse(g.SourceKey, g.SourceKeyHash, g.SourceAlgorithm))
}

// takesNone refuses a key that was sent to an operation without one.
func (c *call) takesNone(h *encryption.Headers) error {
	if !h.Sent(c.req.Header) {
		return nil
	}
	return fault.UnsupportedHeaderNamed(h.Key, "")
}

// private refuses a key that was sent in plain text over a network.
func (c *call) private(k *encryption.Key, err error) (*encryption.Key, error) {
	if k != nil && c.req.TLS == nil && !remoteAddr(c.req.Request).IsLoopback() {
		return nil, fault.AccountRequiresHTTPS
	}
	return k, err
}

// scopeOf returns the encryption scope that a write names by its header or its signature; "" if it
// names none. It refuses a header that differs from the signature.
func (c *call) scopeOf(f *form) (string, error) {
	if !f.takesScope {
		return "", nil
	}
	given := f.givenScope
	signed := c.grant.EncryptionScope()
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

// echoKey sets the headers of the answer that name the key and scope in use.
func (c *call) echoKey() {
	h := c.req.Writer.Header()
	if k := c.form.key; k != nil {
		h[encryption.OfBlob.Hash] = []string{k.HashText()}
	}
	if c.encryptionScope != "" {
		h[encryption.ScopeHeader] = []string{c.encryptionScope}
	}
}

// checkKey checks that a request gives the key and scope of the blob that it reads or changes, and
// keeps the key for reading. A request that replaces the blob brings new ones, and a read names no
// scope.
func (s *txn) checkKey() (err error) {
	if s.form.givenKey == nil || s.op.Use.creates || s.form.leavesContent {
		return nil
	}
	k := s.form.key
	s.key = k
	is, given := encryption.Use{KeyHash: s.blob.KeyHash}, encryption.Use{KeyHash: k.Hash()}
	if s.tx != nil {
		is.Scope = s.blob.Scope
		if given, err = s.encryptionOf(); err != nil {
			return err
		}
		if s.form.encryptionScope == "" && is.KeyHash != nil {
			given.Scope, s.encryptionScope = "", "" // the container's scope is not the request's
		}
	}
	return is.Check(given)
}

// encryptionOf returns what to encrypt a write with: the customer's key, or else the scope that the
// request names, its signature demands or its container has. The answer names the scope.
func (s *txn) encryptionOf() (encryption.Use, error) {
	if k := s.form.key; k != nil {
		return encryption.Use{KeyHash: k.Hash()}, nil
	}
	scope, c := s.form.encryptionScope, s.container
	if scope == encryption.DefaultScope && c.DefaultScope == "" {
		scope = ""
	}
	if scope != "" && scope != c.DefaultScope && c.DenyScopeOverride {
		return encryption.Use{}, fault.RequestForbiddenByContainerEncryptionPolicy
	}
	s.encryptionScope = cmp.Or(scope, c.DefaultScope)
	return encryption.Use{Scope: s.encryptionScope}, nil
}

// encrypt notes in a new blob what its bytes are encrypted with.
func (s *txn) encrypt(b *blob.Blob) error {
	use, err := s.encryptionOf()
	b.KeyHash, b.Scope = use.KeyHash, use.Scope
	return err
}

// checkBlocks refuses blocks that are not encrypted as the blob that is made of them.
func (s *txn) checkBlocks(b *blob.Blob, staged, blocks []blob.Block) error {
	all, err := meta.StagedBlocks(s.r, s.container.Generation, s.req.Blob)
	if err != nil {
		return err
	}
	given := encryption.Use{KeyHash: b.KeyHash, Scope: b.Scope}
	var errStaged, errCommitted error
	if all != nil {
		errStaged = encryption.Use{KeyHash: all.KeyHash, Scope: all.Scope}.Check(given)
	}
	if s.blob != nil && !s.blob.Uncommitted {
		errCommitted = encryption.Use{KeyHash: s.blob.KeyHash, Scope: s.blob.Scope}.Check(given)
	}
	if errStaged == nil && errCommitted == nil {
		return nil
	}
	fresh := make(map[blob.ObjectID]bool, len(staged))
	for i := range staged {
		fresh[staged[i].Chunk.Object] = true
	}
	for i := range blocks {
		err := errCommitted
		if fresh[blocks[i].Chunk.Object] {
			err = errStaged
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unseal prepares the decryption of a part, whose offset includes the nonce. object is the whole
// object if it is inline.
func (s *txn) unseal(p *part, object []byte) error {
	nonce := make([]byte, encryption.NonceSize)
	if object != nil {
		copy(nonce, object)
	} else if err := s.readNonce(p.ref, nonce); err != nil {
		return err
	}
	p.cipher = s.key.Open(nonce, p.off-encryption.NonceSize)
	return nil
}

func (s *txn) readNonce(ref segment.Ref, nonce []byte) error {
	r, err := s.Segments.Open(s.ctx(), ref, 0, encryption.NonceSize)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, nonce)
	return err
}
