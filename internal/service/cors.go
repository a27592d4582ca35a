package service

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// rulesFor is how long the rules of an account are cached for requests without an origin. For
// these, the rules decide only what caches are told.
const rulesFor = time.Second

// ruleCache remembers whether accounts have rules. The zero value is ready for use.
type ruleCache struct {
	accounts sync.Map // name to rememberedRules
}

type rememberedRules struct {
	rules []auth.CORSRule
	until time.Time
}

// corsRules returns the rules of an account. Unless exact is set, they may be as old as rulesFor.
func (s *Service) corsRules(ctx context.Context, account string, now time.Time, exact bool) ([]auth.CORSRule, error) {
	if known, ok := s.rules.accounts.Load(account); ok && !exact {
		if k := known.(rememberedRules); now.Before(k.until) {
			return k.rules, nil
		}
	}
	p, err := s.Properties(ctx, account)
	if err != nil {
		return nil, err
	}
	var rules []auth.CORSRule
	if p != nil && p.CORS != nil {
		for _, r := range p.CORS.Rules {
			rule := auth.CORSRule{
				AllowedOrigins: split(&r.AllowedOrigins),
				AllowedMethods: split(&r.AllowedMethods),
				AllowedHeaders: split(r.AllowedHeaders),
				ExposedHeaders: split(r.ExposedHeaders),
			}
			if r.MaxAge != nil {
				rule.MaxAge = *r.MaxAge
			}
			rules = append(rules, rule)
		}
	}
	s.rules.accounts.Store(account, rememberedRules{rules, now.Add(rulesFor)})
	return rules, nil
}

func split(list *string) (out []string) {
	if list == nil {
		return nil
	}
	for part := range strings.SplitSeq(*list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// preflight answers an OPTIONS request, by which a browser asks whether it may send another
// request. Only the origin, method and headers of the other request are considered.
func (c *call) preflight() error {
	if c.Accounts(c.req.Account) == nil {
		return fault.ResourceNotFound
	}
	rules, err := c.corsRules(c.ctx(), c.req.Account, c.req.Received, true)
	if err != nil {
		return err
	}
	in := c.req.Header
	headers, err := auth.Preflight(rules, in.Get("Origin"), in.Get("Access-Control-Request-Method"),
		strings.Join(in.Values("Access-Control-Request-Headers"), ","))
	if err != nil {
		return err
	}
	out := c.req.Writer.Header()
	for name, values := range headers {
		out[name] = values
	}
	return emptyResults.Write(c.req, c.op.Status, &nothing{})
}

var emptyResults = wire.CompileResults[nothing]()

// shareCrossOrigin adds the cross-origin headers to the answer of a request, by the rules of its
// account. Rules that can't be read add none.
func (s *Service) shareCrossOrigin(r *wire.Request) {
	origin := r.Header.Get("Origin")
	asked := origin != "" && r.Method != http.MethodOptions
	if !asked && r.Method != http.MethodGet && r.Method != http.MethodHead || s.Accounts(r.Account) == nil {
		return
	}
	rules, err := s.corsRules(r.Context(), r.Account, r.Received, asked)
	if err != nil || len(rules) == 0 {
		return
	}
	r.Writer = &sharedWriter{ResponseWriter: r.Writer, share: func(h http.Header) {
		auth.ActualRequest(rules, origin, r.Method, h)
	}}
}

// sharedWriter adds the cross-origin headers once all other headers are set.
type sharedWriter struct {
	http.ResponseWriter
	share func(http.Header)
}

// WriteHeader adds the headers and sends them all.
func (w *sharedWriter) WriteHeader(status int) {
	w.share(w.Header())
	w.ResponseWriter.WriteHeader(status)
}

// ReadFrom lets a file be sent by the kernel.
func (w *sharedWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

// Unwrap serves http.ResponseController.
func (w *sharedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
