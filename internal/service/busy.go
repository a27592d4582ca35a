package service

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/segment"
)

const (
	// retryAfter is how many seconds a client is asked to wait while the store can't write.
	retryAfter = "10"
	// logEvery is how often the log says why the store can't write.
	logEvery = time.Minute
)

// busy turns the error of a store that can't write for now into ServerBusy, after which clients try
// again.
type busy struct {
	lastLogged atomic.Int64 // when a cause was last handed to the log, nanoseconds since 1970
}

// answer returns the failure to answer for err. It carries the cause, which the request log shows,
// at the first refusal and then once every logEvery: while a disk is full, every write is refused.
func (b *busy) answer(err error, now time.Time) error {
	if !errors.Is(err, kv.ErrReadOnly) && !errors.Is(err, segment.ErrFull) {
		return err
	}
	refusal := &fault.Error{Code: fault.ServerBusy, Header: []fault.Detail{{Name: "Retry-After", Value: retryAfter}}}
	last := b.lastLogged.Load()
	due := last == 0 || now.UnixNano()-last >= int64(logEvery)
	if due && b.lastLogged.CompareAndSwap(last, now.UnixNano()) {
		refusal.Cause = err
	}
	return refusal
}
