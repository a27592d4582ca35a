package crash

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/pageblob"

	"github.com/leasehold/leasehold/test/harness"
)

// actor has something of the store to itself, so that it knows what it is.
type actor interface {
	// step makes one random step. An error that is no refusal is the kill.
	step(ctx context.Context, rng *rand.Rand) error
	// check compares what there is with what may be: the acknowledged state, or the one that the
	// step leads to which was asked for last and not answered.
	check(t *testing.T)
	String() string
}

// model is an actor whose state of type M is observed as a whole.
type model[M any] struct {
	name    string
	is      M
	next    *M // after the step that is asked for and not answered
	choose  func(rng *rand.Rand, is M) (next M, do func(context.Context) error)
	observe func(context.Context) (M, error)
	// same, if not nil, compares what was observed with a state; else all of it has to be equal.
	same func(got, want M) bool
	// parts, if not nil, reports whether got lies between two states: some parts of the step are
	// done, and some are not.
	parts func(got, is, next M) bool
}

func (m *model[M]) String() string { return m.name }

func (m *model[M]) step(ctx context.Context, rng *rand.Rand) error {
	next, do := m.choose(rng, m.is)
	m.next = &next
	if err := do(ctx); err != nil {
		return err
	}
	m.is, m.next = next, nil
	return nil
}

func (m *model[M]) check(t *testing.T) {
	t.Helper()
	same := m.same
	if same == nil {
		same = func(got, want M) bool { return reflect.DeepEqual(got, want) }
	}
	next := m.next
	m.next = nil
	got, err := m.observe(t.Context())
	switch {
	case err != nil:
		t.Errorf("%s: %v", m.name, err)
	case same(got, m.is):
	case next != nil && same(got, *next):
		m.is = *next
	case next != nil && m.parts != nil && m.parts(got, m.is, *next):
		m.is = got
	default:
		t.Errorf("%s: is %.300v; acknowledged was %.300v, asked for %.300v", m.name, got, m.is, next)
	}
}

// content returns a random body of a random kind: inline, in a pack, or in a file of its own.
func content(rng *rand.Rand) string {
	return strings.Repeat(harness.NewID(), []int{1, 500, 8000}[rng.IntN(3)])
}

// missing turns the answer that there is no such thing into none.
func missing(err error) error {
	if bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound) {
		return nil
	}
	return err
}

