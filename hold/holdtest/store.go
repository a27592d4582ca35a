// Package holdtest is a small blob store in memory for tests of programs that use leases: enough of
// the protocol for package hold and for the lease, blob, blockblob and container clients of the
// Azure SDK for Go, without a socket.
//
// A [Store] is a transport of the SDK. It reads time from the time package alone, so that inside a
// testing/synctest bubble it runs in virtual time: a lease of a minute ends at once when every
// goroutine waits.
//
//	store := holdtest.NewStore()
//	target := hold.Blob(store.Blob("locks", "nightly"))
//
// It knows create, delete, properties, metadata and content of containers and of blobs as a whole,
// and every lease action on both. Credentials are not looked at.
package holdtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Endpoint is the service URL of every Store. Nothing listens there.
const Endpoint = "https://store.invalid"

// Store is the state of one account. Its methods are safe for concurrent use.
type Store struct {
	// Extensions makes the store offer what Leasehold offers beyond the protocol. Set it before the
	// first request.
	Extensions bool

	// OnGrant, when set, is called with the path of the resource and the lease ID each time a lease
	// goes to an ID that did not hold it, at the moment it does, with the store locked: it must not
	// call back. Set it before the first request.
	OnGrant func(path, id string)

	mu         sync.Mutex
	containers map[string]*resource
	blobs      map[string]*resource // by container/name
	epochs     map[string]uint64    // by path; never lowered, so a deleted resource does not start again
	waiters    map[string][]chan struct{}
	changes    int64 // counts writes; the source of ETags
	requests   int64
}

// resource is a container or a blob.
type resource struct {
	path     string
	lease    lease
	epoch    uint64
	etag     string
	modified time.Time
	meta     map[string]string
	body     []byte
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{
		containers: map[string]*resource{},
		blobs:      map[string]*resource{},
		epochs:     map[string]uint64{},
		waiters:    map[string][]chan struct{}{},
	}
}

// Blob returns a client of the blob and creates the container, but not the blob, if it does not
// exist.
func (s *Store) Blob(containerName, blobName string) *blockblob.Client {
	s.Container(containerName)
	c, err := blockblob.NewClientWithNoCredential(s.url(containerName, blobName), &blockblob.ClientOptions{ClientOptions: s.ClientOptions()})
	if err != nil {
		panic(err) // the URL is built from fixed parts
	}
	return c
}

// Container returns a client of the container, which is created if it does not exist.
func (s *Store) Container(name string) *container.Client {
	s.mu.Lock()
	if s.containers[name] == nil {
		s.containers[name] = s.touch(&resource{path: name})
	}
	s.mu.Unlock()
	c, err := container.NewClientWithNoCredential(s.url(name), &container.ClientOptions{ClientOptions: s.ClientOptions()})
	if err != nil {
		panic(err)
	}
	return c
}

// ClientOptions returns options that make a client of the SDK talk to the store.
func (s *Store) ClientOptions() policy.ClientOptions {
	return policy.ClientOptions{Transport: s}
}

// Requests returns how many requests the store has answered.
func (s *Store) Requests() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Holder returns the ID that holds the lease on the resource, a path of the form container or
// container/blob; "" if nobody holds it, or there is no such resource.
func (s *Store) Holder(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.find(path); r != nil && r.lease.locked(time.Now()) {
		return r.lease.id
	}
	return ""
}

func (s *Store) url(parts ...string) string {
	u := Endpoint
	for _, p := range parts {
		u += "/" + url.PathEscape(p)
	}
	return u
}

// find returns the resource at path, or nil. The store is locked.
func (s *Store) find(path string) *resource {
	if strings.Contains(path, "/") {
		return s.blobs[path]
	}
	return s.containers[path]
}

// touch gives r a new ETag and time of change. The store is locked.
func (s *Store) touch(r *resource) *resource {
	s.changes++
	r.etag = fmt.Sprintf("\"0x%015X\"", s.changes)
	r.modified = time.Now().UTC()
	return r
}

// Do answers one request. It makes a Store a transport of the Azure SDK.
func (s *Store) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	c, err := newCall(req)
	if err != nil {
		return nil, err
	}
	answer := s.answer(c)
	for answer.wait != nil {
		if err := c.pause(answer.wait, answer.until); err != nil {
			return nil, err
		}
		answer = s.answer(c)
	}
	return answer.response(req), nil
}

