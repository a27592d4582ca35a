package hold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/pageblob"
)

// Target is what is leased: one blob or one container. Make one with [Blob], [Container] or [Open];
// the zero value is of no use.
type Target struct{ r resource }

// String returns the URL without its query, which may hold a signature.
func (t Target) String() string {
	if t.r == nil {
		return ""
	}
	u, _, _ := strings.Cut(t.r.url(), "?")
	return u
}

// Blob is the target of leases on the blob of c. With CreateIfMissing a client of block, append or
// page blobs makes an empty blob of its kind; a plain [blob.Client] can't make one.
func Blob[T appendblob.Client | blob.Client | blockblob.Client | pageblob.Client](c *T) Target {
	once := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: new(azcore.ETagAny)}}
	var r blobResource
	switch c := any(c).(type) {
	case *appendblob.Client:
		r.c, r.make = c.BlobClient(), func(ctx context.Context) error {
			_, err := c.Create(ctx, &appendblob.CreateOptions{AccessConditions: once})
			return err
		}
	case *blockblob.Client:
		r.c, r.make = c.BlobClient(), func(ctx context.Context) error {
			_, err := c.Upload(ctx, streaming.NopCloser(bytes.NewReader(nil)), &blockblob.UploadOptions{AccessConditions: once})
			return err
		}
	case *pageblob.Client:
		r.c, r.make = c.BlobClient(), func(ctx context.Context) error {
			_, err := c.Create(ctx, 0, &pageblob.CreateOptions{AccessConditions: once})
			return err
		}
	case *blob.Client:
		r.c, r.make = c, func(context.Context) error {
			return errors.New("hold: CreateIfMissing needs a client of block, append or page blobs")
		}
	}
	return Target{&r}
}

// Container is the target of leases on the container of c. Such a lease guards against deletion of
// the container and says nothing about the blobs in it.
func Container(c *container.Client) Target { return Target{&containerResource{c}} }

// Open returns the target at a URL of the form https://HOST/CONTAINER[/BLOB], or
// https://HOST/ACCOUNT/CONTAINER[/BLOB] when HOST is an address or localhost. With cred nil the URL
// has to hold a shared access signature, or to be public. For an account key make a client of the
// SDK and use [Blob] or [Container].
func Open(rawURL string, cred azcore.TokenCredential, o *azblob.ClientOptions) (Target, error) {
	isBlob, err := namesBlob(rawURL)
	if err != nil {
		return Target{}, err
	}
	if isBlob {
		c, err := openBlob(rawURL, cred, (*blockblob.ClientOptions)(o))
		if err != nil {
			return Target{}, fmt.Errorf("hold: open: %w", err)
		}
		return Blob(c), nil
	}
	c, err := openContainer(rawURL, cred, (*container.ClientOptions)(o))
	if err != nil {
		return Target{}, fmt.Errorf("hold: open: %w", err)
	}
	return Container(c), nil
}

func openBlob(rawURL string, cred azcore.TokenCredential, o *blockblob.ClientOptions) (*blockblob.Client, error) {
	if cred == nil {
		return blockblob.NewClientWithNoCredential(rawURL, o)
	}
	return blockblob.NewClient(rawURL, cred, o)
}

func openContainer(rawURL string, cred azcore.TokenCredential, o *container.ClientOptions) (*container.Client, error) {
	if cred == nil {
		return container.NewClientWithNoCredential(rawURL, o)
	}
	return container.NewClient(rawURL, cred, o)
}

// namesBlob reports whether a URL names a blob (true) or a container (false).
func namesBlob(rawURL string) (bool, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false, fmt.Errorf("hold: open: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return false, errors.New("hold: open: the URL needs a scheme, http or https, and a host")
	}
	path := strings.TrimPrefix(u.Path, "/")
	if net.ParseIP(u.Hostname()) != nil || u.Hostname() == "localhost" {
		_, path, _ = strings.Cut(path, "/") // the account
	}
	name, blobName, _ := strings.Cut(path, "/")
	if name == "" {
		return false, errors.New("hold: open: the URL names no container")
	}
	return blobName != "", nil
}

// resource is the SDK's client of a blob or container, reduced to what leases need. Errors are
// those of the SDK.
type resource interface {
	url() string
	acquire(ctx context.Context, id ID, seconds int32, o *blob.ModifiedAccessConditions) (Grant, error)
	renew(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) (Grant, error)
	change(ctx context.Context, id, to ID, o *blob.ModifiedAccessConditions) (Grant, error)
	release(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) error
	breakLease(ctx context.Context, seconds *int32, o *blob.ModifiedAccessConditions) (int32, error)
	inspect(ctx context.Context) (Info, error)
	// setMetadata replaces all metadata under a lease. Only a blob heeds the ETag.
	setMetadata(ctx context.Context, m map[string]*string, id ID, etag azcore.ETag) error
	create(ctx context.Context) error // fails when it exists
	remove(ctx context.Context, id ID) error
}

