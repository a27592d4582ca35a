package service

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
)

// TestBusyTellsOnce hands the cause to the log once a minute, not with each refusal.
func TestBusyTellsOnce(t *testing.T) {
	var b busy
	now := time.Unix(1_700_000_000, 0)
	err := fmt.Errorf("%w: 12 bytes are free", kv.ErrReadOnly)
	for i, told := range []bool{true, false, false, true, false} { // 20 s apart
		e, ok := fault.Of(b.answer(err, now))
		if !ok || e.Code != fault.ServerBusy || (e.Cause != nil) != told {
			t.Errorf("refusal %d at %v: %+v, with cause: want %v", i, now, e, told)
		}
		now = now.Add(logEvery / 3)
	}
	if other := errors.New("other"); b.answer(other, now) != other {
		t.Error("another error was changed")
	}
}
