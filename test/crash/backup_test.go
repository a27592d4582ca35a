package crash

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestBackupUnderLoad makes a backup while clients overwrite and delete, and starts a server
// on it: all that was acknowledged before the backup began is there, leases too.
func TestBackupUnderLoad(t *testing.T) {
	s := harness.Start(t, nil)
	s.NeedOwn()
	box := newBox(t, s, harness.Account, harness.Key)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var before []*subject
	for i := range 20 {
		b := &subject{box: box, name: fmt.Sprint("before/", i)}
		b.is = state{exists: true, body: strings.Repeat(harness.NewID(), 1+i%2*2000)}
		if err := b.put(ctx, b.is.body); err != nil {
			t.Fatal(err)
		}
		b.is.lease = harness.NewID()
		if _, err := b.holder(b.is.lease).AcquireLease(ctx, -1, nil); err != nil {
			t.Fatal(err)
		}
		before = append(before, b)
	}
	var load sync.WaitGroup
	for w := range 8 {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				b := &subject{box: box, name: fmt.Sprintf("load/%d/%d", w, n%5)}
				err := b.put(ctx, strings.Repeat("load", 1+n%4*40_000))
				if n%3 == 0 && err == nil {
					_, err = b.block().Delete(ctx, nil)
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("load: %v", err)
					return
				}
			}
		})
	}
	to := filepath.Join(t.TempDir(), "backup")
	for i := range 2 {
		to = fmt.Sprint(to, i)
		if out, err := exec.Command(harness.Binary(t), "backup", "--data", s.Data, "--to", to).CombinedOutput(); err != nil {
			t.Fatalf("backup: %v\n%s", err, out)
		}
	}
	stop()
	load.Wait()
	s.Stop()
	s.Data = to
	checkFolder(t, s)
	s.Restart()
	for _, b := range before {
		b.matches(t, b.is, true)
	}
}
