package golang

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/leasehold/leasehold/test/harness"
)

// leaseSeconds is long enough for all rounds, so that a lease that has gone was
// lost, not over.
const leaseDuration = 60 * time.Second

// A claim is what one worker was told about its blob, and what it had asked for
// without hearing the answer.
type claim struct {
	blob    *blockblob.Client
	written bool     // some write was acknowledged
	bodies  []string // contents it may have: the last acknowledged, then one asked for since
	ids     []string // likewise the lease IDs; empty while no lease is acknowledged

	asked, acquired time.Time // when the lease was asked for, and acknowledged
}

// TestKill kills the server under load with SIGKILL, several times over, and
// checks each time that every acknowledged write and lease is there, with its ID and
// its remaining time, and that nobody else gets a lease that is held.
func TestKill(t *testing.T) {
	const workers, kills, answers = 16, 3, 200
	s := harness.Start(t, nil)
	s.NeedOwn()
	box := newBox(t, s)
	var claims []*claim
	for kill := range kills {
		claims = append(claims, loadUntilKilled(t, s, box, fmt.Sprintf("k%d", kill), workers, answers)...)
		s.Restart()
		checkClaims(t, claims)
		if t.Failed() {
			t.Fatalf("after kill %d of %d", kill+1, kills)
		}
	}
	t.Logf("%d blobs, %d kills", len(claims), kills)
}

// loadUntilKilled has workers write and lease blobs of their own until they have
// had the given number of answers together, kills the server among
// their requests, and returns what they know.
func loadUntilKilled(t *testing.T, s *harness.Server, box *container.Client, prefix string, workers, answers int) []*claim {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var answered atomic.Int64
	enough := make(chan struct{})
	var ended sync.Once
	var mu sync.Mutex
	var claims []*claim
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			// The first error is the kill: nothing here can be refused.
			for n := 0; ; n++ {
				c := &claim{blob: box.NewBlockBlobClient(fmt.Sprintf("%s/%d/%d", prefix, w, n))}
				mu.Lock()
				claims = append(claims, c)
				mu.Unlock()
				for _, step := range []func(context.Context) error{c.write, c.acquire, c.write, c.change, c.write} {
					if step(ctx) != nil {
						return
					}
					if answered.Add(1) == int64(answers) {
						ended.Do(func() { close(enough) })
					}
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
		t.Errorf("only %d answers in a minute", answered.Load())
	}
	s.Kill()
	all.Wait()
	return claims
}

func (c *claim) id() string {
	if len(c.ids) == 0 {
		return ""
	}
	return c.ids[0]
}

func (c *claim) write(ctx context.Context) error {
	body := harness.NewID()
	c.bodies = append(c.bodies, body)
	if err := put(ctx, c.blob, body, c.id()); err != nil {
		return err
	}
	c.written, c.bodies = true, []string{body}
	return nil
}

func (c *claim) acquire(ctx context.Context) error {
	id := harness.NewID()
	l, err := lease.NewBlobClient(c.blob, &lease.BlobClientOptions{LeaseID: &id})
	if err != nil {
		return err
	}
	c.asked = time.Now()
	if _, err := l.AcquireLease(ctx, int32(leaseDuration/time.Second), nil); err != nil {
		return err
	}
	c.ids, c.acquired = []string{id}, time.Now()
	return nil
}

func (c *claim) change(ctx context.Context) error {
	next := harness.NewID()
	l, err := lease.NewBlobClient(c.blob, &lease.BlobClientOptions{LeaseID: to.Ptr(c.id())})
	if err != nil {
		return err
	}
	c.ids = append(c.ids, next)
	if _, err := l.ChangeLease(ctx, next, nil); err != nil {
		return err
	}
	c.ids = []string{next}
	return nil
}

// checkClaims compares what the workers know with what the server says now.
func checkClaims(t *testing.T, claims []*claim) {
	t.Helper()
	ctx := t.Context()
	for _, c := range claims {
		if !c.written {
			// It may be there or not, but what is there must be whole.
			body, err := get(ctx, c.blob)
			if err == nil && !slices.Contains(c.bodies, body) || err != nil && refusal(err) != "404 BlobNotFound" {
				t.Errorf("%s: content %q, %v", c.blob.URL(), body, err)
			}
			continue
		}
		body, err := get(ctx, c.blob)
		if err != nil {
			t.Errorf("%s: acknowledged, now %v", c.blob.URL(), err)
			continue
		}
		if !slices.Contains(c.bodies, body) {
			t.Errorf("%s: content %q, want one of %q", c.blob.URL(), body, c.bodies)
		}
		if len(c.ids) > 0 {
			c.checkLease(t)
		}
	}
}

// checkLease checks that the lease is held with an ID that the worker knows, keeps
// others out, and has the time left that it should have.
func (c *claim) checkLease(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	_, err := holder(t, c.blob, harness.NewID()).AcquireLease(ctx, 15, nil)
	wantRefusal(t, c.blob.URL()+": acquire by a stranger", err, "409 LeaseAlreadyPresent")
	wantRefusal(t, c.blob.URL()+": write by a stranger", put(ctx, c.blob, "x", ""), "412 LeaseIdMissing")

	body := harness.NewID()
	held := ""
	for _, id := range c.ids {
		if put(ctx, c.blob, body, id) == nil {
			held = id
		}
	}
	if held == "" {
		t.Errorf("%s: none of the IDs %q may write", c.blob.URL(), c.ids)
		return
	}
	c.ids, c.bodies = []string{held}, []string{body}
	c.checkTime(t, held)
}

// checkTime checks how much of the lease is left. A break without a period says so,
// and changes neither the end nor the ID: the blob stays locked until then.
func (c *claim) checkTime(t *testing.T, id string) {
	t.Helper()
	before := time.Now()
	broken, err := holder(t, c.blob, id).BreakLease(t.Context(), nil)
	if err != nil {
		t.Errorf("%s: break: %v", c.blob.URL(), err)
		return
	}
	left := time.Duration(*broken.LeaseTime) * time.Second
	most := leaseDuration - before.Sub(c.acquired)
	least := leaseDuration - time.Since(c.asked) - time.Second // the answer is rounded down
	if left > most || left < least {
		t.Errorf("%s: %v left of the lease, want between %v and %v", c.blob.URL(), left, least, most)
	}
}
