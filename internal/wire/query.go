package wire

import "github.com/leasehold/leasehold/internal/query"

// Query holds the parameters of a request.
type Query = query.Query
