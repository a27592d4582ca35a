package blob

import (
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// Effect sorts operations by how their conditional headers are judged
// (docs/reference/conditions-and-errors.md 2.2 and 2.3).
type Effect uint8

const (
	Reads   Effect = iota // Get Blob and its like: 304 exists, all four headers combine
	Writes                // changes of what exists: 412, two pairs may combine
	Creates               // writes that may create: as Writes, and If-None-Match: * is 409
)

// Conditions are the conditional headers of one request as they were sent; zero
// values stand for absent headers.
type Conditions struct {
	IfMatch           string
	IfNoneMatch       string
	IfModifiedSince   Time
	IfUnmodifiedSince Time
	IfTags            TagCondition // nil for none
}

// TagCondition is an expression over the tags of a blob.
type TagCondition interface {
	Match(Tags) bool
}

// Validators is what conditions are judged against.
type Validators struct {
	Committed bool // there is a committed blob (or a container)
	ETag      ETag
	Modified  Time // zero only if there is nothing at all
	Tags      Tags
}

// CheckForm refuses combinations of headers that the service does not support:
// MultipleConditionHeadersNotSupported for writes, UnsatisfiableCondition for
// If-None-Match: * on a read (docs/reference/conditions-and-errors.md 2.2, 2.4).
func (c *Conditions) CheckForm(e Effect) error {
	if e == Reads {
		if strings.TrimSpace(c.IfNoneMatch) == "*" {
			return fault.UnsatisfiableCondition
		}
		return nil
	}
	match, none := c.IfMatch != "", c.IfNoneMatch != ""
	since, until := !c.IfModifiedSince.IsZero(), !c.IfUnmodifiedSince.IsZero()
	if match && (none || since) || none && until || since && until {
		return fault.MultipleConditionHeadersNotSupported
	}
	if strings.Contains(c.IfMatch, ",") || strings.Contains(c.IfNoneMatch, ",") {
		return fault.MultipleConditionHeadersNotSupported
	}
	return nil
}

// Check judges the conditions: ConditionNotMet with 412, or 304 where a read asked
// for what it already has, or BlobAlreadyExists for a creation that must not
// overwrite. ignoreNoneAny switches If-None-Match: * off, as a satisfied lease
// ID does (docs/reference/leases.md 4.5).
func (c *Conditions) Check(e Effect, v Validators, ignoreNoneAny bool) error {
	if *c == (Conditions{}) {
		return nil
	}
	if e == Reads {
		return c.checkRead(v)
	}
	return c.checkWrite(e, v, ignoreNoneAny)
}

func (c *Conditions) checkRead(v Validators) error {
	if c.IfMatch != "" && !v.matches(c.IfMatch) ||
		!c.IfUnmodifiedSince.IsZero() && v.Modified > c.IfUnmodifiedSince {
		return fault.ConditionNotMet
	}
	none, since := c.IfNoneMatch != "", !c.IfModifiedSince.IsZero()
	noneHolds := none && !v.matches(c.IfNoneMatch)
	sinceHolds := since && v.Modified > c.IfModifiedSince
	if (none || since) && !noneHolds && !sinceHolds {
		return fault.NotModified()
	}
	return c.checkTags(v)
}

func (c *Conditions) checkWrite(e Effect, v Validators, ignoreNoneAny bool) error {
	switch {
	case c.IfMatch != "":
		if !v.Committed || !v.matches(c.IfMatch) {
			return fault.ConditionNotMet
		}
	case strings.TrimSpace(c.IfNoneMatch) == "*":
		if v.Committed && !ignoreNoneAny {
			if e == Creates {
				return fault.BlobAlreadyExists
			}
			return fault.ConditionNotMet
		}
	case !v.Committed && v.Modified.IsZero():
		// Every other condition needs a blob, and there is none: skipped.
	case c.IfNoneMatch != "":
		if v.Committed && v.matches(c.IfNoneMatch) {
			return fault.ConditionNotMet
		}
	case !c.IfModifiedSince.IsZero() && v.Modified <= c.IfModifiedSince,
		!c.IfUnmodifiedSince.IsZero() && v.Modified > c.IfUnmodifiedSince:
		return fault.ConditionNotMet
	}
	return c.checkTags(v)
}

func (c *Conditions) checkTags(v Validators) error {
	if c.IfTags != nil && !c.IfTags.Match(v.Tags) {
		return fault.ConditionNotMet
	}
	return nil
}

// matches reports whether one of the ETags in a header is the ETag of v. ETags are opaque text,
// with or without quotation marks; weak ones never match.
func (v Validators) matches(header string) bool {
	var own [20]byte
	bare := string(v.ETag.AppendBare(own[:0]))
	for rest := header; rest != ""; {
		var tag string
		tag, rest, _ = strings.Cut(rest, ",")
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return true
		}
		if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
			tag = tag[1 : len(tag)-1]
		}
		if tag == bare {
			return true
		}
	}
	return false
}
