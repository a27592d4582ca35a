package service

import (
	"github.com/leasehold/leasehold/internal/blob"
)

// tagCondition is an expression over tags that a request depends on.
type tagCondition struct{ blob.TagCondition }

// UnmarshalText parses the expression.
func (c *tagCondition) UnmarshalText(text []byte) error {
	e, err := blob.ParseTagExpr("x-ms-if-tags", string(text))
	c.TagCondition = e
	return err
}
