// Package crash kills the running server with SIGKILL under load, many times over, and
// checks after each that all it had acknowledged is there and that its data folder is whole.
package crash

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/leasehold/leasehold/test/harness"
)

// leaseTime is longer than a round takes.
const leaseTime = 60 * time.Second

// state is what a blob is after a step. The zero value is no blob.
type state struct {
	exists bool
	body   string
	lease  string // ID; empty without a lease
	// When the lease was last acquired or renewed lies between asked and told, by the
	// client's clock. told is zero while the answer has not come.
	asked, told time.Time
}

// subject is a blob that one worker has to itself, so that the worker knows what it is.
type subject struct {
	box     *container.Client
	name    string
	appends bool
	is      state
	next    *state // after the step that is asked for and not answered
}

func (b *subject) String() string { return b.name }

func (b *subject) block() *blockblob.Client   { return b.box.NewBlockBlobClient(b.name) }
func (b *subject) append() *appendblob.Client { return b.box.NewAppendBlobClient(b.name) }

func (b *subject) access() *blob.AccessConditions {
	if b.is.lease == "" {
		return nil
	}
	return &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: to.Ptr(b.is.lease)}}
}

func (b *subject) holder(id string) *lease.BlobClient {
	l, err := lease.NewBlobClient(b.block(), &lease.BlobClientOptions{LeaseID: &id})
	if err != nil {
		panic(err) // only an ID of the wrong form
	}
	return l
}

// step makes one random step. An error that is no refusal is the kill.
func (b *subject) step(ctx context.Context, rng *rand.Rand) error {
	next := b.is
	do := b.choose(rng, &next)
	next.asked = b.is.asked
	if next.told.IsZero() && next.lease != "" { // acquired or renewed by this step
		next.asked = time.Now()
	}
	b.next = &next
	if err := do(ctx); err != nil {
		return err
	}
	if next.told.IsZero() {
		next.told = time.Now()
	}
	b.is, b.next = next, nil
	return nil
}

// choose returns a random step that will succeed, and sets next to what it leads to.
func (b *subject) choose(rng *rand.Rand, next *state) func(context.Context) error {
	content := harness.NewID()
	switch rng.IntN(6) {
	case 0, 1:
		content = strings.Repeat(content, 2000) // a segment in a pack
	case 2:
		content = strings.Repeat(content, 8000) // one in a file of its own
	}
	next.exists = true
	switch n := rng.IntN(10); {
	case !b.is.exists && b.appends:
		next.body = ""
		return func(ctx context.Context) error { _, err := b.append().Create(ctx, nil); return err }
	case b.appends && n < 5:
		next.body += content
		return func(ctx context.Context) error {
			_, err := b.append().AppendBlock(ctx, reader(content), &appendblob.AppendBlockOptions{AccessConditions: b.access()})
			return err
		}
	case !b.is.exists || n < 3:
		next.body = content
		return func(ctx context.Context) error { return b.put(ctx, content) }
	case n < 5:
		next.body = strings.Repeat(content, 10)
		return func(ctx context.Context) error { return b.commit(ctx, content, 10) }
	case n == 5:
		*next = state{}
		return func(ctx context.Context) error {
			_, err := b.block().Delete(ctx, &blob.DeleteOptions{AccessConditions: b.access()})
			return err
		}
	case b.is.lease == "":
		next.lease, next.told = harness.NewID(), time.Time{}
		return func(ctx context.Context) error {
			_, err := b.holder(next.lease).AcquireLease(ctx, int32(leaseTime/time.Second), nil)
			return err
		}
	case n < 7:
		next.told = time.Time{}
		return func(ctx context.Context) error { _, err := b.holder(b.is.lease).RenewLease(ctx, nil); return err }
	case n < 9:
		next.lease = harness.NewID()
		return func(ctx context.Context) error {
			_, err := b.holder(b.is.lease).ChangeLease(ctx, next.lease, nil)
			return err
		}
	}
	next.lease = ""
	return func(ctx context.Context) error { _, err := b.holder(b.is.lease).ReleaseLease(ctx, nil); return err }
}

func reader(s string) io.ReadSeekCloser { return streaming.NopCloser(strings.NewReader(s)) }

