// Package golang tests the running server through the official Go SDK: the lease
// clients, contention between many of them, and what survives SIGKILL.
package golang

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"github.com/leasehold/leasehold/test/harness"
)

// once lets every request show its first answer: no retries.
var once = azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}

// newBox makes a container of its own for a test.
func newBox(t *testing.T, s *harness.Server) *container.Client {
	t.Helper()
	cred, err := container.NewSharedKeyCredential(harness.Account, harness.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(s.URL(harness.Account)+"/go-"+harness.NewID(), cred,
		&container.ClientOptions{ClientOptions: once})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func put(ctx context.Context, c *blockblob.Client, body string, leaseID string) error {
	var o blockblob.UploadOptions
	if leaseID != "" {
		o.AccessConditions = with(leaseID)
	}
	_, err := c.Upload(ctx, streaming.NopCloser(bytes.NewReader([]byte(body))), &o)
	return err
}

func with(leaseID string) *blob.AccessConditions {
	return &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: &leaseID}}
}

func get(ctx context.Context, c *blockblob.Client) (string, error) {
	res, err := c.DownloadStream(ctx, nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// holder makes a lease client for a blob with a fixed ID.
func holder(t *testing.T, c *blockblob.Client, id string) *lease.BlobClient {
	t.Helper()
	l, err := lease.NewBlobClient(c, &lease.BlobClientOptions{LeaseID: &id})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// refusal returns "status code" of an error of the service, and the error's
// text of any other.
func refusal(err error) string {
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		return fmt.Sprintf("%d %s", r.StatusCode, r.ErrorCode)
	}
	return fmt.Sprint(err)
}

func wantRefusal(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := refusal(err); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestBlobLease(t *testing.T) {
	s := harness.Start(t, nil)
	ctx := t.Context()
	c := newBox(t, s).NewBlockBlobClient("dir/state")
	if err := put(ctx, c, "one", ""); err != nil {
		t.Fatal(err)
	}
	id := harness.NewID()
	l := holder(t, c, id)

	acquired, err := l.AcquireLease(ctx, 30, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *acquired.LeaseID != id || acquired.ETag == nil || acquired.LastModified == nil {
		t.Errorf("acquire answered %+v, want the ID %s, an ETag and a time", acquired, id)
	}
	wantState(t, c, lease.StateTypeLeased, to.Ptr(lease.DurationTypeFixed))
	_, err = holder(t, c, harness.NewID()).AcquireLease(ctx, 30, nil)
	wantRefusal(t, "acquire by another", err, "409 LeaseAlreadyPresent")

	wantRefusal(t, "write without the ID", put(ctx, c, "x", ""), "412 LeaseIdMissing")
	wantRefusal(t, "write with another ID", put(ctx, c, "x", harness.NewID()), "412 LeaseIdMismatchWithBlobOperation")
	if err := put(ctx, c, "two", id); err != nil {
		t.Errorf("write with the ID: %v", err)
	}

	if _, err := l.RenewLease(ctx, nil); err != nil {
		t.Errorf("renew: %v", err)
	}
	next := harness.NewID()
	if _, err := l.ChangeLease(ctx, next, nil); err != nil {
		t.Errorf("change: %v", err)
	}
	wantRefusal(t, "write with the old ID", put(ctx, c, "x", id), "412 LeaseIdMismatchWithBlobOperation")
	if _, err := l.ReleaseLease(ctx, nil); err != nil {
		t.Errorf("release: %v", err)
	}
	wantState(t, c, lease.StateTypeAvailable, nil)
	_, err = l.BreakLease(ctx, nil)
	wantRefusal(t, "break after release", err, "409 LeaseNotPresentWithLeaseOperation")
	if body, err := get(ctx, c); err != nil || body != "two" {
		t.Errorf("content %q, %v; want what the holder wrote", body, err)
	}
}

func TestBreak(t *testing.T) {
	s := harness.Start(t, nil)
	ctx := t.Context()
	c := newBox(t, s).NewBlockBlobClient("state")
	if err := put(ctx, c, "one", ""); err != nil {
		t.Fatal(err)
	}
	l := holder(t, c, harness.NewID())
	if _, err := l.AcquireLease(ctx, -1, nil); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, lease.StateTypeLeased, to.Ptr(lease.DurationTypeInfinite))
	broken, err := l.BreakLease(ctx, &lease.BlobBreakOptions{BreakPeriod: to.Ptr(int32(60))})
	if err != nil {
		t.Fatal(err)
	}
	if n := *broken.LeaseTime; n != 60 && n != 59 {
		t.Errorf("a break in 60 seconds leaves %d", n)
	}
	wantState(t, c, lease.StateTypeBreaking, nil)
	_, err = l.RenewLease(ctx, nil)
	wantRefusal(t, "renew while breaking", err, "409 LeaseIsBrokenAndCannotBeRenewed")
	if broken, err = l.BreakLease(ctx, &lease.BlobBreakOptions{BreakPeriod: to.Ptr(int32(0))}); err != nil {
		t.Fatal(err)
	}
	if n := *broken.LeaseTime; n != 0 {
		t.Errorf("a break at once leaves %d seconds", n)
	}
	wantState(t, c, lease.StateTypeBroken, nil)
	if err := put(ctx, c, "two", ""); err != nil {
		t.Errorf("write after the break: %v", err)
	}
	wantState(t, c, lease.StateTypeAvailable, nil)
}

func TestContainerLease(t *testing.T) {
	s := harness.Start(t, nil)
	ctx := t.Context()
	box := newBox(t, s)
	id := harness.NewID()
	l, err := lease.NewContainerClient(box, &lease.ContainerClientOptions{LeaseID: &id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.AcquireLease(ctx, 15, nil); err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, box.NewBlockBlobClient("free"), "x", ""); err != nil {
		t.Errorf("a lease on the container stops a write inside: %v", err)
	}
	_, err = box.Delete(ctx, nil)
	wantRefusal(t, "delete without the ID", err, "412 LeaseIdMissing")
	_, err = box.Delete(ctx, &container.DeleteOptions{AccessConditions: &container.AccessConditions{
		LeaseAccessConditions: &container.LeaseAccessConditions{LeaseID: &id},
	}})
	if err != nil {
		t.Errorf("delete with the ID: %v", err)
	}
}

func wantState(t *testing.T, c *blockblob.Client, state lease.StateType, duration *lease.DurationType) {
	t.Helper()
	p, err := c.GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *p.LeaseState != state {
		t.Errorf("lease state %s, want %s", *p.LeaseState, state)
	}
	switch {
	case duration == nil && p.LeaseDuration != nil:
		t.Errorf("lease duration %s in state %s, want none", *p.LeaseDuration, state)
	case duration != nil && (p.LeaseDuration == nil || *p.LeaseDuration != *duration):
		t.Errorf("lease duration %v, want %s", p.LeaseDuration, *duration)
	}
}
