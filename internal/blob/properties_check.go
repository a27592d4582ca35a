package blob

import (
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Limits of the rules of CORS (docs/reference/operations.md 5).
const (
	maxCORSRules    = 5
	maxCORSSize     = 2 << 10 // bytes of all rules together
	maxCORSItem     = 256     // characters of an origin or header
	maxCORSOrigins  = 64
	maxCORSHeaders  = 64 // spelled out, in a list
	maxCORSPrefixes = 2  // in a list
)

// Check refuses settings that can't be made: InvalidXmlDocument for what is missing, out of range
// or too much, InvalidXmlNodeValue for a method that is none (docs/reference/operations.md 4.1).
// The default version is checked by the caller, which knows the versions.
func (p *ServiceProperties) Check() error {
	var err error
	check := func(ok bool, reason string) {
		if !ok && err == nil {
			err = fault.MalformedXML(1, 1, reason)
		}
	}
	if l := p.Logging; l != nil {
		check(l.Version != "" && l.Delete != nil && l.Read != nil && l.Write != nil, "An element of Logging is missing.")
		check(l.Retention.ok(), "The retention policy of Logging is not valid.")
	}
	for _, m := range []*Metrics{p.HourMetrics, p.MinuteMetrics} {
		if m != nil {
			check(m.Version != "" && m.Enabled != nil && (!*m.Enabled || m.IncludeAPIs != nil), "An element of the metrics is missing.")
			check(m.Retention.ok(), "The retention policy of the metrics is not valid.")
		}
	}
	if d := p.Deletions; d != nil {
		check(d.Retention.ok(), "The retention policy for deletions is not valid.")
	}
	if w := p.Website; w != nil {
		check(w.Enabled != nil, "StaticWebsite has no element Enabled.")
		check(w.Index == "" || w.DefaultIndex == "", "Only one of IndexDocument and DefaultIndexDocumentPath may be given.")
	}
	if err == nil && p.CORS != nil {
		err = p.CORS.check()
	}
	return err
}

// ok reports whether an enabled policy has a number of days. The days of a disabled policy are
// dropped.
func (r *Retention) ok() bool {
	switch {
	case r == nil || r.Enabled == nil:
		return false
	case !*r.Enabled:
		r.Days = nil
		return true
	}
	return r.Days != nil && *r.Days >= 1 && *r.Days <= MaxRetentionDays
}

func (c *CORS) check() error {
	size := 0
	for i := range c.Rules {
		if err := c.Rules[i].check(&size); err != nil {
			return err
		}
	}
	if len(c.Rules) > maxCORSRules || size > maxCORSSize {
		return fault.MalformedXML(1, 1, "There are more than five rules of CORS, or they are longer than 2 KiB.")
	}
	return nil
}

// corsMethods are those that a rule may allow.
var corsMethods = []string{"DELETE", "GET", "HEAD", "MERGE", "POST", "OPTIONS", "PUT", "PATCH"}

func (r *CORSRule) check(size *int) error {
	if r.AllowedOrigins == "" || r.AllowedMethods == "" || r.AllowedHeaders == nil || r.ExposedHeaders == nil || r.MaxAge == nil {
		return fault.MalformedXML(1, 1, "An element of a CorsRule is missing.")
	}
	*size += len(r.AllowedOrigins) + len(r.AllowedMethods) + len(*r.AllowedHeaders) + len(*r.ExposedHeaders)
	for _, m := range SplitList(r.AllowedMethods) {
		if !slices.Contains(corsMethods, m) {
			return fault.InvalidXML("AllowedMethods", r.AllowedMethods)
		}
	}
	if *r.MaxAge < 0 || !fits(r.AllowedOrigins, maxCORSOrigins, maxCORSOrigins) ||
		!fits(*r.AllowedHeaders, maxCORSHeaders, maxCORSPrefixes) || !fits(*r.ExposedHeaders, maxCORSHeaders, maxCORSPrefixes) {
		return fault.MalformedXML(1, 1, "A CorsRule has too many or too long items, or a negative age.")
	}
	return nil
}

// fits reports whether a list has at most so many plain items and so many items with an asterisk.
func fits(list string, plain, stars int) bool {
	for _, item := range SplitList(list) {
		if len(item) > maxCORSItem {
			return false
		}
		if strings.Contains(item, "*") && item != "*" {
			stars--
		} else {
			plain--
		}
	}
	return plain >= 0 && stars >= 0
}

// SplitList returns the items of a list with commas, without the space around them.
func SplitList(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
