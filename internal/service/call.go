package service

import (
	"context"
	"reflect"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/structured"
	"github.com/leasehold/leasehold/internal/wire"
)

// call is one request on its way through its operation.
type call struct {
	*Service
	req   *wire.Request
	op    *Operation
	grant auth.Grant
	// properties are the settings of the Blob service, for changes of blobs; nil for none.
	properties *blob.ServiceProperties
	// encryptionScope is that of what the request wrote; "" for none.
	encryptionScope string
}

func (c *call) ctx() context.Context { return c.req.Context() }

// resource is what the request is about, as far as permissions go.
func (c *call) resource() auth.Resource {
	r := auth.Resource{Container: c.req.Container, Blob: c.req.Blob}
	if c.req.Level == wire.LevelContainer {
		r.Prefix = c.req.Query.Get("prefix")
	}
	return r
}

// checkForm judges what can be told from the arguments alone.
func (c *call) checkForm(args any) error {
	if err := c.checkAddress(args); err != nil {
		return err
	}
	if g, ok := args.(interface{ conditions() blob.Conditions }); ok {
		conditions := g.conditions()
		if err := conditions.CheckForm(c.op.Use.effect); err != nil {
			return err
		}
		if conditions.IfTags != nil && !c.grant.MayReadTags(c.resource()) {
			return fault.AuthorizationPermissionMismatch
		}
	}
	if g, ok := args.(interface{ setsTags() bool }); ok && g.setsTags() && !c.grant.MayWriteTags(c.resource()) {
		return fault.AuthorizationPermissionMismatch
	}
	if _, err := c.scopeOf(args); err != nil {
		return err
	}
	if _, err := c.keyOf(args); err != nil {
		return err
	}
	if _, err := c.sourceKeyOf(args); err != nil {
		return err
	}
	if g, ok := args.(interface{ checkForm() error }); ok {
		return g.checkForm()
	}
	return nil
}

// handler runs an operation and writes its answer. An error that it returns may
// have come in the middle of the answer; the request's Status tells.
type handler struct {
	serve         func(*call) error
	args, results reflect.Type
	unread        []string // conditional headers that are refused
}

// handle makes a handler of a function whose arguments are of type A and whose results
// are of type R.
func handle[A, R any](serve func(*call) error) handler {
	return handler{serve: serve, args: reflect.TypeFor[A](), results: reflect.TypeFor[R]()}
}

// around returns the handler with another function around its own.
func (h handler) around(outer func(c *call, inner func(*call) error) error) handler {
	inner := h.serve
	h.serve = func(c *call) error { return outer(c, inner) }
	return h
}

// decoded returns the arguments of a request, judged by themselves.
func decoded[A any](c *call, args *wire.Args[A]) (*A, error) {
	a := new(A)
	if err := args.Decode(c.req, a); err != nil {
		return nil, err
	}
	return a, c.checkForm(a)
}

// The three ways an operation runs: view, update and ingest.

// view makes a handler of a function that reads in one snapshot.
func view[A, R any](f func(*scope, *A) (*R, error)) handler {
	return single((*call).view, f)
}

// update makes a handler of a function that reads and writes in one transaction.
// The function may run more than once.
func update[A, R any](f func(*scope, *A) (*R, error)) handler {
	return single((*call).change, f)
}

type transaction func(c *call, ctx context.Context, args any, fn func(*scope) error) error

func single[A, R any](run transaction, f func(*scope, *A) (*R, error)) handler {
	args, results := wire.CompileArgs[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a, err := decoded(c, args)
		if err != nil {
			return err
		}
		var result *R
		err = run(c, c.ctx(), a, func(s *scope) (err error) {
			result, err = f(s, a)
			return err
		})
		if err != nil {
			return err
		}
		c.echoKey(a)
		return results.Write(c.req, c.op.Status, result)
	})
}

// uploads is implemented by the arguments of an operation that takes a body.
type uploads interface {
	input() *upload
	limit(wire.Version) int64 // the longest body in bytes
}

// ingest makes a handler of a function that stores a body: the body is streamed
// first, then one transaction makes it visible. The function runs twice for a long
// body, before it is read, to refuse early, and after, to be right; it must
// treat both alike.
func ingest[A, R any, P interface {
	*A
	uploads
}](f func(*scope, *A, *body) (*R, error)) handler {
	args, results := wire.CompileArgs[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a := new(A)
		if err := args.Decode(c.req, a); err != nil {
			return err
		}
		if err := P(a).input().unframe(); err != nil {
			return err
		}
		if err := c.checkForm(a); err != nil {
			return err
		}
		in, limit := P(a).input(), P(a).limit(c.req.Version)
		if err := in.admit(limit); err != nil {
			return err
		}
		var result *R
		key, err := c.keyOf(a)
		if err != nil {
			return err
		}
		b := &body{Size: in.Body.Length, key: key}
		run := func(s *scope) (err error) {
			result, err = f(s, a, b)
			return err
		}
		if in.rehearsed(c.req.Request) {
			if err := c.rehearse(c.ctx(), a, run); err != nil {
				return err
			}
		}
		b, err = c.receive(in, limit, key)
		if err != nil {
			return err
		}
		if err := c.change(c.ctx(), a, run); err != nil {
			c.discard(b)
			return err
		}
		c.echoKey(a)
		if in.Structured {
			c.req.Writer.Header()[structured.Header] = []string{structured.Form}
		}
		return results.Write(c.req, c.op.Status, result)
	})
}
