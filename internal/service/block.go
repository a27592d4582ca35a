package service

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/encryption"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

type putBlock struct {
	leaseIDHeader
	customerKey
	scoped
	upload
	BlockID string `query:"blockid,required"`
}

func (*putBlock) limit(v wire.Version) int64 {
	return bySize(v, maxBlock, maxBlock2016, maxBlockOld)
}

func (a *putBlock) checkForm() error {
	if a.Body.Length == 0 {
		return fault.InvalidHeader("Content-Length", "0")
	}
	_, err := blob.ParseBlockID("blockid", a.BlockID)
	return err
}

type stagedBlock struct {
	bodyHashes
	Encrypted bool `header:"x-ms-request-server-encrypted,always,since=2015-12-11"`
}

func doPutBlock(s *txn, a *putBlock, in *body) (*stagedBlock, error) {
	if err := s.stage(a.BlockID, in); err != nil {
		return nil, err
	}
	return &stagedBlock{a.answered(&in.sums, s.req.Version), true}, nil
}

// stage stores an uncommitted block. All blocks of a blob are encrypted alike.
func (s *txn) stage(blockID string, in *body) error {
	id, err := blob.ParseBlockID("blockid", blockID)
	if err != nil {
		return err
	}
	if err := s.enterStaging(); err != nil {
		return err
	}
	all, err := s.admitBlock(id)
	if err != nil {
		return err
	}
	use, err := s.encryptionOf()
	if err != nil {
		return err
	}
	if all.Count == 1 {
		all.KeyHash, all.Scope = use.KeyHash, use.Scope
	} else if err := (encryption.Use{KeyHash: all.KeyHash, Scope: all.Scope}).Check(use); err != nil {
		return err
	}
	chunk, err := in.chunk(s)
	if err != nil {
		return err
	}
	block := &blob.Block{ID: id, Chunk: chunk}
	return meta.PutStagedBlock(s.tx, s.container.Generation, s.req.Blob, block, all)
}

// enterStaging makes sure that there is a blob to stage blocks for: a new blob that exists only as
// its uncommitted blocks, or a committed block blob, whose record notes the staging.
func (s *txn) enterStaging() error {
	switch {
	case s.blob == nil:
		s.blob = &blob.Blob{Type: blob.BlockBlob, Created: s.now, Uncommitted: true}
		s.blob.Touch(s.now)
	case s.blob.Type != blob.BlockBlob:
		return fault.InvalidBlobType
	case s.blob.Staged && s.entry.Leased() == present(s.blob.Lease):
		return nil
	}
	s.blob.Staged = true
	return s.putBlob(s.blob)
}

// admitBlock counts one more uncommitted block, which replaces a block with the same ID, and
// returns the new count. IDs of different lengths are InvalidBlobOrBlock.
func (s *txn) admitBlock(id string) (*meta.Staging, error) {
	gen, name := s.container.Generation, s.req.Blob
	all, err := meta.StagedBlocks(s.r, gen, name)
	if err != nil {
		return nil, err
	}
	if all == nil {
		all = &meta.Staging{Count: 1, IDLength: len(id), Last: s.now, Due: s.now + meta.StagedFor}
		return all, s.entry.Schedule(all.Due)
	}
	if all.IDLength != len(id) {
		return nil, fault.InvalidBlobOrBlock
	}
	old, err := meta.StagedBlock(s.r, gen, name, id)
	if err != nil {
		return nil, err
	}
	all.Last = s.now
	if old != nil {
		return all, meta.ReleaseBlocks(s.tx, gen, s.now, []blob.Block{*old}, nil)
	}
	if all.Count++; all.Count > blob.MaxUncommittedBlocks {
		return nil, &fault.Error{Code: fault.BlockCountExceedsLimit,
			Message: "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks."}
	}
	return all, nil
}

type putBlockList struct {
	conditional
	leaseIDHeader
	properties
	metadata
	attributes
	customerKey
	bodyHashes
	List blockListXML `body:"xml,max=12582912"`
}

// blockListXML is the body of Put Block List: the order of its elements, whatever
// their names, is the order of the content.
type blockListXML struct {
	refs []blob.BlockRef
	sums *sums // of the body as it was sent
}

// SeeXML hashes the body.
func (l *blockListXML) SeeXML(raw []byte) { l.sums = sumsOf(raw) }

var blockSources = map[string]blob.BlockSource{
	"Latest": blob.Latest, "Committed": blob.Committed, "Uncommitted": blob.Uncommitted,
}

// UnmarshalXML reads the list. It stops at the first unknown element, and at the first element too
// many.
func (l *blockListXML) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if start.Name.Local != "BlockList" {
		return xml.UnmarshalError("expected element type <BlockList> but have <" + start.Name.Local + ">")
	}
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := l.add(d, t.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// add reads the element of one block.
func (l *blockListXML) add(d *xml.Decoder, name string) error {
	if len(l.refs) == blob.MaxCommittedBlocks {
		return fault.BlockListTooLong
	}
	text, err := elementText(d)
	if err != nil {
		return err
	}
	source, ok := blockSources[name]
	if !ok {
		return fault.UnsupportedXML(name, text)
	}
	id, err := blob.ParseBlockID("", strings.TrimSpace(text))
	if err != nil {
		return fault.InvalidBlockID
	}
	l.refs = append(l.refs, blob.BlockRef{Source: source, ID: id})
	return nil
}

// elementText returns the text of the element that has begun, and reads to its end.
func elementText(d *xml.Decoder) (string, error) {
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			return "", fault.UnsupportedXML(t.Name.Local, "")
		case xml.EndElement:
			return text.String(), nil
		}
	}
}

