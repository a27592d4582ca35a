package main

import (
	"math"
	"slices"
	"time"
)

// median returns the middle value, the mean of the two middle ones for an even count, and 0 for
// none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Clone(values)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// percentile returns the value below or at which the share p (0 to 1) of the sorted values lies, by
// nearest rank, and 0 for none.
func percentile(sorted []int64, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return time.Duration(sorted[min(max(rank, 1), len(sorted))-1])
}

// ratios divides pairwise, leaving out pairs without a divisor.
func ratios(a, b []float64) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			out = append(out, a[i]/b[i])
		}
	}
	return out
}
