package service

import (
	"errors"

	"github.com/leasehold/leasehold/internal/auth"
	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/meta"
)

// useSnapshot is that of Snapshot Blob: it changes the blob, if at all, in a way that
// its lease does not guard.
var useSnapshot = use{lease: leaseReads, effect: blob.Writes}

func historyOperations() []Operation {
	ofVersion, forGood := onBlob("DELETE", ""), onBlob("DELETE", "")
	ofVersion.Query, forGood.Query = []string{"versionid"}, []string{"deletetype"}
	return []Operation{
		{"Blob_Delete", forGood, auth.PermDeletePermanently, useDelete, 202, false, inOne(single((*call).changeAndTell, doDeleteBlob))},
		{"Blob_Delete", ofVersion, auth.PermDeleteVersion, useDelete, 202, false, inOne(single((*call).changeAndTell, doDeleteBlob))},
		{"Blob_Delete", onBlob("DELETE", ""), auth.PermDeleteBlob, useDelete, 202, false, inOne(single((*call).changeAndTell, doDeleteBlob))},
		{"Blob_CreateSnapshot", onBlob("PUT", "snapshot"), auth.PermSnapshotBlob, useSnapshot, 201, false, update(doSnapshot)},
		{"Blob_Undelete", onBlob("PUT", "undelete"), auth.PermUndeleteBlob, useNothing, 200, false, inOne(update(doUndelete))},
	}
}

// inOne refuses, as something that no retry helps, to change more snapshots in one transaction
// than fit (docs/facts/largest-transactions.md).
func inOne(h handler) handler {
	return h.around(func(c *call, inner func(*call) error) error {
		err := inner(c)
		if errors.Is(err, kv.ErrTooLarge) {
			return &fault.Error{Code: fault.SnapshotCountExceeded, Cause: err}
		}
		return err
	})
}

// snapshotBlob keeps the present state of a blob.
type snapshotBlob struct {
	conditional
	guarded
	keyed
	scoped
	metadata
}

type snapshotted struct {
	version
	versionID
	Snapshot  stamp `header:"x-ms-snapshot"`
	Encrypted bool  `header:"x-ms-request-server-encrypted,always,since=2015-12-11"`
}

func doSnapshot(s *scope, a *snapshotBlob) (*snapshotted, error) {
	taken, err := s.freeze(s.blob)
	if err != nil {
		return nil, err
	}
	taken.VersionID = 0
	if m := a.metadata.record(); m != nil {
		taken.Metadata = m
		taken.Touch(s.now)
	}
	at := blob.Revision{Kind: blob.Snapshot, ID: s.now}
	if err := meta.PutRevision(s.tx, s.container.Generation, s.req.Blob, at, taken); err != nil {
		return nil, err
	}
	if s.newVersion() != 0 {
		if err := s.branch(s.blob); err != nil {
			return nil, err
		}
	}
	answer := &snapshotted{version: versionOf(taken.Version()), Snapshot: stamp(s.now)}
	answer.Encrypted = s.blob.KeyHash == nil && s.blob.Scope == ""
	answer.VersionID = stamp(s.blob.VersionID)
	return answer, s.putBlob(s.blob)
}

// freeze returns the record of the present state of b, to be kept while b goes on.
// Both share the content.
func (s *scope) freeze(b *blob.Blob) (*blob.Blob, error) {
	past := b.AsRevision()
	var err error
	b.Content, past.Content, err = meta.Freeze(s.tx, s.container.Generation, b.Content, b.Size, s.newObject())
	return past, err
}
