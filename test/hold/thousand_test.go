package hold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/test/harness"
)

// TestThousandLocks keeps a thousand locks of the shortest duration for a minute, all by this
// process.
func TestThousandLocks(t *testing.T) {
	harness.Long(t)
	const n = 1000
	s := harness.Start(t, nil)
	d := newDialer(nil)
	box := newContainer(t, s, d)
	locks := make([]*hold.Lock, n)
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < n; i += 16 {
				c, err := hold.New(hold.Blob(box.NewBlockBlobClient(fmt.Sprint("lock", i))), &hold.Options{Extensions: true})
				if err == nil {
					locks[i], err = c.TryLock(t.Context(), &hold.LockOptions{Duration: leaseTime, CreateIfMissing: true})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	dialed, before := d.dials.Load(), [2]time.Duration{processorTime(t, os.Getpid()), processorTime(t, s.PID())}
	<-time.After(time.Minute)
	t.Logf("%d locks in a minute: processor time of the holder %v, of the server %v; %d connections made before, %d meanwhile",
		n, processorTime(t, os.Getpid())-before[0], processorTime(t, s.PID())-before[1], dialed, d.dials.Load()-dialed)
	for i, l := range locks {
		if err := l.Context().Err(); err != nil {
			t.Errorf("lock %d is lost: %v", i, err)
		}
	}
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < n; i += 16 {
				if err := locks[i].Release(t.Context()); err != nil {
					t.Errorf("lock %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
}

// processorTime returns what a process has used since its start; 0 where the system has no /proc,
// or the process is not one of the test.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	// The fields after the name, which is in parentheses: utime and stime are the 14th and 15th of
	// all, in ticks.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}
