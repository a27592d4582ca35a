package lease

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Duration is the length of a lease in whole seconds, or [Infinite]. Only -1 and 15 to 60 are
// legal; the zero value is an absent one.
type Duration int32

// The bounds of a [Duration] and of a [BreakPeriod], in seconds.
const (
	Infinite       Duration = -1
	MinDuration    Duration = 15
	MaxDuration    Duration = 60
	MaxBreakPeriod          = 60
)

// Forms that are refused. A header with such a value is answered with InvalidHeaderValue.
var (
	ErrDuration    = errors.New("lease: a duration is -1 or 15 to 60 seconds")
	ErrBreakPeriod = errors.New("lease: a break period is 0 to 60 seconds")
	ErrAction      = errors.New("lease: unknown action")
)

// Valid reports whether d is a legal length.
func (d Duration) Valid() bool { return d == Infinite || MinDuration <= d && d <= MaxDuration }

// Std returns the length of a finite lease; it has no meaning for [Infinite].
func (d Duration) Std() time.Duration { return time.Duration(d) * time.Second }

// UnmarshalText reads whole seconds. The error is [ErrDuration].
func (d *Duration) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || !Duration(n).Valid() {
		return ErrDuration
	}
	*d = Duration(n)
	return nil
}

// BreakPeriod is the number of seconds that a broken lease goes on locking, 0 to 60. The zero value
// is an absent one.
type BreakPeriod struct {
	Seconds int32
	Given   bool
}

// Within returns a break period that is given.
func Within(seconds int32) BreakPeriod { return BreakPeriod{seconds, true} }

// Valid reports whether p is absent or legal.
func (p BreakPeriod) Valid() bool { return !p.Given || 0 <= p.Seconds && p.Seconds <= MaxBreakPeriod }

// UnmarshalText reads whole seconds; an empty text is an absent period. The error is
// [ErrBreakPeriod].
func (p *BreakPeriod) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = BreakPeriod{}
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || !Within(int32(n)).Valid() {
		return ErrBreakPeriod
	}
	*p = Within(int32(n))
	return nil
}

// Action is what a request wants done with a lease. The zero value is [Acquire].
type Action uint8

// The five actions.
const (
	Acquire Action = iota
	Renew
	Change
	Release
	Break
	actions // their number
)

var actionNames = [actions]string{"acquire", "renew", "change", "release", "break"}

// String returns the action's name on the wire.
func (a Action) String() string {
	if a >= actions {
		return "Action(" + strconv.Itoa(int(a)) + ")"
	}
	return actionNames[a]
}

// UnmarshalText reads the name of an action in any letter case. The error is [ErrAction].
func (a *Action) UnmarshalText(text []byte) error {
	for i, name := range actionNames {
		if strings.EqualFold(name, string(text)) {
			*a = Action(i)
			return nil
		}
	}
	return ErrAction
}

// Instant is a moment as nanoseconds since the Unix epoch, the form in which a record keeps time:
// exact, comparable, and the same wherever it is read. The zero value is no moment at all.
type Instant int64

// At returns t as an Instant.
func At(t time.Time) Instant { return Instant(t.UnixNano()) }

// Time returns the moment in UTC, or the zero time for none.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

func (i Instant) plus(seconds int32) Instant { return i + Instant(seconds)*Instant(time.Second) }
