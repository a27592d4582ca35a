// Package linear holds the service against the rules of package lease: what many clients are
// answered at the same time has to be what one after the other would have been.
package linear

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	azlease "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	cryptorand "crypto/rand"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/pebble"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment/disk"
	"github.com/leasehold/leasehold/internal/service"
	"github.com/leasehold/leasehold/internal/wire"
	"github.com/leasehold/leasehold/test/harness"
)

// wall is a wall clock that a test sets.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// world is the service over its engines on a folder, and its clients.
type world struct {
	t        *testing.T
	dir      string
	lens     func(kv.DB) kv.DB
	wall     *wall
	offset   time.Duration // of the store's time to the wall clock, unless it waits
	db       *pebble.DB
	seen     kv.DB // db through the lens
	segments *disk.Store
	service  *service.Service
	box      *container.Client
}

func newWorld(t *testing.T, lens func(kv.DB) kv.DB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), lens: lens, wall: &wall{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}}
	w.open()
	t.Cleanup(w.close)
	cred, err := container.NewSharedKeyCredential(harness.Account, harness.Key)
	if err != nil {
		t.Fatal(err)
	}
	w.box, err = container.NewClientWithSharedKeyCredential("http://127.0.0.1/"+harness.Account+"/box", cred, &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}, Transport: w, Telemetry: policy.TelemetryOptions{Disabled: true}},
	})
	if err == nil {
		_, err = w.box.Create(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.db, err = pebble.Open(w.dir+"/kv", &pebble.Options{Clock: w.wall.Now, CheckDeclared: true, CacheBytes: 1 << 20}); err != nil {
		w.t.Fatal(err)
	}
	if err := meta.Prepare(context.Background(), w.db); err != nil {
		w.t.Fatal(err)
	}
	if w.segments, err = disk.Open(w.dir+"/segments", nil); err != nil {
		w.t.Fatal(err)
	}
	key, err := auth.ParseKey(harness.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	owner := &auth.Account{Name: harness.Account, Keys: []*auth.Key{key}}
	w.seen = w.lens(w.db)
	w.offset = w.now().Sub(w.wall.Now())
	w.service = service.New(service.Options{
		DB: w.seen, Segments: w.segments, Random: cryptorand.Reader,
		Accounts: func(string) *auth.Account { return owner },
	})
}

func (w *world) close() {
	if err := errors.Join(w.segments.Close(), w.db.Close()); err != nil {
		w.t.Error(err)
	}
}

// now returns the time that the store shows.
func (w *world) now() (at time.Time) {
	w.t.Helper()
	err := w.db.View(context.Background(), func(r kv.Reader) error {
		at = r.Now()
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

// disturb sets the wall clock or opens the store again, or both, while nobody asks. It
// returns how far the wall clock is behind the store from then on. The time of the store
// never runs back.
func (w *world) disturb(rng *rand.Rand) time.Duration {
	w.t.Helper()
	before := w.now()
	step := []time.Duration{0, 40 * time.Second, 3 * time.Hour, -2 * time.Hour}[rng.IntN(4)]
	reopen := rng.IntN(2) == 0
	w.wall.step(step)
	if reopen {
		w.close()
		w.open()
	} else if step < 0 {
		w.wall.step(-step - tick/2) // a whole phase that stands still would show little
	}
	after := w.now()
	if after.Before(before) {
		w.t.Errorf("the time of the store runs back from %v to %v", before, after)
	}
	return after.Sub(w.wall.Now().Add(w.offset))
}

// Do hands a request of a client to the service.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), "127.0.0.1:40000", r.URL.Host
	in.Header = canonical(r.Header)
	in.Header["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)} // as the transport writes it
	if in.Body == nil {
		in.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	req, err := wire.NewRequest(answer, in, time.Now(), nil)
	if err != nil {
		wire.WriteError(req, err)
	} else {
		w.service.Serve(req)
	}
	out := answer.Result()
	out.Request, out.Header = r, canonical(out.Header)
	return out, nil
}

// canonical gives headers the names that they have once they went over a connection.
func canonical(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

// do asks what a model is to be asked for.
func (w *world) do(in input) output {
	c := w.box.NewBlockBlobClient(string(rune('a' + in.blob)))
	var out output
	var err error
	switch in.what {
	case "read":
		out.body, err = read(c)
	case "write":
		err = write(c, in)
	default:
		out, err = act(c, in.request)
	}
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		return output{code: refused.ErrorCode}
	} else if err != nil {
		return output{code: err.Error()}
	}
	return out
}

func read(c *blockblob.Client) (string, error) {
	r, err := c.DownloadStream(context.Background(), nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

func write(c *blockblob.Client, in input) error {
	o := &blockblob.UploadOptions{}
	if in.id.Given {
		id := in.id.String()
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: &id}}
	}
	_, err := c.Upload(context.Background(), streaming.NopCloser(bytes.NewReader([]byte(in.body))), o)
	return err
}

func act(c *blockblob.Client, r lease.Request) (out output, err error) {
	ctx := context.Background()
	id := r.ID.ID.String()
	if r.Action == lease.Acquire {
		id = r.Proposed.ID.String()
	}
	l, err := azlease.NewBlobClient(c, &azlease.BlobClientOptions{LeaseID: &id})
	if err != nil {
		return out, err
	}
	var got *string
	switch r.Action {
	case lease.Acquire:
		a, e := l.AcquireLease(ctx, int32(r.Duration), nil)
		got, err = a.LeaseID, e
	case lease.Renew:
		a, e := l.RenewLease(ctx, nil)
		got, err = a.LeaseID, e
	case lease.Change:
		a, e := l.ChangeLease(ctx, r.Proposed.ID.String(), nil)
		got, err = a.LeaseID, e
	case lease.Release:
		_, err = l.ReleaseLease(ctx, nil)
	case lease.Break:
		o := &azlease.BlobBreakOptions{}
		if r.Period.Given {
			o.BreakPeriod = &r.Period.Seconds
		}
		a, e := l.BreakLease(ctx, o)
		if err = e; err == nil {
			out.seconds = int64(*a.LeaseTime)
		}
	default:
		err = errUnknown
	}
	if err == nil && got != nil {
		err = out.id.UnmarshalText([]byte(*got))
	}
	return out, err
}
