package service

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/catalog"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/wire"
)

// Every copy is completed within its request: no copy is ever pending, and the asynchronous Copy
// Blob answers success at once. It differs from the synchronous one in how it treats leases,
// credentials and sizes.

// useCopy is the use of the asynchronous Copy Blob (docs/reference/leases.md 4.3).
var useCopy = use{creates: true, lease: leaseCopies, effect: blob.Creates, target: conditionsOfTargets}

// usePutFromURL is the use of Put Blob From URL.
var usePutFromURL = use{creates: true, lease: leaseWrites, effect: blob.Creates, target: conditionsOfTargets}

// conditionsOfTargets is the first version that answers an unmet condition on the destination of a
// copy as it does for any blob (docs/facts/conditions.md).
const conditionsOfTargets wire.Version = "2024-11-04"

func copyOperations() []Operation {
	const sync = "x-ms-requires-sync"
	return []Operation{
		{
			Name: "Blob_CopyFromURL", Status: 202,
			On: onBlob("PUT", "", copySource, "", sync, "true"), Needs: auth.PermCopyBlobFromURL,
			Use: useCreate, Retry: segment.ErrNotFound, Run: copies(doCopyFromURL),
		},
		{
			Name: "BlockBlob_UploadBlobFromURL", Status: 201,
			On: onBlob("PUT", "", copySource, "", blobType, "BlockBlob"), Needs: auth.PermPutBlobFromURL,
			Use: usePutFromURL, Retry: segment.ErrNotFound, HashesMD5: true, Run: pulls(doPutBlobFromURL),
		},
		{
			Name: "Blob_StartCopyFromURL", On: onBlob("PUT", "", copySource, ""), Needs: auth.PermCopyBlob, Status: 202,
			Use: useCopy, Retry: segment.ErrNotFound, Run: copies(doStartCopy),
		},
		{
			Name: "Blob_AbortCopyFromURL", Status: 204,
			On: onBlob("PUT", "copy", "x-ms-copy-action", "abort"), Needs: auth.PermAbortCopy,
			Use: useWrite.on(onAll), Run: update(doAbortCopy),
		},
		{
			Name: "PageBlob_CopyIncremental", Status: 202,
			On: onBlob("PUT", "incrementalcopy"), Needs: auth.PermIncrementalCopy,
			Use: useIncremental, Retry: segment.ErrNotFound, Run: copies(doCopyIncremental),
		},
		{
			Name: "BlockBlob_StageBlockFromURL", Status: 201,
			On: onBlob("PUT", "block", copySource, ""), Needs: auth.PermPutBlock,
			Use: useStage, Retry: segment.ErrNotFound, Run: pulls(doPutBlockFromURL),
		},
		{
			Name: "PageBlob_UploadPagesFromURL", Status: 201,
			On: onBlob("PUT", "page", copySource, "", pageWrite, "update"), Needs: auth.PermPutPage,
			Use: useWrite, Retry: segment.ErrNotFound, Run: pulls(doPutPagesFromURL),
		},
		{
			Name: "AppendBlob_AppendBlockFromURL", Status: 201,
			On: onBlob("PUT", "appendblock", copySource, ""), Needs: auth.PermAppendBlock,
			Use: useWrite, Retry: segment.ErrNotFound, Run: pulls(doAppendBlockFromURL),
		},
	}
}

// maxCopyFromURL is the longest source in bytes of the synchronous Copy Blob From URL.
const maxCopyFromURL = 256 * mib

// readsSource is implemented by the arguments of an operation that reads a source.
type readsSource interface {
	wants() *wanted
}

// maxCopyTries is how often a copy begins again because its source changed under it.
const maxCopyTries = 20

// errSourceChanged reports that a source has changed since it was judged.
var errSourceChanged = errors.New("service: the source of a copy changed")

