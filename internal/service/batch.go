package service

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

func batchOperations() []Operation {
	return []Operation{
		// The JavaScript client mistakes an account in the path for a container.
		{
			Name: "Service_SubmitBatch", On: onService("POST", "container", "batch"), Needs: auth.PermBatch, Status: 202,
			Use: useNothing, Run: submitBatch(),
		},
		{
			Name: "Service_SubmitBatch", On: onService("POST", "", "batch"), Needs: auth.PermBatch, Status: 202,
			Use: useNothing, Run: submitBatch(),
		},
		{
			Name: "Container_SubmitBatch", On: onContainer("POST", "batch"), Needs: auth.PermContainerBatch, Status: 202,
			Use: useNothing, Run: submitBatch(),
		},
	}
}

type batch struct {
	ContentType string    `header:"Content-Type,required"`
	Body        wire.Body `body:"stream,required"`
}

type batchAnswers struct {
	ContentType string       `header:"Content-Type"`
	Body        wire.Content `body:"stream"`
}

// batchWorkers is how many requests of a batch run at the same time: changes that run together
// share a sync.
const batchWorkers = 16

// submitBatch makes the handler of a batch, whose requests are authorized and judged one
// by one, as if each had come alone.
func submitBatch() handler {
	args, results := wire.CompileArgs[batch](), wire.CompileResults[batchAnswers]()
	return handle[batch, batchAnswers](func(c *call) error {
		a := new(batch)
		if err := args.Decode(c.req, a); err != nil {
			return err
		}
		requests, err := c.readBatch(a)
		if err != nil {
			return err
		}
		next := make(chan *batched)
		var workers sync.WaitGroup
		for range min(batchWorkers, len(requests)) {
			workers.Go(func() {
				for r := range next {
					c.serveAlone(r)
				}
			})
		}
		for i := range requests {
			next <- &requests[i]
		}
		close(next)
		workers.Wait()
		boundary := fmt.Sprintf("batchresponse_%x", c.NewGUID())
		var text []byte
		for _, r := range requests {
			reason := ""
			if r.Failure != nil {
				reason, _, _ = strings.Cut(r.Failure.Message, "\n")
			}
			text = r.answer.Append(text, boundary, r.id, reason)
		}
		text = fmt.Appendf(text, "--%s--", boundary)
		return results.Write(c.req, c.op.Status, &batchAnswers{"multipart/mixed; boundary=" + boundary, &document{text}})
	})
}

// serveAlone serves one request of a batch. A panic fails this request alone.
func (c *call) serveAlone(r *batched) {
	start := c.Now()
	defer func() {
		if p := recover(); p != nil {
			wire.WriteError(r.Request, fmt.Errorf("panic: %v", p))
		}
		if c.req.NotePart != nil {
			c.req.NotePart(r.Request, c.Now().Sub(start))
		}
	}()
	if r.refused != nil {
		wire.WriteError(r.Request, r.refused)
		return
	}
	c.Serve(r.Request)
}

// batched is one request of a batch.
type batched struct {
	*wire.Request
	id      string
	answer  *wire.BatchAnswer
	refused error // the answer, if the request names nothing
}

// readBatch reads the body. All requests must be of one kind, either deletions or changes of tier,
// and within what the batch was sent to. A batch without requests, or with both kinds, gets a
// single answer, which says so.
func (c *call) readBatch(a *batch) ([]batched, error) {
	if a.Body.Length > wire.MaxBatch {
		return nil, fault.BodyTooLarge(wire.MaxBatch)
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, wire.MaxBatch+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > wire.MaxBatch:
		return nil, fault.BodyTooLarge(wire.MaxBatch)
	}
	parts, err := wire.ParseBatch(a.ContentType, body)
	if err != nil {
		return nil, err
	}
	requests, kind, mixed := make([]batched, len(parts)), "", false
	for i, p := range parts {
		r, err := c.inner(p)
		if err != nil {
			return nil, &fault.Error{Code: fault.InvalidInput, Cause: err}
		}
		requests[i] = r
		if r.refused != nil {
			continue
		}
		op, err := c.table.Match(r.Request)
		if err != nil || op.Name != "Blob_Delete" && op.Name != "Blob_SetTier" {
			return nil, fault.InvalidInput
		}
		mixed = mixed || kind != "" && kind != op.Name
		kind = op.Name
	}
	switch {
	case mixed:
		return c.refuseAll(fault.AllBatchSubRequestsShouldBeSameAPI), nil
	case len(parts) == 0:
		return c.refuseAll(fault.InvalidInput), nil
	}
	return requests, nil
}

// refuseAll returns the single answer to a batch that is refused as a whole.
func (c *call) refuseAll(err error) []batched {
	none := &wire.Request{Request: &http.Request{Header: http.Header{}}, ID: c.req.ID, Received: c.req.Received, Version: c.req.Version, PartOf: c.req}
	answer := wire.NewBatchAnswer()
	none.Writer = answer
	return []batched{{Request: none, answer: answer, refused: err}}
}

// inner makes a request of a part, as if it had come on the connection of the batch. Some clients
// leave the account out of the path of a part though the path of the batch has it.
func (c *call) inner(p wire.BatchPart) (batched, error) {
	outer, r := c.req, p.Request.WithContext(c.ctx())
	r.Host, r.TLS, r.RemoteAddr = outer.Host, outer.TLS, outer.RemoteAddr
	if account, _, _ := strings.Cut(outer.URL.EscapedPath()[1:], "/"); outer.PathStyle && !strings.HasPrefix(r.URL.Path, "/"+account+"/") {
		u := *r.URL
		u.Path = "/" + account + u.Path
		if u.RawPath != "" {
			u.RawPath = "/" + account + u.RawPath
		}
		r.URL = &u
	}
	answer := wire.NewBatchAnswer()
	in, err := wire.NewRequest(answer, r, outer.Received, c.Addressing)
	if err == nil {
		err = p.Refused
	}
	sent := r.Header.Get("X-Ms-Version")
	within := in.Account == outer.Account && in.Secondary == outer.Secondary && cmp.Or(outer.Container, in.Container) == in.Container
	if err == nil && !within || sent != "" && sent != string(outer.Version) {
		return batched{}, fmt.Errorf("a request for %q, version %q", in.Container, sent)
	}
	in.Version, in.Unversioned, in.PartOf = outer.Version, outer.Unversioned, outer
	return batched{in, p.ID, answer, err}, nil
}