// read returns the body of a blob, "" and false if there is none.
func read(ctx context.Context, c *blob.Client) (string, bool, error) {
	r, err := c.DownloadStream(ctx, nil)
	if err != nil {
		return "", false, missing(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	return string(raw), true, err
}

// pagesSize is the size of a page blob, 64 pages.
const pagesSize = 64 * pageblob.PageBytes

// newPages returns an actor that writes and clears pages. Its state is their bytes, nil for no
// blob.
func newPages(box *container.Client, name string) actor {
	c := box.NewPageBlobClient(name)
	return &model[[]byte]{
		name: name,
		choose: func(rng *rand.Rand, is []byte) ([]byte, func(context.Context) error) {
			if is == nil {
				return make([]byte, pagesSize), func(ctx context.Context) error { _, err := c.Create(ctx, pagesSize, nil); return err }
			}
			from := int64(rng.IntN(63)) * pageblob.PageBytes
			n := int64(1+rng.IntN(int((pagesSize-from)/pageblob.PageBytes))) * pageblob.PageBytes
			next := slices.Clone(is)
			if rng.IntN(4) == 0 {
				clear(next[from : from+n])
				return next, func(ctx context.Context) error {
					_, err := c.ClearPages(ctx, blob.HTTPRange{Offset: from, Count: n}, nil)
					return err
				}
			}
			for i := range next[from : from+n] {
				next[from+int64(i)] = byte(rng.Uint32())
			}
			body := streaming.NopCloser(bytes.NewReader(next[from : from+n]))
			return next, func(ctx context.Context) error {
				_, err := c.UploadPages(ctx, body, blob.HTTPRange{Offset: from, Count: n}, nil)
				return err
			}
		},
		observe: func(ctx context.Context) ([]byte, error) {
			body, exists, err := read(ctx, box.NewBlobClient(name))
			if !exists {
				return nil, err
			}
			return []byte(body), err
		},
	}
}

// past is a blob with its snapshots, tags and metadata. All are comparable, but for the snapshots.
type past struct {
	Exists     bool
	Body, Tag  string
	Note       string
	Snapshots  []string // their bodies, oldest first
	CopyOfCopy string   // the body of a second blob, which is copied from the first; "" for none
}

// newPast returns an actor that takes snapshots, sets tags and metadata, and copies.
func newPast(box *container.Client, name string) actor {
	c, second := box.NewBlockBlobClient(name), box.NewBlobClient(name+".copy")
	return &model[past]{
		name: name,
		choose: func(rng *rand.Rand, is past) (past, func(context.Context) error) {
			next, word := is, harness.NewID()[:8]
			next.Snapshots = slices.Clone(is.Snapshots)
			switch n := rng.IntN(8); {
			case !is.Exists || n < 2:
				body := content(rng)
				next = past{true, body, "", "", next.Snapshots, is.CopyOfCopy}
				return next, func(ctx context.Context) error { _, err := c.Upload(ctx, reader(body), nil); return err }
			case n < 4:
				next.Snapshots = append(next.Snapshots, is.Body)
				return next, func(ctx context.Context) error { _, err := c.CreateSnapshot(ctx, nil); return err }
			case n == 4:
				next.Tag = word
				return next, func(ctx context.Context) error {
					_, err := c.SetTags(ctx, map[string]string{"t": word}, nil)
					return err
				}
			case n == 5:
				next.Note = word
				return next, func(ctx context.Context) error {
					_, err := c.SetMetadata(ctx, map[string]*string{"note": &word}, nil)
					return err
				}
			case n == 6:
				next.CopyOfCopy = is.Body
				return next, func(ctx context.Context) error { _, err := second.StartCopyFromURL(ctx, c.URL(), nil); return err }
			}
			next = past{CopyOfCopy: is.CopyOfCopy}
			return next, func(ctx context.Context) error {
				_, err := c.Delete(ctx, &blob.DeleteOptions{DeleteSnapshots: to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)})
				return err
			}
		},
		observe: func(ctx context.Context) (got past, err error) {
			if got.Body, got.Exists, err = read(ctx, box.NewBlobClient(name)); err != nil {
				return got, err
			}
			if got.CopyOfCopy, _, err = read(ctx, second); err != nil || !got.Exists {
				return got, err
			}
			return got, got.look(ctx, box, name)
		},
	}
}

// look adds what a read of the body does not tell.
func (p *past) look(ctx context.Context, box *container.Client, name string) error {
	c := box.NewBlobClient(name)
	tags, err := c.GetTags(ctx, nil)
	if err != nil {
		return err
	}
	for _, tag := range tags.BlobTagSet {
		p.Tag = *tag.Value
	}
	properties, err := c.GetProperties(ctx, nil)
	if err != nil {
		return err
	}
	for _, value := range properties.Metadata {
		p.Note = *value
	}
	pages := box.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &name, Include: container.ListBlobsInclude{Snapshots: true}})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, item := range page.Segment.BlobItems {
			if item.Snapshot == nil || *item.Name != name {
				continue
			}
			at, err := c.WithSnapshot(*item.Snapshot)
			if err != nil {
				return err
			}
			body, _, err := read(ctx, at)
			if err != nil {
				return err
			}
			p.Snapshots = append(p.Snapshots, body)
		}
	}
	return nil
}

// house is a container with one blob.
type house struct {
	Exists bool
	Body   string // "" for no blob
}

// newHouse returns an actor that creates and deletes a container, and writes to a blob in it.
func newHouse(c *container.Client) actor {
	one := c.NewBlockBlobClient("one")
	return &model[house]{
		name: c.URL(),
		choose: func(rng *rand.Rand, is house) (house, func(context.Context) error) {
			switch {
			case !is.Exists:
				return house{Exists: true}, func(ctx context.Context) error { _, err := c.Create(ctx, nil); return err }
			case rng.IntN(3) == 0:
				return house{}, func(ctx context.Context) error { _, err := c.Delete(ctx, nil); return err }
			}
			body := content(rng)
			return house{true, body}, func(ctx context.Context) error { _, err := one.Upload(ctx, reader(body), nil); return err }
		},
		observe: func(ctx context.Context) (got house, err error) {
			if _, err = c.GetProperties(ctx, nil); err != nil {
				return got, missing(err)
			}
			got.Exists = true
			got.Body, _, err = read(ctx, one.BlobClient())
			return got, err
		},
	}
}