// copies makes the handler of a function that makes a blob the copy of another blob. The
// destination is judged first; then the source is found and its bytes are stored, unless they can
// be shared; then one transaction makes the copy visible. The transaction also locks a source whose
// bytes are shared.
func copies[A, R any, P interface {
	*A
	readsSource
}](f func(*txn, *A, *source) (*R, error)) handler {
	args, results := newReader[A](), wire.CompileResults[R]()
	return handle[A, R](func(c *call) error {
		a, err := args.read(c)
		if err != nil {
			return err
		}
		var result *R
		for range maxCopyTries {
			err = c.copy(P(a).wants(), func(s *txn, from *source) (err error) {
				result, err = f(s, a, from)
				return err
			})
			if !errors.Is(err, errSourceChanged) {
				break
			}
		}
		if errors.Is(err, errSourceChanged) {
			err = &fault.Error{Code: fault.ServerBusy, Cause: err}
		}
		if err != nil {
			return err
		}
		c.echoKey()
		return results.Write(c.req, c.op.Status, result)
	})
}

// enterCopy judges the blob that a copy would replace, and adds to w what the destination demands
// of the source.
func (s *txn) enterCopy(w *wanted) (err error) {
	w.into = s.container.Generation
	if w.kind == kindIncremental {
		w.last, err = s.lastIncremental()
		return err
	}
	return nil
}

// copy judges the destination, finds the source, and runs fn in the transaction that
// makes the copy.
func (c *call) copy(w *wanted, fn func(*txn, *source) error) error {
	if err := c.rehearse(c.ctx(), func(s *txn) error { return s.enterCopy(w) }); err != nil {
		return err
	}
	from, err := c.openSource(w)
	if err != nil {
		return err
	}
	b, err := c.take(from, nil)
	if err != nil {
		return err
	}
	run := func(s *txn) error {
		if s.container.Generation != w.into {
			return errSourceChanged // a source that is shareable within its container may not be so into another
		}
		return fn(s, from)
	}
	if from.shared {
		return c.changeWith(c.ctx(), run, meta.BlobKey(from.at.Generation, from.at.Blob))
	}
	if err := c.change(c.ctx(), run); err != nil {
		c.undo(b, err)
		return err
	}
	return nil
}

// take reads the content of the source to its end and closes it. It stores the content, encrypted
// if there is a key; content that is shared it only verifies.
func (c *call) take(from *source, key *encryption.Key) (*body, error) {
	if from.content == nil {
		return nil, nil
	}
	defer from.content.Close()
	limit := from.limit
	if limit == 0 {
		limit = math.MaxInt64 - 1
	}
	in := &upload{bodyHashes: from.guard, Body: wire.Body{Reader: from.content, Length: from.length}}
	if from.shared {
		return nil, in.readThrough()
	}
	if from.checked != nil {
		defer from.checked.Close()
		all := &upload{bodyHashes: from.guard, Body: wire.Body{Reader: from.checked, Length: -1}}
		if err := all.readThrough(); err != nil {
			return nil, err
		}
		in.bodyHashes = bodyHashes{}
	}
	b, err := c.receive(in, limit, key)
	from.body = b
	return b, err
}

type startCopy struct {
	conditional
	leaseIDHeader
	metadata
	attributes
	copyFrom
	SourceIfTags tagCondition      `header:"x-ms-source-if-tags"`
	Seal         *bool             `header:"x-ms-seal-blob"`
	Priority     rehydratePriority `header:"x-ms-rehydrate-priority"`
}

func (a *startCopy) wants() *wanted {
	w := a.wantsAs(kindCopy)
	w.conditions.IfTags = a.SourceIfTags.TagCondition
	w.archived = a.Tier != 0 && blob.Tier(a.Tier) != blob.TierArchive
	return w
}

// copied is the answer to a copy of a whole blob.
type copied struct {
	validators
	versionID
	ID     string `header:"x-ms-copy-id"`
	Status string `header:"x-ms-copy-status"`
}

func doStartCopy(s *txn, a *startCopy, from *source) (*copied, error) {
	b, err := s.copyOf(from, &a.metadata, &a.attributes)
	if err != nil {
		return nil, err
	}
	if a.Seal != nil {
		if b.Type != blob.AppendBlob && *a.Seal {
			return nil, fault.InvalidHeader("x-ms-seal-blob", "true")
		}
		b.Sealed = *a.Seal
	}
	if from.record.Access.Tier == blob.TierArchive {
		// The copy is in the archive as well, and on its way out at once.
		b.Access.Target, b.Access.Tier = b.Access.Tier, blob.TierArchive
		s.rehydrate(&b.Access, a.Priority == highPriority)
	}
	return s.finishCopy(b, from)
}

// tagOption says which tags a copy gets.
type tagOption bool

