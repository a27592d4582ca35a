package hold

import (
	"math/rand/v2"
	"time"
)

// rules are the decisions on which safety and calm depend. They are values so that tests can break
// one at a time and see that the checks notice.
type rules struct {
	// anchor is the moment from which the time of a grant counts.
	anchor func(sent, answered instant) instant
	// elapsed is the time believed to have passed, given what the two clocks say.
	elapsed func(mono, wall time.Duration) time.Duration
	// pause is the time between a failed renewal, the nth in a row, and the next try, for a lease
	// of length d.
	pause func(d time.Duration, n int) time.Duration
	// loss says whether a failure means that the lease is not ours any more.
	loss func(error) (Reason, bool)
	// propose is the ID of the next try to acquire, given that of the one before.
	propose func(ID) ID
	// forgive says whether a release that failed for good counts as done after an earlier try
	// without an answer.
	forgive bool
}

// soundRules are the rules. The service sets the end of a lease when it handles the request, which
// is after the request left: counted from there the local end is never later, whatever the network
// does.
func soundRules() *rules {
	return &rules{
		anchor:  func(sent, _ instant) instant { return sent },
		elapsed: func(mono, wall time.Duration) time.Duration { return max(mono, wall) },
		pause:   func(d time.Duration, n int) time.Duration { return jitter(min(d/30<<min(n-1, 3), d/10)) },
		loss:    lossOf,
		propose: func(id ID) ID { return id },
		forgive: true,
	}
}

// The plan of a lease of length d, counted from the moment the last successful request left:
//
//	d/3         renew; after d/6, or maxTry, without an answer pause and try again, and go on to wait for the answer
//	2d/3        at risk: an event
//	d − margin  stop: the context ends
//	d           the service may give the lease to others
func renewAfter(d time.Duration) time.Duration    { return d/3 - jitter(d/30) }
func riskAfter(d time.Duration) time.Duration     { return 2 * d / 3 }
func defaultMargin(d time.Duration) time.Duration { return d / 10 }
func tryTimeout(d time.Duration) time.Duration    { return min(d/6, maxTry) }

// answerTimeout is how long an answer to a renewal is waited for while others are tried: an answer
// that is late by a third of the duration, again and again, still keeps the lock.
func answerTimeout(d time.Duration) time.Duration { return d / 2 }

const (
	// maxTry bounds one request: more than a third of the shortest lease, so that answers which
	// take that long are heard.
	maxTry = 8 * time.Second
	// infiniteRenewal is how often an infinite lease is renewed. It needs no renewal, but its
	// holder has to learn that it was broken.
	infiniteRenewal = 15 * time.Second
)

// jitter returns a random time between half of d and d, so that many holders and waiters don't
// march in step.
func jitter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}
