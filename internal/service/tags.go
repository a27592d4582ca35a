package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
)

// tagCondition is an expression over tags that a request depends on.
type tagCondition struct{ blob.TagCondition }

// UnmarshalText refuses every expression: blobs have no tags yet.
func (*tagCondition) UnmarshalText(text []byte) error {
	return fault.UnsupportedHeaderNamed("x-ms-if-tags", string(text))
}
