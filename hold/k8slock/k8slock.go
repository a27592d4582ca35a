// Package k8slock elects leaders with the leader election of Kubernetes' client-go, but keeps the
// record of the leader in a blob under a lease: controllers can run, and agree on one of them,
// without an API server.
//
//	lock, err := k8slock.New(blobClient, identity, nil)
//	…
//	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
//		Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, …
//	})
//
// The elector of client-go decides by its own clock when a leader is gone. Here the store has the
// last word: every update by a leader leases the blob for the LeaseDuration, so no other candidate
// can write the record before that time has passed since the last successful update. LeaseDuration
// has to be at most 60 s; below 15 s the lease still lasts 15 s.
//
// Programs that don't need client-go's election are better off with hold.Election.
//
// It is a module of its own, so that users of package hold don't depend on client-go.
package k8slock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/leasehold/leasehold/hold"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Options are the settings of a Lock; nil means none.
type Options struct {
	// OnEvent is told what the elector records: that this candidate became or stopped being the
	// leader.
	OnEvent func(string)
}

// Lock is a resource lock of one candidate. The record is the content of the blob, as JSON; an
// empty blob is no record.
type Lock struct {
	c        *blockblob.Client
	leases   *hold.Client
	identity string
	onEvent  func(string)

	mu   sync.Mutex
	id   hold.ID     // proposed by every acquire, so that each also renews
	etag azcore.ETag // of the record as this candidate last saw or wrote it
	held bool        // by this candidate, as far as it knows
}

var _ resourcelock.Interface = (*Lock)(nil)

// New returns the lock of a candidate with a unique identity. The blob is created when needed; its
// container has to exist.
func New(c *blockblob.Client, identity string, o *Options) (*Lock, error) {
	if identity == "" {
		return nil, errors.New("k8slock: a candidate needs an identity")
	}
	leases, err := hold.New(hold.Blob(c), nil)
	if err != nil {
		return nil, err
	}
	l := &Lock{c: c, leases: leases, identity: identity, id: hold.NewID()}
	if o != nil {
		l.onEvent = o.OnEvent
	}
	return l, nil
}

// Get returns the record and its JSON text. Without one the error satisfies apierrors.IsNotFound.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer, err := l.c.DownloadStream(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, nil, l.notFound()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("k8slock: get: %w", err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		return nil, nil, fmt.Errorf("k8slock: get: %w", err)
	}
	if text.Len() == 0 {
		return nil, nil, l.notFound()
	}
	var record resourcelock.LeaderElectionRecord
	if err := json.Unmarshal(text.Bytes(), &record); err != nil {
		return nil, nil, fmt.Errorf("k8slock: the blob holds no record: %w", err)
	}
	if answer.ETag != nil {
		l.etag = *answer.ETag
	}
	return &record, text.Bytes(), nil
}

func (l *Lock) notFound() error { return apierrors.NewNotFound(resource, l.Describe()) }

var resource = schema.GroupResource{Resource: "blobs"}

// Create writes the first record. It fails if there is one, or if another candidate holds the
// lease.
func (l *Lock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	etag, err := l.write(ctx, nil, &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: new(azcore.ETagAny)}})
	switch {
	case bloberror.HasCode(err, bloberror.LeaseIDMissing):
		return apierrors.NewAlreadyExists(resource, l.Describe())
	case bloberror.HasCode(err, bloberror.BlobAlreadyExists):
		p, err := l.c.GetProperties(ctx, nil)
		if err != nil {
			return fmt.Errorf("k8slock: create: %w", err)
		}
		if p.ContentLength == nil || *p.ContentLength > 0 || p.ETag == nil {
			return apierrors.NewAlreadyExists(resource, l.Describe())
		}
		etag = *p.ETag
	case err != nil:
		return fmt.Errorf("k8slock: create: %w", err)
	}
	l.etag = etag
	return l.update(ctx, r)
}

// Update writes a record. If it names this candidate as the holder, the lease is taken or renewed
// first; if it names nobody, the lease is released afterwards. It fails if another candidate holds
// the lease, or if the record changed since this candidate last saw it.
func (l *Lock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.etag == "" {
		return errors.New("k8slock: update before get or create")
	}
	return l.update(ctx, r)
}

func (l *Lock) update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	before := l.held
	if r.HolderIdentity == l.identity {
		d := time.Duration(r.LeaseDurationSeconds) * time.Second
		if d > time.Minute {
			return fmt.Errorf("k8slock: a LeaseDuration of %v: a lease has at most 60 s", d)
		}
		if _, err := l.leases.Acquire(ctx, max(d, 15*time.Second), &hold.AcquireOptions{ProposedID: l.id}); err != nil {
			// Without an answer the lease may still be held.
			l.held = l.held && !errors.Is(err, hold.ErrHeld) && !errors.Is(err, hold.ErrNotFound)
			return err
		}
		l.held = true
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("k8slock: update: %w", err)
	}
	conditions := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &l.etag}}
	if l.held {
		conditions.LeaseAccessConditions = &blob.LeaseAccessConditions{LeaseID: new(string(l.id))}
	}
	etag, err := l.write(ctx, text, conditions)
	if err == nil {
		l.etag = etag
	}
	if l.held && (err == nil && r.HolderIdentity == "" || err != nil && !before) {
		// Given up, or taken in vain. If this fails, the lease ends by itself.
		l.leases.Release(context.WithoutCancel(ctx), l.id, nil)
		l.held = false
	}
	if err != nil {
		return fmt.Errorf("k8slock: update: %w", err)
	}
	return nil
}

func (l *Lock) write(ctx context.Context, text []byte, conditions *blob.AccessConditions) (azcore.ETag, error) {
	answer, err := l.c.Upload(ctx, streaming.NopCloser(bytes.NewReader(text)), &blockblob.UploadOptions{
		AccessConditions: conditions, HTTPHeaders: &blob.HTTPHeaders{BlobContentType: new("application/json")},
	})
	if err != nil || answer.ETag == nil {
		return "", err
	}
	return *answer.ETag, nil
}

// RecordEvent passes an event on to Options.OnEvent.
func (l *Lock) RecordEvent(s string) {
	if l.onEvent != nil {
		l.onEvent(s)
	}
}

// Identity returns the identity of the candidate.
func (l *Lock) Identity() string { return l.identity }

// Describe returns the URL of the blob.
func (l *Lock) Describe() string { return l.leases.Target().String() }
