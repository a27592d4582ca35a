package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/wire"
)

// form holds the values of those groups of headers that every operation treats alike.
type form struct {
	leaseID         lease.OptionalID
	conditions      blob.Conditions
	state           stateRef
	takesState      bool // the operation works on snapshots and versions as well
	takesTags       bool // the operation may set tags
	givenScope      string
	takesScope      bool               // the operation takes an encryption scope
	givenKey        *customerKey       // nil if the operation takes no key
	givenSourceKey  *sourceCustomerKey // nil if the operation takes no key of a source
	leavesContent   bool               // the request needs neither key nor scope
	key, sourceKey  *encryption.Key
	encryptionScope string // from the header or the signature
}

// notes is implemented by groups of headers that every operation treats alike.
type notes interface{ note(*form) }

// formed is implemented by groups of headers, and by arguments, whose form can't be checked field
// by field.
type formed interface{ checkForm() error }

// reader reads the arguments of an operation, which are of type A.
type reader[A any] struct {
	args   *wire.Args[A]
	notes  *wire.Groups[A, notes]
	formed *wire.Groups[A, formed]
}

func newReader[A any]() reader[A] {
	return reader[A]{wire.CompileArgs[A](), wire.CompileGroups[A, notes](), wire.CompileGroups[A, formed]()}
}

// read returns the arguments of a request, after checking them by themselves.
func (r reader[A]) read(c *call) (*A, error) {
	a := new(A)
	if err := r.args.Decode(c.req, a); err != nil {
		return nil, err
	}
	return a, r.judge(c, a)
}

// judge notes the form of a request and checks whatever needs no more than the request.
func (r reader[A]) judge(c *call, a *A) error {
	c.form = form{}
	r.notes.Each(a, func(g notes) error {
		g.note(&c.form)
		return nil
	})
	if err := c.checkGroups(); err != nil {
		return err
	}
	return r.formed.Each(a, formed.checkForm)
}

// checkGroups checks the groups of headers that every operation treats alike.
func (c *call) checkGroups() (err error) {
	if err := c.checkState(); err != nil {
		return err
	}
	f := &c.form
	if err := f.conditions.CheckForm(c.op.Use.effect); err != nil {
		return err
	}
	setsTags := f.takesTags && c.req.Header["X-Ms-Tags"] != nil // empty tags, too, decide what tags the blob has
	if f.conditions.IfTags != nil && !c.grant.MayReadTags(c.resource()) || setsTags && !c.grant.MayWriteTags(c.resource()) {
		return fault.AuthorizationPermissionMismatch
	}
	if f.encryptionScope, err = c.scopeOf(f); err != nil {
		return err
	}
	if f.key, err = c.keyOf(f); err != nil {
		return err
	}
	f.sourceKey, err = c.sourceKeyOf(f)
	return err
}
