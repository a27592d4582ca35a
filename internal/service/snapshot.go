package service

import (
	"errors"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
)

// useSnapshot is the use of Snapshot Blob, which changes the blob, if at all, in a way that its
// lease does not guard.
var useSnapshot = use{lease: leaseReads, effect: blob.Writes}

func historyOperations() []Operation {
	ofVersion, forGood := onBlob("DELETE", ""), onBlob("DELETE", "")
	ofVersion.Query, forGood.Query = []string{"versionid"}, []string{"deletetype=permanent"}
	return []Operation{
		{
			Name: "Blob_Delete", On: forGood, Needs: auth.PermDeletePermanently, Status: 202,
			Use: useDelete, Failed: failedSnapshots, Run: update(doDeleteBlob),
		},
		{
			Name: "Blob_Delete", On: ofVersion, Needs: auth.PermDeleteVersion, Status: 202,
			Use: useDelete, Failed: failedSnapshots, Run: update(doDeleteBlob),
		},
		{
			Name: "Blob_Delete", On: onBlob("DELETE", ""), Needs: auth.PermDeleteBlob, Status: 202,
			Use: useDelete, Failed: failedSnapshots, Run: update(doDeleteBlob),
		},
		{
			Name: "Blob_CreateSnapshot", On: onBlob("PUT", "snapshot"), Needs: auth.PermSnapshotBlob, Status: 201,
			Use: useSnapshot, Run: update(doSnapshot),
		},
		{
			Name: "Blob_Undelete", On: onBlob("PUT", "undelete"), Needs: auth.PermUndeleteBlob, Status: 200,
			Use: useNothing, Failed: failedSnapshots, Run: update(doUndelete),
		},
	}
}

// failedSnapshots turns the error for more snapshots than fit into one transaction into a failure
// that clients do not retry (docs/facts/largest-transactions.md).
func failedSnapshots(_ *call, err error) error {
	if errors.Is(err, kv.ErrTooLarge) {
		return &fault.Error{Code: fault.SnapshotCountExceeded, Cause: err}
	}
	return err
}

// snapshotBlob keeps the present state of a blob.
type snapshotBlob struct {
	conditional
	leaseIDHeader
	customerKey
	scoped
	metadata
}

type snapshotted struct {
	validators
	versionID
	Snapshot  revisionID `header:"x-ms-snapshot"`
	Encrypted bool       `header:"x-ms-request-server-encrypted,always,since=2015-12-11"`
}

func doSnapshot(s *txn, a *snapshotBlob) (*snapshotted, error) {
	taken, err := s.entry.Snapshot(s.blob, func(b *blob.Blob) {
		if m := a.metadata.record(); m != nil {
			b.Metadata = m
			b.Touch(s.now)
		}
	})
	if err != nil {
		return nil, err
	}
	if s.entry.NewVersion() != 0 {
		if err := s.entry.Branch(); err != nil {
			return nil, err
		}
	}
	answer := &snapshotted{validators: validatorsOf(taken.Validators()), Snapshot: revisionID(s.now)}
	answer.Encrypted = a.Metadata != nil // only then do clients see a write
	answer.VersionID = revisionID(s.blob.VersionID)
	return answer, s.putBlob(s.blob)
}