func (b *subject) put(ctx context.Context, content string) error {
	_, err := b.block().Upload(ctx, reader(content), &blockblob.UploadOptions{AccessConditions: b.access()})
	return err
}

// commit stages n blocks and commits their list.
func (b *subject) commit(ctx context.Context, content string, n int) error {
	var ids []string
	o := &blockblob.StageBlockOptions{}
	if a := b.access(); a != nil {
		o.LeaseAccessConditions = a.LeaseAccessConditions
	}
	for i := range n {
		ids = append(ids, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%04d", i)))
		if _, err := b.block().StageBlock(ctx, ids[i], reader(content), o); err != nil {
			return err
		}
	}
	_, err := b.block().CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{AccessConditions: b.access()})
	return err
}

// TestKill kills the server in every round and compares. LEASEHOLD_TEST=long makes many rounds.
func TestKill(t *testing.T) {
	rounds, workers, answers := 5, 16, 200
	if os.Getenv("LEASEHOLD_TEST") == "long" {
		rounds, answers = 100, 1000
	}
	s := harness.Start(t, &harness.Options{Accounts: map[string]string{retaining: ""}})
	s.NeedOwn()
	box, graveyard := newBox(t, s, harness.Account, harness.Key), newBox(t, s, retaining, harness.AccountKey(retaining))
	retain(t, s)
	var kept []actor
	for round := range rounds {
		now := loadAndKill(t, s, workers, answers, kept, func(w int) []actor {
			return actors(box, graveyard, fmt.Sprintf("r%d/%d", round, w))
		})
		checkFolder(t, s)
		s.Restart()
		for _, b := range now {
			b.check(t)
		}
		kept = now[:2*kinds] // they go on in the next round
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	s.Stop()
	checkFolder(t, s)
}

// kinds is the number of actors of a worker.
const kinds = 8

// actors returns one actor of every kind.
func actors(box, graveyard *container.Client, prefix string) []actor {
	return []actor{
		&subject{box: box, name: prefix + "/block"},
		&subject{box: box, name: prefix + "/append", appends: true},
		newStage(box, prefix+"/stage"),
		newPages(box, prefix+"/pages"),
		newPast(box, prefix+"/past"),
		newFlock(box, prefix+"/flock"),
		newGrave(graveyard, prefix+"/grave"),
		newHouse(sibling(box, strings.ReplaceAll(prefix, "/", "-"))),
	}
}

// retaining is an account that retains deleted blobs.
const retaining = "retaining"

// retain switches the retention on.
func retain(t *testing.T, s *harness.Server) {
	t.Helper()
	cred, err := service.NewSharedKeyCredential(retaining, harness.AccountKey(retaining))
	if err != nil {
		t.Fatal(err)
	}
	c, err := service.NewClientWithSharedKeyCredential(s.URL(retaining), cred, nil)
	if err == nil {
		policy := &service.RetentionPolicy{Enabled: to.Ptr(true), Days: to.Ptr[int32](7)}
		_, err = c.SetProperties(t.Context(), &service.SetPropertiesOptions{DeleteRetentionPolicy: policy})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sibling returns a container beside another one.
func sibling(c *container.Client, name string) *container.Client {
	cred, err := container.NewSharedKeyCredential(harness.Account, harness.Key)
	if err != nil {
		panic(err) // only a key of the wrong form
	}
	url := strings.TrimSuffix(c.URL(), "/crash") + "/" + name
	other, err := container.NewClientWithSharedKeyCredential(url, cred, &container.ClientOptions{ClientOptions: once})
	if err != nil {
		panic(err) // only a URL of the wrong form
	}
	return other
}

// once are the options of clients that try nothing again: what was not answered is to be known.
var once = azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}

func newBox(t *testing.T, s *harness.Server, account, key string) *container.Client {
	t.Helper()
	cred, err := container.NewSharedKeyCredential(account, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClientWithSharedKeyCredential(s.URL(account)+"/crash", cred, &container.ClientOptions{ClientOptions: once})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// loadAndKill has workers make steps, each with actors of its own, and kills the server after a
// number of answers. The actors of the round before go on with the first workers.
func loadAndKill(t *testing.T, s *harness.Server, workers, answers int, before []actor, actors func(worker int) []actor) []actor {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var answered atomic.Int64
	enough := make(chan struct{})
	var all []actor
	var running sync.WaitGroup
	for w := range workers {
		rng := rand.New(rand.NewPCG(rand.Uint64(), uint64(w)))
		own := actors(w)
		if len(before) > 0 {
			own, before = before[:kinds], before[kinds:]
		}
		all = append(all, own...)
		running.Go(func() {
			for {
				b := own[rng.IntN(len(own))]
				err := b.step(ctx, rng)
				var refused *azcore.ResponseError
				if errors.As(err, &refused) {
					t.Errorf("%v: refused: %d %s", b, refused.StatusCode, refused.ErrorCode)
				}
				if err != nil {
					return
				}
				if answered.Add(1) == int64(answers) {
					close(enough)
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
	running.Wait()
	return all
}

// checkFolder runs the check of the server's own on the data folder it has left.
func checkFolder(t *testing.T, s *harness.Server) {
	t.Helper()
	out, err := exec.Command(harness.Binary(t), "check", "--data", s.Data).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("damage: 0")) {
		t.Errorf("check after the kill: %v\n%s", err, out)
	}
}

// brief returns the state with a short body, to be printed.
func (s state) brief() state {
	if len(s.body) > 40 {
		s.body = fmt.Sprintf("%s… (%d bytes)", s.body[:36], len(s.body))
	}
	return s
}

// check compares the blob with the states it may have, and ends its lease.
func (b *subject) check(t *testing.T) {
	t.Helper()
	if b.next != nil && b.matches(t, *b.next, false) {
		if b.next.lease == b.is.lease {
			b.next.asked = b.is.asked // whether the lease was renewed can't be told
		}
		b.is, b.next = *b.next, nil
	} else if b.next = nil; !b.matches(t, b.is, true) {
		return
	}
	if b.is.lease != "" {
		b.checkLease(t)
	}
}

// matches tells whether the blob is in a state; if it has to be, a difference is an error.
func (b *subject) matches(t *testing.T, want state, must bool) bool {
	t.Helper()
	body, leased, err := b.get(t.Context())
	got := state{exists: err == nil, body: body}
	var refused *azcore.ResponseError
	if err != nil && !(errors.As(err, &refused) && refused.StatusCode == 404) {
		t.Errorf("%s: %v", b.name, err)
		return false
	}
	same := got.exists == want.exists && got.body == want.body && leased == (want.lease != "")
	if same && want.lease != "" {
		// Only the holder may renew, but that would move the end: a write of nothing new.
		_, err := b.block().SetMetadata(t.Context(), nil, &blob.SetMetadataOptions{
			AccessConditions: &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: &want.lease}},
		})
		same = err == nil
	}
	if must && !same {
		t.Errorf("%s: is %+v, leased: %v; acknowledged was %+v", b.name, got.brief(), leased, want.brief())
	}
	return same
}

func (b *subject) get(ctx context.Context) (body string, leased bool, err error) {
	r, err := b.block().DownloadStream(ctx, nil)
	if err != nil {
		return "", false, err
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	return string(raw), r.LeaseState != nil && *r.LeaseState == lease.StateTypeLeased, err
}

// checkLease checks that the lease keeps others out, and how much of it is left: a break
// without a period says so.
func (b *subject) checkLease(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if _, err := b.holder(harness.NewID()).AcquireLease(ctx, 15, nil); err == nil {
		t.Errorf("%s: a stranger acquired the lease", b.name)
	}
	before := time.Now()
	broken, err := b.holder(b.is.lease).BreakLease(ctx, nil)
	if err != nil {
		t.Errorf("%s: break: %v", b.name, err)
		return
	}
	left := time.Duration(*broken.LeaseTime) * time.Second
	most, least := leaseTime, leaseTime-time.Since(b.is.asked)-time.Second // it is rounded down
	if !b.is.told.IsZero() {
		most -= before.Sub(b.is.told)
	}
	if left > most || left < least {
		t.Errorf("%s: %v left of the lease, want between %v and %v", b.name, left, least, most)
	}
	if _, err := b.holder(b.is.lease).ReleaseLease(ctx, nil); err != nil {
		t.Errorf("%s: release: %v", b.name, err)
	}
	b.is.lease = ""
}