// newFlock returns an actor that writes blobs one by one and deletes some of them by a batch, of
// which every part is done or not by itself. Its state are the bodies by name.
func newFlock(box *container.Client, prefix string) actor {
	type flock = map[string]string
	name := func(i int) string { return fmt.Sprintf("%s/%d", prefix, i) }
	return &model[flock]{
		name: prefix, is: flock{},
		choose: func(rng *rand.Rand, is flock) (flock, func(context.Context) error) {
			next := maps.Clone(is)
			if len(is) < 3 || rng.IntN(3) > 0 {
				one, body := name(rng.IntN(6)), content(rng)
				next[one] = body
				return next, func(ctx context.Context) error {
					_, err := box.NewBlockBlobClient(one).Upload(ctx, reader(body), nil)
					return err
				}
			}
			return flock{}, func(ctx context.Context) error { return deleteAll(ctx, box, slices.Sorted(maps.Keys(is))) }
		},
		observe: func(ctx context.Context) (flock, error) {
			got := flock{}
			for i := range 6 {
				body, exists, err := read(ctx, box.NewBlobClient(name(i)))
				if err != nil {
					return nil, err
				}
				if exists {
					got[name(i)] = body
				}
			}
			return got, nil
		},
		parts: func(got, is, next flock) bool {
			for i := range 6 {
				if n := name(i); got[n] != is[n] && got[n] != next[n] {
					return false
				}
			}
			return true
		},
	}
}

// deleteAll deletes blobs by one batch.
func deleteAll(ctx context.Context, box *container.Client, names []string) error {
	batch, err := box.NewBatchBuilder()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := batch.Delete(n, nil); err != nil {
			return err
		}
	}
	answer, err := box.SubmitBatch(ctx, batch, nil)
	if err != nil {
		return err
	}
	for _, r := range answer.Responses {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}

// grave is a blob that may be soft-deleted.
type grave struct {
	Body    string // "" for no blob
	Deleted string // the body that an undelete brings back; "" for none
}

// newGrave returns an actor that deletes a blob and brings it back. The account of the container
// retains what is deleted.
func newGrave(box *container.Client, name string) actor {
	c := box.NewBlockBlobClient(name)
	// What is overwritten becomes a soft-deleted snapshot, which an undelete brings back.
	all := &blob.DeleteOptions{DeleteSnapshots: to.Ptr(blob.DeleteSnapshotsOptionTypeInclude)}
	return &model[grave]{
		name: name,
		choose: func(rng *rand.Rand, is grave) (grave, func(context.Context) error) {
			switch {
			case is.Body != "" && rng.IntN(2) == 0:
				return grave{Deleted: is.Body}, func(ctx context.Context) error { _, err := c.Delete(ctx, all); return err }
			case is.Deleted != "":
				return grave{Body: is.Deleted}, func(ctx context.Context) error { _, err := c.Undelete(ctx, nil); return err }
			}
			body := content(rng)
			return grave{Body: body}, func(ctx context.Context) error { _, err := c.Upload(ctx, reader(body), nil); return err }
		},
		observe: func(ctx context.Context) (got grave, err error) {
			var exists bool
			if got.Body, exists, err = read(ctx, c.BlobClient()); err != nil || exists {
				return got, err
			}
			if _, err = c.Undelete(ctx, nil); err != nil {
				return got, missing(err)
			}
			if got.Deleted, _, err = read(ctx, c.BlobClient()); err != nil {
				return got, err
			}
			_, err = c.Delete(ctx, all)
			return got, err
		},
	}
}

// stage is a blob with blocks that are staged and not committed.
type stage struct {
	Body   string
	Staged []string // their bodies, in order
}

// newStage returns an actor that stages blocks and commits them later. Of staged blocks only the
// sizes can be seen; their bytes are, once they are committed.
func newStage(box *container.Client, name string) actor {
	c := box.NewBlockBlobClient(name)
	id := func(i int) string { return fmt.Sprintf("%08d", i) } // the Base64 of six bytes
	return &model[stage]{
		name: name,
		choose: func(rng *rand.Rand, is stage) (stage, func(context.Context) error) {
			n := len(is.Staged)
			if n < 1+rng.IntN(5) {
				body := content(rng)
				return stage{is.Body, append(slices.Clone(is.Staged), body)}, func(ctx context.Context) error {
					_, err := c.StageBlock(ctx, id(n), reader(body), nil)
					return err
				}
			}
			var ids []string
			for i := range n {
				ids = append(ids, id(i))
			}
			return stage{Body: strings.Join(is.Staged, "")}, func(ctx context.Context) error {
				_, err := c.CommitBlockList(ctx, ids, nil)
				return err
			}
		},
		observe: func(ctx context.Context) (got stage, err error) {
			if got.Body, _, err = read(ctx, c.BlobClient()); err != nil {
				return got, err
			}
			lists, err := c.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
			for _, b := range lists.UncommittedBlocks {
				got.Staged = append(got.Staged, strings.Repeat(" ", int(*b.Size)))
			}
			return got, missing(err)
		},
		same: func(got, want stage) bool {
			sizes := func(a, b string) int { return len(a) - len(b) }
			return got.Body == want.Body && slices.CompareFunc(got.Staged, want.Staged, sizes) == 0
		},
	}
}
