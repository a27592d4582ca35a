package service

import (
	"context"
	"reflect"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/structured"
	"github.com/leasehold/leasehold/internal/wire"
)

// call is one request on its way through its operation.
type call struct {
	*Service
	req   *wire.Request
	op    *Operation
	grant auth.Grant
	form  form // of the arguments
	// properties are the settings of the Blob service, for changes of blobs; nil for none.
	properties *blob.ServiceProperties
	// encryptionScope is the scope of the content that the request wrote; "" for none.
	encryptionScope string
	// generations holds the generation of each container that the request makes, by name.
	generations map[string]uint64
	// gated is the generation of the container whose gates the deletion has declared; 0 for none.
	gated uint64
}

func (c *call) ctx() context.Context { return c.req.Context() }

// resource returns the resource on which the request needs permission.
func (c *call) resource() auth.Resource {
	r := auth.Resource{Container: c.req.Container, Blob: c.req.Blob}
	if c.req.Level == wire.LevelContainer {
		r.Prefix = c.req.Query.Get("prefix")
	}
	return r
}

// handler runs an operation and writes its answer. A returned error may have come in the middle of
// the answer; then the Status of the request is not 0.
type handler struct {
	serve         func(*call) error
	args, results reflect.Type
}

// handle makes a handler of a function whose arguments are of type A and whose results
// are of type R.
func handle[A, R any](serve func(*call) error) handler {
	return handler{serve: serve, args: reflect.TypeFor[A](), results: reflect.TypeFor[R]()}
}

// The three ways in which an operation runs: view, update and ingest.

// view makes a handler of a function that reads in one snapshot.
func view[A, R any](f func(*txn, *A) (*R, error)) handler {
	return single((*call).view, f)
}

// update makes a handler of a function that reads and writes in one transaction.
// The function may run more than once.
func update[A, R any](f func(*txn, *A) (*R, error)) handler {
	return single((*call).change, f)
}

// inTurn is update for an acquire, which may have to wait for the requests before it.
func inTurn[A, R any](f func(*txn, *A) (*R, error)) handler {
	return single((*call).acquireInTurn, f)
}

type transaction func(c *call, ctx context.Context, fn func(*txn) error) error

func single[A, R any](run transaction, f func(*txn, *A) (*R, error)) handler {
	args, results := newReader[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a, err := args.read(c)
		if err != nil {
			return err
		}
		var result *R
		err = run(c, c.ctx(), func(s *txn) (err error) {
			result, err = f(s, a)
			return err
		})
		if err != nil {
			return err
		}
		c.echoKey()
		return results.Write(c.req, c.op.Status, result)
	})
}

// uploads is implemented by the arguments of an operation that takes a body.
type uploads interface {
	input() *upload
	limit(wire.Version) int64 // the longest body in bytes
}

// ingest makes a handler of a function that stores a body: the body is streamed first, then one
// transaction makes it visible. For a long body the function runs twice: before the body is read,
// to refuse early, and after, to decide. It must treat both runs alike.
func ingest[A, R any, P interface {
	*A
	uploads
}](f func(*txn, *A, *body) (*R, error)) handler {
	args, results := newReader[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a := new(A)
		if err := args.args.Decode(c.req, a); err != nil {
			return err
		}
		if err := P(a).input().unframe(); err != nil {
			return err
		}
		if err := args.judge(c, a); err != nil {
			return err
		}
		in, limit := P(a).input(), P(a).limit(c.req.Version)
		if err := in.admit(limit); err != nil {
			return err
		}
		var result *R
		key := c.form.key
		b := &body{Size: in.Body.Length, key: key}
		run := func(s *txn) (err error) {
			result, err = f(s, a, b)
			return err
		}
		if in.rehearsed(c.req.Request) {
			if err := c.rehearse(c.ctx(), run); err != nil {
				return in.refused(c.req.Request, err)
			}
		}
		b, err := c.receive(in, limit, key)
		if err != nil {
			return err
		}
		if err := c.change(c.ctx(), run); err != nil {
			c.undo(b, err)
			return err
		}
		c.echoKey()
		if in.Structured {
			c.req.Writer.Header()[structured.Header] = []string{structured.Form}
		}
		return results.Write(c.req, c.op.Status, result)
	})
}