// answer runs one call as one atomic step.
func (s *Store) answer(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = time.Now()
	r := s.dispatch(c)
	if r.wait == nil {
		s.requests++
		s.wake(c.path)
	}
	return r
}

// wake tells all who wait for the resource to look again. The store is locked.
func (s *Store) wake(path string) {
	for _, w := range s.waiters[path] {
		close(w)
	}
	delete(s.waiters, path)
}

func (s *Store) dispatch(c *call) reply {
	r := s.find(c.path)
	if c.isContainer() != (c.query.Get("restype") == "container") {
		return failed(http.StatusBadRequest, "InvalidQueryParameterValue")
	}
	if r == nil && !(c.method == http.MethodPut && c.comp == "") {
		if c.isContainer() || s.containers[c.containerName()] == nil {
			return failed(http.StatusNotFound, "ContainerNotFound")
		}
		return failed(http.StatusNotFound, "BlobNotFound")
	}
	switch c.method + " " + c.comp {
	case "PUT lease":
		return s.leaseAction(c, r)
	case "PUT metadata":
		return s.setMetadata(c, r)
	case "PUT ":
		return s.put(c, r)
	case "GET ", "HEAD ":
		return s.get(c, r)
	case "DELETE ":
		return s.remove(c, r)
	}
	return failed(http.StatusBadRequest, "InvalidQueryParameterValue")
}

func (s *Store) put(c *call, r *resource) reply {
	if c.isContainer() {
		if r != nil {
			return failed(http.StatusConflict, "ContainerAlreadyExists")
		}
		r = s.touch(&resource{path: c.path, meta: c.metadata()})
		s.containers[c.path] = r
		return done(http.StatusCreated, r)
	}
	if s.containers[c.containerName()] == nil {
		return failed(http.StatusNotFound, "ContainerNotFound")
	}
	if r == nil {
		if c.leaseID() != "" {
			return failed(http.StatusPreconditionFailed, "LeaseNotPresentWithBlobOperation")
		}
		r = &resource{path: c.path, epoch: s.epochs[c.path]}
	} else if code := c.mayWrite(r); code != "" {
		return failed(statusOf(code), code)
	}
	r.body, r.meta = c.body, c.metadata()
	s.blobs[c.path] = s.touch(r)
	return done(http.StatusCreated, r)
}

func (s *Store) setMetadata(c *call, r *resource) reply {
	code := ""
	if c.isContainer() {
		code = c.mayRead(r)
	} else {
		code = c.mayWrite(r)
	}
	if code != "" {
		return failed(statusOf(code), code)
	}
	r.meta = c.metadata()
	return done(http.StatusOK, s.touch(r))
}

func (s *Store) get(c *call, r *resource) reply {
	if code := c.mayRead(r); code != "" {
		return failed(statusOf(code), code)
	}
	a := done(http.StatusOK, r)
	for k, v := range r.meta {
		a.header.Set("x-ms-meta-"+k, v)
	}
	state := r.lease.state(c.now)
	a.header.Set("x-ms-lease-state", state)
	a.header.Set("x-ms-lease-status", map[bool]string{true: "locked", false: "unlocked"}[r.lease.locked(c.now)])
	if state == "leased" {
		a.header.Set("x-ms-lease-duration", map[bool]string{true: "infinite", false: "fixed"}[r.lease.infinite()])
	}
	s.describe(c, r, &a)
	if c.method == http.MethodGet {
		a.body = r.body
	}
	a.header.Set("Content-Length", fmt.Sprint(len(r.body)))
	return a
}

func (s *Store) remove(c *call, r *resource) reply {
	if code := c.mayWrite(r); code != "" {
		return failed(statusOf(code), code)
	}
	if !c.isContainer() {
		delete(s.blobs, c.path)
		return done(http.StatusAccepted, r)
	}
	delete(s.containers, c.path)
	for path := range s.blobs {
		if strings.HasPrefix(path, c.path+"/") {
			delete(s.blobs, path)
		}
	}
	return done(http.StatusAccepted, r)
}
