package service

import "github.com/leasehold/leasehold/internal/blob"

// tagCondition is an expression over tags that a request depends on.
type tagCondition struct{ blob.TagCondition }