type blobResource struct {
	c    *blob.Client
	make func(context.Context) error
}

func (r *blobResource) url() string { return r.c.URL() }

// lease returns the SDK's lease client, which costs one allocation and no request.
func (r *blobResource) lease(id ID) *lease.BlobClient {
	c, err := lease.NewBlobClient(r.c, &lease.BlobClientOptions{LeaseID: id.ptr()})
	if err != nil {
		panic(err) // only an unknown type of client fails
	}
	return c
}

func (r *blobResource) acquire(ctx context.Context, id ID, seconds int32, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).AcquireLease(ctx, seconds, &lease.BlobAcquireOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *blobResource) renew(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).RenewLease(ctx, &lease.BlobRenewOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *blobResource) change(ctx context.Context, id, to ID, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).ChangeLease(ctx, string(to), &lease.BlobChangeOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *blobResource) release(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) error {
	_, err := r.lease(id).ReleaseLease(ctx, &lease.BlobReleaseOptions{ModifiedAccessConditions: o})
	return err
}

func (r *blobResource) breakLease(ctx context.Context, seconds *int32, o *blob.ModifiedAccessConditions) (int32, error) {
	a, err := r.lease("").BreakLease(ctx, &lease.BlobBreakOptions{BreakPeriod: seconds, ModifiedAccessConditions: o})
	return value(a.LeaseTime), err
}

func (r *blobResource) inspect(ctx context.Context) (Info, error) {
	a, err := r.c.GetProperties(ctx, nil)
	if err != nil {
		return Info{}, err
	}
	return newInfo(a.LeaseState, a.LeaseDuration, a.ETag, a.LastModified, a.Metadata), nil
}

func (r *blobResource) setMetadata(ctx context.Context, m map[string]*string, id ID, etag azcore.ETag) error {
	_, err := r.c.SetMetadata(ctx, m, &blob.SetMetadataOptions{AccessConditions: &blob.AccessConditions{
		LeaseAccessConditions:    &blob.LeaseAccessConditions{LeaseID: id.ptr()},
		ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag},
	}})
	return err
}

func (r *blobResource) create(ctx context.Context) error { return r.make(ctx) }

func (r *blobResource) remove(ctx context.Context, id ID) error {
	_, err := r.c.Delete(ctx, &blob.DeleteOptions{AccessConditions: &blob.AccessConditions{
		LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: id.ptr()},
	}})
	return err
}

type containerResource struct{ c *container.Client }

func (r *containerResource) url() string { return r.c.URL() }

func (r *containerResource) lease(id ID) *lease.ContainerClient {
	c, err := lease.NewContainerClient(r.c, &lease.ContainerClientOptions{LeaseID: id.ptr()})
	if err != nil {
		panic(err) // as for blobs
	}
	return c
}

func (r *containerResource) acquire(ctx context.Context, id ID, seconds int32, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).AcquireLease(ctx, seconds, &lease.ContainerAcquireOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *containerResource) renew(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).RenewLease(ctx, &lease.ContainerRenewOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *containerResource) change(ctx context.Context, id, to ID, o *blob.ModifiedAccessConditions) (Grant, error) {
	a, err := r.lease(id).ChangeLease(ctx, string(to), &lease.ContainerChangeOptions{ModifiedAccessConditions: o})
	return newGrant(a.LeaseID, a.ETag, a.LastModified), err
}

func (r *containerResource) release(ctx context.Context, id ID, o *blob.ModifiedAccessConditions) error {
	_, err := r.lease(id).ReleaseLease(ctx, &lease.ContainerReleaseOptions{ModifiedAccessConditions: o})
	return err
}

func (r *containerResource) breakLease(ctx context.Context, seconds *int32, o *blob.ModifiedAccessConditions) (int32, error) {
	a, err := r.lease("").BreakLease(ctx, &lease.ContainerBreakOptions{BreakPeriod: seconds, ModifiedAccessConditions: o})
	return value(a.LeaseTime), err
}

func (r *containerResource) inspect(ctx context.Context) (Info, error) {
	a, err := r.c.GetProperties(ctx, nil)
	if err != nil {
		return Info{}, err
	}
	return newInfo(a.LeaseState, a.LeaseDuration, a.ETag, a.LastModified, a.Metadata), nil
}

func (r *containerResource) setMetadata(ctx context.Context, m map[string]*string, id ID, _ azcore.ETag) error {
	_, err := r.c.SetMetadata(ctx, &container.SetMetadataOptions{
		Metadata: m, LeaseAccessConditions: &container.LeaseAccessConditions{LeaseID: id.ptr()},
	})
	return err
}

func (r *containerResource) create(ctx context.Context) error {
	_, err := r.c.Create(ctx, nil)
	return err
}

// remove is refused: a lock that deletes a container with all its blobs would be a trap.
func (r *containerResource) remove(context.Context, ID) error {
	return errors.New("hold: a container is not deleted on release")
}
