package blob

import (
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Expressions over tags come in two forms that share their comparisons: name operator 'value',
// where the name stands plain if it is an identifier, else in double quotes, and a quote in the
// value is doubled. Values compare as strings, byte by byte. Keywords may be in any letter case,
// white space may stand between any two words.
//
//	x-ms-if-tags   any = all {OR all}   all = term {AND term}   term = comparison | "(" any ")"
//	               operators = <> > >= < <=
//	where          comparison {AND comparison}
//	               operators = > >= < <=; the name @container takes = and limits the search to a container
const (
	maxTagOperators = 10 // ANDs and ORs of an expression, as the service has it
	maxTagNesting   = 32 // parentheses within each other: far more than ten operators can use
)

// TagExpr is a parsed x-ms-if-tags condition. It implements [TagCondition].
type TagExpr struct{ root tagNode }

// Match reports whether the expression is true for the tags.
func (e *TagExpr) Match(t Tags) bool { return e.root.match(t) }

// ParseTagExpr reads the value of a header with a tag condition. A text that is no expression, or
// has more than 10 ANDs and ORs, more than 10 tags, or a value that no tag can have, is a
// [TagSyntaxError]; on the wire that is InvalidHeaderValue.
func ParseTagExpr(text string) (*TagExpr, error) {
	p := tagParser{scan: tagScanner{text: text}}
	p.next()
	root := p.any(0)
	p.expectEnd()
	if p.err != nil {
		return nil, p.err
	}
	return &TagExpr{root}, nil
}

// tagNode is a part of an expression.
type tagNode interface{ match(Tags) bool }

type (
	tagAnd        struct{ left, right tagNode }
	tagOr         struct{ left, right tagNode }
	tagComparison struct{ key, operator, value string }
)

func (n tagAnd) match(t Tags) bool { return n.left.match(t) && n.right.match(t) }
func (n tagOr) match(t Tags) bool  { return n.left.match(t) || n.right.match(t) }

// match is false for a tag that is not there, except that such a tag differs from every value.
func (n tagComparison) match(t Tags) bool {
	value, ok := t.Get(n.key)
	if !ok {
		return n.operator == "<>"
	}
	order := strings.Compare(value, n.value)
	switch n.operator {
	case "=":
		return order == 0
	case "<>":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	}
	return order <= 0
}

// TagQuery is a parsed where expression of Find Blobs by Tags. Being a conjunction of comparisons,
// it is no more than a range of values for each tag it names.
type TagQuery struct {
	Container string     // the only container to search; "" for all
	Ranges    []TagRange // at least one, sorted by key, no key twice
	empty     bool       // asks for a container without a name
}

// TagRange is the set of values from Low up to, but not including, High.
type TagRange struct {
	Key     string
	Low     string
	High    string // has no meaning unless Bounded
	Bounded bool
	begins  bool // a comparison has set Low
}

// ParseWhere reads a where expression, of the search of a single container if within is true. It is
// refused with InvalidQueryParameterValue for the parameter where if it is none, names a container
// within one, has more than 10 ANDs or tags, two bounds on the same side of a tag or a value that
// no tag can have, or compares no tag.
func ParseWhere(text string, within bool) (*TagQuery, error) {
	p := tagParser{scan: tagScanner{text: text}, where: true, within: within}
	p.next()
	q := new(TagQuery)
	for {
		name := p.token
		if c := p.comparison(); p.err == nil && !q.narrow(c) {
			p.failAt(name, "the name is bounded twice on the same side")
		}
		if !p.operator("AND") {
			break
		}
	}
	p.expectEnd()
	if p.err == nil && len(q.Ranges) == 0 {
		p.fail("at least one tag has to be compared")
	}
	if p.err != nil {
		e := fault.InvalidQuery("where", text, p.err.Reason)
		e.Message = p.err.Message()
		return nil, e
	}
	slices.SortFunc(q.Ranges, func(a, b TagRange) int { return strings.Compare(a.Key, b.Key) })
	return q, nil
}

// narrow adds a comparison to the query, unless the name is bounded on the same side already. The
// string that follows v in order is v and a zero byte, which turns every bound into a half-open
// one.
func (q *TagQuery) narrow(c tagComparison) bool {
	if c.key == containerName {
		again := q.Container != "" || q.empty
		q.Container, q.empty = c.value, c.value == ""
		return !again
	}
	i := slices.IndexFunc(q.Ranges, func(r TagRange) bool { return r.Key == c.key })
	if i < 0 {
		i = len(q.Ranges)
		q.Ranges = append(q.Ranges, TagRange{Key: c.key})
	}
	r, after := &q.Ranges[i], c.value+"\x00"
	switch c.operator {
	case "=":
		return r.from(c.value) && r.to(after)
	case ">=":
		return r.from(c.value)
	case ">":
		return r.from(after)
	case "<":
		return r.to(c.value)
	}
	return r.to(after)
}

// from sets the lower bound, if there is none.
func (r *TagRange) from(low string) bool {
	again := r.begins
	r.Low, r.begins = low, true
	return !again
}

// to sets the upper bound, if there is none.
func (r *TagRange) to(high string) bool {
	again := r.Bounded
	r.High, r.Bounded = high, true
	return !again
}

// Contains reports whether a value lies in the range.
func (r TagRange) Contains(value string) bool {
	return r.Low <= value && (!r.Bounded || value < r.High)
}

// Empty reports whether no value lies in the range.
func (r TagRange) Empty() bool { return r.Bounded && r.High <= r.Low }

// Exact returns the only value in the range, if there is just one.
func (r TagRange) Exact() (value string, ok bool) {
	return r.Low, r.Bounded && r.High == r.Low+"\x00"
}

// Empty reports whether nothing can match the query.
func (q *TagQuery) Empty() bool { return q.empty || slices.ContainsFunc(q.Ranges, TagRange.Empty) }

// Match reports whether a blob of a container, with these tags, is found.
func (q *TagQuery) Match(container string, t Tags) bool {
	if q.empty || q.Container != "" && q.Container != container {
		return false
	}
	for _, r := range q.Ranges {
		if value, ok := t.Get(r.Key); !ok || !r.Contains(value) {
			return false
		}
	}
	return true
}

// Best returns the range to search an index by: one of a single value if there is one, else one
// with two bounds, else any.
func (q *TagQuery) Best() TagRange {
	weight := func(r TagRange) int {
		if _, exact := r.Exact(); exact {
			return 2
		}
		if r.Bounded && r.Low != "" {
			return 1
		}
		return 0
	}
	return slices.MaxFunc(q.Ranges, func(a, b TagRange) int { return weight(a) - weight(b) })
}

// Named returns those of a blob's tags that the query names, which are the ones that a result
// shows.
func (q *TagQuery) Named(t Tags) Tags {
	var named Tags
	for i := range t {
		if slices.ContainsFunc(q.Ranges, func(r TagRange) bool { return r.Key == t[i].Key }) {
			named = append(named, t[i])
		}
	}
	return named
}
