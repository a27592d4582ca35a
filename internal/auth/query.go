package auth

import (
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/query"
)

// sortParameters orders by name, and by value among those of one name.
func sortParameters(list query.Query) {
	slices.SortFunc(list, func(a, b query.Param) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
