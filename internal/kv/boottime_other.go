//go:build !linux && !darwin

package kv

import "time"

// sinceBoot returns false. The clock that Go reads on Windows goes on while the machine sleeps; of
// other systems this is not known.
func sinceBoot() (passed time.Duration, ok bool) { return 0, false }