func doPutBlockList(s *txn, a *putBlockList) (*writtenBlob, error) {
	b, err := s.entry.Replace(blob.BlockBlob)
	if err != nil {
		return nil, err
	}
	committed, staged, err := s.blockLists()
	if err != nil {
		return nil, err
	}
	blocks, err := blob.CommitBlockList(a.List.refs, committed, staged)
	if err != nil {
		return nil, err
	}
	b.HTTP, b.Metadata = a.properties.record(), a.metadata.record()
	if err := s.setAttributes(b, &a.attributes); err != nil {
		return nil, err
	}
	if err := s.encrypt(b); err != nil {
		return nil, err
	}
	if err := s.checkBlocks(b, staged, blocks); err != nil {
		return nil, err
	}
	if err := s.entry.Recommit(b, committed, blocks); err != nil {
		return nil, err
	}
	if err := s.entry.DropStaged(blocks); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	answer := writtenOf(b)
	answer.bodyHashes = a.answered(a.List.sums, s.req.Version)
	return &answer, s.putBlob(b)
}

// blockLists returns the committed and the uncommitted blocks of the blob.
func (s *txn) blockLists() (committed, staged []blob.Block, err error) {
	if s.blob != nil && !s.blob.Uncommitted {
		if committed, err = s.committedBlocks(s.blob); err != nil {
			return nil, nil, err
		}
	}
	if !s.revision.IsZero() {
		return committed, nil, nil
	}
	staged, err = meta.AllStagedBlocks(s.r, s.container.Generation, s.req.Blob)
	return committed, staged, err
}

// committedBlocks returns all blocks of a blob. A stored list is not among the keys that an update
// declares. It may be read all the same: the record that the update has read refers to it, and a
// stored list never changes.
func (s *txn) committedBlocks(b *blob.Blob) (blocks []blob.Block, err error) {
	read := func(r kv.Reader) error {
		blocks = blocks[:0]
		for placed, err := range meta.Blocks(r, b.Content, 0, b.Size) {
			if err != nil {
				return err
			}
			blocks = append(blocks, placed.Block)
		}
		return nil
	}
	if s.tx == nil || !b.Content.Listed {
		err = read(s.r)
		return blocks, err
	}
	err = s.DB.View(s.ctx(), read)
	return blocks, err
}

type getBlockList struct {
	leaseIDHeader
	stateParams
	IfTags tagCondition `header:"x-ms-if-tags"`
	Which  string       `query:"blocklisttype"`
}

func (a *getBlockList) note(f *form) { f.conditions.IfTags = a.IfTags.TagCondition }

func (a *getBlockList) checkForm() error {
	if a.Which = strings.ToLower(a.Which); a.Which == "" {
		a.Which = "committed"
	}
	if !slices.Contains([]string{"committed", "uncommitted", "all"}, a.Which) {
		return fault.InvalidQuery("blocklisttype", a.Which, "")
	}
	return nil
}

type blockLists struct {
	validators
	ContentLength *int64        `header:"x-ms-blob-content-length"`
	List          blockListsXML `body:"xml"`
}

type blockListsXML struct {
	XMLName     xml.Name      `xml:"BlockList"`
	Committed   *blockEntries `xml:"CommittedBlocks"`
	Uncommitted *blockEntries `xml:"UncommittedBlocks"`
}

type blockEntries struct {
	Blocks []blockEntry `xml:"Block"`
}

type blockEntry struct {
	Name string
	Size int64
}

func entriesOf(blocks []blob.Block) *blockEntries {
	out := &blockEntries{}
	for _, b := range blocks {
		if b.ID != "" {
			out.Blocks = append(out.Blocks, blockEntry{base64.StdEncoding.EncodeToString([]byte(b.ID)), b.Chunk.Length})
		}
	}
	return out
}

func doGetBlockList(s *txn, a *getBlockList) (*blockLists, error) {
	if s.blob.Type != blob.BlockBlob {
		return nil, fault.InvalidBlobType
	}
	committed, staged, err := s.blockLists()
	if err != nil {
		return nil, err
	}
	out := &blockLists{}
	if !s.blob.Uncommitted {
		out.validators = validatorsOf(s.blob.Validators())
	}
	if !s.blob.Uncommitted || a.Which != "committed" {
		out.ContentLength = &s.blob.Size
	}
	if a.Which != "uncommitted" {
		out.List.Committed = entriesOf(committed)
	}
	if a.Which != "committed" {
		out.List.Uncommitted = entriesOf(staged)
	}
	return out, nil
}