// UnmarshalText reads REPLACE, which is the default, and COPY.
func (o *tagOption) UnmarshalText(text []byte) error {
	switch string(text) {
	case "REPLACE":
	case "COPY":
		*o = true
	default:
		return fault.InvalidHeader("x-ms-copy-source-tag-option", string(text))
	}
	return nil
}

// sourceMD5 is the hash that a source copied as a whole must have.
type sourceMD5 struct {
	SourceMD5 md5Hash `header:"x-ms-source-content-md5"`
}

type copyFromURL struct {
	conditional
	leaseIDHeader
	metadata
	attributes
	copyFrom
	sourceMD5
	Authorization bearer    `header:"x-ms-copy-source-authorization"`
	CopyTags      tagOption `header:"x-ms-copy-source-tag-option"`
}

func (a *copyFromURL) wants() *wanted {
	w := a.wantsAs(kindCopyFromURL)
	w.bearer, w.tags, w.limit, w.guard.MD5 = a.Authorization, bool(a.CopyTags), maxCopyFromURL, a.SourceMD5
	return w
}

type copiedFromURL struct {
	copied
	MD5 md5Hash `header:"Content-MD5"`
}

func doCopyFromURL(s *txn, a *copyFromURL, from *source) (*copiedFromURL, error) {
	if from.record.Type != blob.BlockBlob {
		return nil, fault.InvalidSourceBlobType
	}
	b, err := s.copyOf(from, &a.metadata, &a.attributes)
	if err != nil {
		return nil, err
	}
	if a.CopyTags {
		b.Tags = from.record.Tags
	}
	done, err := s.finishCopy(b, from)
	if err != nil {
		return nil, err
	}
	return &copiedFromURL{*done, a.SourceMD5}, nil
}

// checkForm refuses tags of the request together with tags of the source.
func (a *copyFromURL) checkForm() error { return a.CopyTags.check(&a.attributes) }

func (o tagOption) check(a *attributes) error {
	if bool(o) && a.setsTags() {
		return fault.BothUserTagsAndSourceTagsCopyPresentException
	}
	return nil
}

// copyOf returns the record of a copy, still with the content of the blob that it replaces.
func (s *txn) copyOf(from *source, given *metadata, more *attributes) (*blob.Blob, error) {
	b, err := s.entry.Replace(from.record.Type)
	if err != nil {
		return nil, err
	}
	b.HTTP, b.Metadata, b.Sealed = from.record.HTTP, from.record.Metadata, from.record.Sealed
	if m := given.record(); m != nil {
		b.Metadata = m
	}
	b.Sequence = from.record.Sequence
	if err := s.encrypt(b); err != nil {
		return nil, err
	}
	return b, s.setAttributes(b, more)
}

// finishCopy gives b the content of the source, and stores it as a copy that is done.
func (s *txn) finishCopy(b *blob.Blob, from *source) (*copied, error) {
	place := s.storeCopy
	if from.shared {
		place = s.shareContent
	}
	if err := place(b, from); err != nil {
		return nil, err
	}
	if err := s.entry.DropStaged(nil); err != nil {
		return nil, err
	}
	b.Copy = s.copyDone(from, b.Size)
	b.Touch(s.now)
	if b.Type == blob.PageBlob {
		b.Origin = b.ETag
	}
	state := copyStateOf(b.Copy)
	return &copied{validators: validatorsOf(b.Validators()), versionID: versionID{revisionID(b.VersionID)}, ID: state.ID, Status: state.Status}, s.putBlob(b)
}

// copyDone returns the state of a copy that is complete now.
func (s *txn) copyDone(from *source, size int64) *blob.Copy {
	return &blob.Copy{ID: s.NewGUID(), Source: from.url.shown(), Size: size, Completed: s.now.Second()}
}

// shareContent gives b the stored bytes of the source, whose key the transaction has declared.
func (s *txn) shareContent(b *blob.Blob, from *source) error {
	err := s.entry.Share(b, *from.at, from.record.ETag)
	if errors.Is(err, catalog.ErrChanged) {
		err = errSourceChanged
	}
	return err
}

