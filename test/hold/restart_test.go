package hold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/test/harness"
)

// drain is how long the server lets uploads go on, and slack what a stop may take beyond that on a
// busy machine.
const (
	drain = 5 * time.Second
	slack = 4 * time.Second
)

// TestRestartLosesNoLock restarts the server while locks of 15 s are held, a request waits for one
// of them, and an upload goes on that never ends by itself.
func TestRestartLosesNoLock(t *testing.T) {
	restarts, holders := 1, 10
	if long() {
		restarts, holders = 20, 50
	}
	s := harness.Start(t, &harness.Options{Metrics: true})
	s.NeedOwn()
	box := newContainer(t, s, newDialer(nil))
	o := &hold.LockOptions{Duration: 15 * time.Second, CreateIfMissing: true}
	var locks []*hold.Lock
	for k := range holders {
		c, err := hold.New(hold.Blob(box.NewBlockBlobClient(fmt.Sprintf("lock-%d", k))), nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.TryLock(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release(context.WithoutCancel(t.Context()))
		locks = append(locks, l)
	}
	for n := range restarts {
		waiter := waitAtServer(t, s, box.NewBlockBlobClient("lock-0"))
		upload := uploadSlowly(t, box)
		start := time.Now()
		s.Stop()
		if took := time.Since(start); took > drain+slack {
			t.Errorf("restart %d: the server took %v to stop", n, took)
		}
		if err := <-waiter; err != nil {
			t.Errorf("restart %d: the request that waited: %v", n, err)
		}
		if err := <-upload; err == nil {
			t.Errorf("restart %d: the upload was done, which has no end", n)
		}
		s.Restart()
		for k, l := range locks {
			if l.Context().Err() != nil {
				t.Fatalf("restart %d: lock %d: %v", n, k, context.Cause(l.Context()))
			}
		}
	}
	for k, l := range locks {
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("lock %d: %v", k, err)
		}
	}
}

// waitAtServer sends a request that waits for a lease that is held. It is to be sent away as soon
// as the server is told to stop, with an answer after which an SDK tries again.
func waitAtServer(t *testing.T, s *harness.Server, blob *blockblob.Client) <-chan error {
	t.Helper()
	c, err := hold.New(hold.Blob(blob), &hold.Options{Extensions: true})
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	ctx := policy.WithRetryOptions(t.Context(), policy.RetryOptions{MaxRetries: -1})
	go func() {
		_, err := c.Acquire(ctx, 15*time.Second, &hold.AcquireOptions{Wait: 50 * time.Second})
		var answer *azcore.ResponseError
		switch {
		case err == nil:
			outcome <- errors.New("it has the lease")
		case !errors.As(err, &answer):
			outcome <- fmt.Errorf("no answer: %w", err)
		case answer.StatusCode != http.StatusServiceUnavailable || !bloberror.HasCode(err, bloberror.ServerBusy):
			outcome <- err
		case answer.RawResponse.Header.Get("Retry-After") == "":
			outcome <- errors.New("no Retry-After")
		default:
			outcome <- nil
		}
	}()
	inQueue(t, s, 1)
	return outcome
}

// uploadSlowly begins an upload that brings some bytes now and then, and returns when it goes on.
func uploadSlowly(t *testing.T, box *container.Client) <-chan error {
	t.Helper()
	body := &drops{began: make(chan struct{})}
	outcome := make(chan error, 1)
	ctx := policy.WithRetryOptions(t.Context(), policy.RetryOptions{MaxRetries: -1})
	go func() {
		_, err := box.NewBlockBlobClient("slow").Upload(ctx, body, nil)
		outcome <- err
	}()
	<-body.began
	return outcome
}

// drops is a body of a gigabyte that takes hours.
type drops struct {
	began chan struct{}
	n     int
}

func (d *drops) Read(p []byte) (int, error) {
	if d.n++; d.n == 3 {
		close(d.began)
	}
	if d.n > 1 {
		<-time.After(50 * time.Millisecond)
	}
	return min(len(p), 16<<10), nil
}

// Seek implements io.Seeker, for the length.
func (d *drops) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return 1 << 30, nil
	}
	return offset, nil
}

// Close implements io.Closer.
func (d *drops) Close() error { return nil }
