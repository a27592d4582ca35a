package service

import (
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// An incremental copy applies the difference between two snapshots of a page blob to its
// destination, and then takes a snapshot of the destination. The destination has no other use: it
// can't be read, and only the next incremental copy from the same source can write it
// (docs/facts/incremental-copy.md).

// useIncremental is the use of Incremental Copy Blob, which takes no lease ID. An unmet condition
// is TargetConditionNotMet in every version.
var useIncremental = use{creates: true, lease: leaseWrites, effect: blob.Writes, works: onIncremental, target: "9999-12-31"}

type copyIncremental struct {
	conditional
	Source sourceURL `header:"x-ms-copy-source,required"`
}

func (a *copyIncremental) wants() *wanted {
	return &wanted{kind: kindIncremental, url: &a.Source}
}

// checkForm demands a snapshot as the source.
func (a *copyIncremental) checkForm() error {
	past, err := pastOf(a.Source.query)
	if err == nil && past.Kind != blob.Snapshot {
		err = fault.IncrementalCopySourceMustBeSnapshot
	}
	return err
}

type copiedIncremental struct {
	validators
	ID     string `header:"x-ms-copy-id"`
	Status string `header:"x-ms-copy-status"`
}

// lastIncremental returns the state that the last incremental copy has left in the destination; nil
// before the first one.
func (s *txn) lastIncremental() (*blob.Incremental, error) {
	switch b := s.blob; {
	case b == nil || b.Uncommitted:
		return nil, nil
	case b.Type != blob.PageBlob:
		return nil, fault.InvalidBlobType
	case b.Incremental == nil:
		return nil, fault.IncrementalCopyBlobMismatch
	default:
		return b.Incremental, nil
	}
}

func doCopyIncremental(s *txn, _ *copyIncremental, from *source) (*copiedIncremental, error) {
	last, err := s.lastIncremental()
	if err != nil {
		return nil, err
	}
	if (last == nil) != (from.last == nil) || last != nil && *last != *from.last {
		return nil, errSourceChanged
	}
	b, err := s.takeDifference(from)
	if err != nil {
		return nil, err
	}
	b.Copy = s.copyDone(from, b.Size)
	b.Incremental = &blob.Incremental{
		Gen: from.at.Generation, Name: from.at.Blob, Origin: from.record.Origin, Copied: from.at.Revision.ID, Snapshot: s.now,
	}
	if _, err := s.entry.Snapshot(b, nil); err != nil {
		return nil, err
	}
	// The answer to the start always says pending; reads show the outcome.
	return &copiedIncremental{validatorsOf(b.Validators()), copyStateOf(b.Copy).ID, "pending"}, s.putBlob(b)
}

// takeDifference returns the record of the destination with the pages and properties of the
// source.
func (s *txn) takeDifference(from *source) (*blob.Blob, error) {
	chunk, err := from.body.chunk(s)
	if err != nil {
		return nil, err
	}
	b := s.blob
	if from.last != nil {
		b.HTTP, b.Metadata, b.Sequence = from.record.HTTP, from.record.Metadata, from.record.Sequence
		b.Touch(s.now)
		return b, s.layPages(b, from, chunk)
	}
	if b, err = s.copyOf(from, &metadata{}, &attributes{}); err != nil {
		return nil, err
	}
	if err := s.storePages(b, from, chunk); err != nil {
		return nil, err
	}
	b.Touch(s.now)
	b.Origin = b.ETag
	return b, s.entry.DropStaged(nil)
}

// incrementalCopy holds the headers by which Get Blob Properties describes incremental copies.
type incrementalCopy struct {
	Incremental bool       `header:"x-ms-incremental-copy,since=2016-05-31"`
	Snapshot    revisionID `header:"x-ms-copy-destination-snapshot,since=2016-05-31"`
}

func incrementalCopyOf(b *blob.Blob) incrementalCopy {
	if b.Incremental == nil {
		return incrementalCopy{}
	}
	return incrementalCopy{true, revisionID(b.Incremental.Snapshot)}
}

// appendIncremental appends the elements that describe an incremental copy in a listing: the name
// of the snapshot in both forms that clients look for.
func appendIncremental(b []byte, i *blob.Incremental, withCopy bool) []byte {
	if i == nil {
		return b
	}
	b = append(b, "<IncrementalCopy>true</IncrementalCopy>"...)
	if withCopy {
		b = wire.AppendXMLElement(b, "CopyDestinationSnapshot", i.Snapshot.Stamp())
		b = wire.AppendXMLElement(b, "DestinationSnapshot", i.Snapshot.Stamp())
	}
	return b
}
