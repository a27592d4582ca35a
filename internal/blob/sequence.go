package blob

import (
	"math"
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/fault"
)

// SequenceConditions are the conditions on the sequence number of a page blob that a write may
// carry; nil for absent ones.
type SequenceConditions struct {
	AtMost *int64 // x-ms-if-sequence-number-le
	Below  *int64 // x-ms-if-sequence-number-lt
	Equal  *int64 // x-ms-if-sequence-number-eq
}

// Check judges the conditions: SequenceNumberConditionNotMet, or InvalidInput if one is negative.
func (c SequenceConditions) Check(number int64) error {
	for _, n := range []*int64{c.AtMost, c.Below, c.Equal} {
		if n != nil && *n < 0 {
			return fault.InvalidInput
		}
	}
	if c.AtMost != nil && number > *c.AtMost || c.Below != nil && number >= *c.Below || c.Equal != nil && number != *c.Equal {
		return fault.SequenceNumberConditionNotMet
	}
	return nil
}

// NextSequence returns the sequence number after an update: the greater of both for the action max,
// the given one for update, one more for increment, which takes none (nil). Actions may be in any
// letter case. It refuses what does not fit with InvalidHeaderValue or MissingRequiredHeader, and
// an increment of the greatest number with SequenceNumberIncrementTooLarge.
func NextSequence(current int64, action string, number *int64) (int64, error) {
	const header = "x-ms-blob-sequence-number"
	if strings.EqualFold(action, "increment") {
		switch {
		case number != nil:
			return current, fault.InvalidHeader(header, strconv.FormatInt(*number, 10))
		case current == math.MaxInt64:
			return current, fault.SequenceNumberIncrementTooLarge
		}
		return current + 1, nil
	}
	greater := strings.EqualFold(action, "max")
	switch {
	case !greater && !strings.EqualFold(action, "update"):
		return current, fault.InvalidHeader("x-ms-sequence-number-action", action)
	case number == nil:
		return current, fault.MissingHeader(header)
	case *number < 0:
		return current, fault.InvalidHeader(header, strconv.FormatInt(*number, 10))
	case greater:
		return max(current, *number), nil
	}
	return *number, nil
}