// storeCopy gives b the bytes that were read from the source, divided into the same blocks. All of
// them lie in one object, and blocks that shared stored bytes still do.
func (s *txn) storeCopy(b *blob.Blob, from *source) error {
	chunk, err := from.body.chunk(s)
	if err != nil {
		return err
	}
	switch b.Type {
	case blob.AppendBlob:
		return s.storeAppended(b, from, chunk)
	case blob.PageBlob:
		return s.storePages(b, from, chunk)
	}
	blocks := make([]blob.Block, len(from.blocks))
	for i := range blocks {
		cut := chunk
		cut.Offset, cut.Length = chunk.Offset+from.offsets[i], from.blocks[i].Chunk.Length
		blocks[i] = blob.Block{ID: from.blocks[i].ID, Chunk: cut}
	}
	if len(blocks) == 0 && chunk.Length > 0 {
		blocks = []blob.Block{{Chunk: chunk}}
	}
	return s.entry.SetContent(b, blocks)
}

// storeAppended makes b an append blob of one stored block, which counts as the number of blocks of
// the source.
func (s *txn) storeAppended(b *blob.Blob, from *source, chunk blob.Chunk) error {
	if err := s.entry.SetContent(b, nil); err != nil {
		return err
	}
	b.Content.List, b.Content.Listed = b.Content.Holder, true
	if chunk.Length == 0 {
		return nil
	}
	b.Size, b.Content.Count = chunk.Length, max(from.record.Content.Count, 1)
	return meta.AppendToList(s.tx, b.Content, blob.Block{Chunk: chunk}, b.Size)
}

// storePages makes b a page blob with the pages of the source.
func (s *txn) storePages(b *blob.Blob, from *source, chunk blob.Chunk) error {
	if err := s.entry.SetContent(b, nil); err != nil {
		return err
	}
	b.Content.List, b.Content.Paged, b.Content.Name = b.Content.Holder, true, s.req.Blob
	return s.layPages(b, from, chunk)
}

// layPages changes the pages of b that differ from the source, and resizes b to its length.
func (s *txn) layPages(b *blob.Blob, from *source, chunk blob.Chunk) error {
	b.Size = from.record.Size
	written := make([]blob.PageExtent, len(from.pages))
	at := chunk.Offset
	for i, r := range from.pages {
		cut := chunk
		cut.Offset, cut.Length = at, r.Len()
		at += cut.Length
		written[i] = blob.PageExtent{Start: r.Start, Stamp: uint64(s.now), Chunk: cut}
	}
	changed := slices.Concat(from.pages, from.cleared, []blob.PageRange{{Start: b.Size, End: math.MaxInt64}})
	slices.SortFunc(changed, func(a, b blob.PageRange) int { return cmp.Compare(a.Start, b.Start) })
	gen := s.container.Generation
	old, err := meta.ExtentsIn(s.r, gen, b.Content, blob.PageRange{End: math.MaxInt64})
	if err != nil {
		return err
	}
	return meta.EditPages(s.tx, gen, s.now, b.Content, blob.ReplacePages(old, changed, written), s.newObject())
}

type abortCopy struct {
	leaseIDHeader
	ID lease.ID `query:"copyid,required"`
}

// doAbortCopy always fails, because no copy is ever pending.
func doAbortCopy(*txn, *abortCopy) (*nothing, error) {
	return nil, fault.NoPendingCopyOperation
}

// copyState holds the headers that describe a copy in the answer to a read.
type copyState struct {
	ID        string    `header:"x-ms-copy-id"`
	Source    string    `header:"x-ms-copy-source"`
	Status    string    `header:"x-ms-copy-status"`
	Progress  string    `header:"x-ms-copy-progress"`
	Completed blob.Time `header:"x-ms-copy-completion-time"`
}

func copyStateOf(c *blob.Copy) copyState {
	if c == nil {
		return copyState{}
	}
	size := strconv.FormatInt(c.Size, 10)
	return copyState{lease.ID(c.ID).String(), c.Source, "success", size + "/" + size, c.Completed}
}

// appendCopy appends the elements that describe a copy in a listing.
func appendCopy(b []byte, c *blob.Copy) []byte {
	if c == nil {
		return b
	}
	state := copyStateOf(c)
	for _, e := range [][2]string{{"CopyId", state.ID}, {"CopySource", state.Source}, {"CopyStatus", state.Status}, {"CopyProgress", state.Progress}} {
		b = wire.AppendXMLElement(b, e[0], e[1])
	}
	return appendTime(b, "CopyCompletionTime", c.Completed)
}
