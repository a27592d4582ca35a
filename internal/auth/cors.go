package auth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// CORSRule is one rule of the service properties. Rules are tried in order; the first that fits
// decides.
type CORSRule struct {
	AllowedOrigins []string // exact and case-sensitive; "*" for all; "https://*.example.com" for all hosts below one
	AllowedMethods []string
	AllowedHeaders []string // for preflight: names in any case, "x-ms-meta*" for all that begin so, "*" for all
	ExposedHeaders []string // the same forms
	MaxAge         int      // seconds that a browser may keep the answer to a preflight
}

// origin reports whether the rule names the origin, and whether by "*".
func (r *CORSRule) origin(origin string) (fits, any bool) {
	for _, o := range r.AllowedOrigins {
		if o == "*" {
			return true, true
		}
		if origin == "" {
			continue
		}
		head, tail, star := strings.Cut(o, "*.")
		inside, ok := strings.CutPrefix(origin, head)
		inside, ok2 := strings.CutSuffix(inside, "."+tail)
		if o == origin || star && ok && ok2 && inside != "" && !strings.ContainsAny(inside, "/:@") {
			fits = true
		}
	}
	return fits, false
}

// find returns the first rule for an origin and a method. Without an origin, only a rule for all
// origins fits.
func find(rules []CORSRule, origin, method string) (rule *CORSRule, any bool) {
	for i := range rules {
		if fits, any := rules[i].origin(origin); fits && slices.Contains(rules[i].AllowedMethods, method) {
			return &rules[i], any
		}
	}
	return nil, false
}

// simpleRequestHeaders never need a rule. Content-Type is not among them: a preflight names it only
// if its value is not simple.
var simpleRequestHeaders = []string{"accept", "accept-language", "content-language", "origin"}

// Preflight answers an OPTIONS request, given its Origin, Access-Control-Request-Method and
// Access-Control-Request-Headers. The resource plays no part. It fails with 400
// [fault.InvalidHeaderValue] if one of the first two is missing, and with
// [fault.CorsPreflightFailure] if no rule fits.
func Preflight(rules []CORSRule, origin, method, headers string) (http.Header, error) {
	if origin == "" || method == "" {
		return nil, &fault.Error{Code: fault.InvalidHeaderValue, Message: "A required CORS header is not present."}
	}
	rule, any := find(rules, origin, method)
	if rule == nil {
		return nil, fault.CorsPreflightFailure
	}
	for name := range strings.SplitSeq(headers, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "" && !slices.Contains(simpleRequestHeaders, name) && !named(rule.AllowedHeaders, name) {
			return nil, fault.CorsPreflightFailure
		}
	}
	h := allow(origin, any)
	h.Set("Access-Control-Allow-Methods", method)
	if headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	h.Set("Access-Control-Max-Age", strconv.Itoa(rule.MaxAge))
	return h, nil
}

func allow(origin string, any bool) http.Header {
	h := http.Header{}
	if any {
		h.Set("Access-Control-Allow-Origin", "*")
		return h
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	return h
}

// named reports whether a list of header names and prefixes has the name, which is in lower case.
func named(list []string, name string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		prefix, star := strings.CutSuffix(strings.ToLower(pattern), "*")
		return prefix == name || star && strings.HasPrefix(name, prefix)
	})
}

// simpleResponseHeaders can be read by scripts without being exposed by name.
var simpleResponseHeaders = []string{"cache-control", "content-language", "content-type", "expires", "last-modified", "pragma"}

// ActualRequest adds the headers that the rules prescribe for an origin and method to a response
// that is otherwise complete. Without rules it adds nothing. A read without an origin gets the
// headers of a rule for all origins, so that caches may answer scripts with it. Prefixes of exposed
// headers become the headers that the response has.
func ActualRequest(rules []CORSRule, origin, method string, response http.Header) {
	if len(rules) == 0 {
		return
	}
	var rule *CORSRule
	var any bool
	reads := method == http.MethodGet || method == http.MethodHead
	if origin != "" || reads {
		rule, any = find(rules, origin, method)
	}
	if !any && reads {
		response.Add("Vary", "Origin")
	}
	if rule == nil {
		return
	}
	if exposed := expose(rule.ExposedHeaders, response); exposed != "" {
		response.Set("Access-Control-Expose-Headers", exposed)
	}
	for name, values := range allow(origin, any) {
		response[name] = values
	}
}

// expose returns the sorted names to expose: every name that a rule spells out, and the headers of
// the response that fit a prefix or are simple.
func expose(patterns []string, response http.Header) string {
	var names []string
	for _, p := range patterns {
		if !strings.Contains(p, "*") {
			names = append(names, strings.ToLower(p))
		}
	}
	for name := range response {
		name = strings.ToLower(name)
		if named(patterns, name) || slices.Contains(simpleResponseHeaders, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}
