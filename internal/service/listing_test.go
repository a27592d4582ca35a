package service_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/lease"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// stored is a state of a blob to be put into a store as it is.
type stored struct {
	name     string
	revision blob.Revision
	record   blob.Blob
}

// entries are states with everything that a listing tells.
func entries(now time.Time) []stored {
	at := blob.TimeOf(now)
	plain := blob.Blob{Type: blob.BlockBlob, Created: at, Modified: at, ETag: blob.NextETag(0, at), Size: 1 << 40}
	with := func(change func(*blob.Blob)) blob.Blob {
		b := plain
		change(&b)
		return b
	}
	held := func(d lease.Duration, kind lease.Kind, end time.Duration) blob.Blob {
		return with(func(b *blob.Blob) {
			b.Lease = lease.Lease{Kind: kind, ID: lease.ID{1}, Duration: d, Epoch: 7}
			if end != 0 {
				b.Lease.End = lease.At(now.Add(end))
			}
		})
	}
	return []stored{
		{name: "a/\x01control", record: plain},
		{name: "a/b/<&>\"' \r\n\t", record: plain},
		{name: "a/b/Grüße, 世界 😀", record: plain},
		{name: "copy", record: with(func(b *blob.Blob) {
			b.Copy = &blob.Copy{ID: [16]byte{0xAB}, Source: "https://example.com/a?b&c", Size: 9, Completed: at + 3*blob.Day}
		})},
		{name: "headers", record: with(func(b *blob.Blob) {
			b.HTTP = blob.HTTPHeaders{
				ContentType: "text/html; charset=\"utf-8\"", ContentEncoding: "gzip", ContentLanguage: "en",
				ContentDisposition: "attachment; filename=\"<x>\"", CacheControl: "no-cache & co",
				ContentMD5: bytes.Repeat([]byte{0xFB}, 16),
			}
			b.Created -= 400 * blob.Day
		})},
		{name: "headers/etag", record: with(func(b *blob.Blob) { b.ETag = 0xFEDC_BA98_7654_3210 })},
		{name: "history", revision: blob.Revision{Kind: blob.PreviousVersion, ID: at - 9}, record: with(func(b *blob.Blob) { b.VersionID = at - 9 })},
		{name: "history", revision: blob.Revision{Kind: blob.Snapshot, ID: at - 8}, record: plain},
		{name: "history", revision: blob.Revision{Kind: blob.Snapshot, ID: at - 7}, record: with(func(b *blob.Blob) {
			b.Deleted, b.Retained = at-blob.Day, at+5*blob.Day
		})},
		{name: "history", record: with(func(b *blob.Blob) { b.VersionID = at - 5 })},
		{name: "increment", revision: blob.Revision{Kind: blob.Snapshot, ID: at - 8}, record: with(func(b *blob.Blob) {
			b.Type, b.Copy, b.Incremental = blob.PageBlob, &blob.Copy{Source: "https://example.com/a?snapshot=b"}, &blob.Incremental{Snapshot: at - 8}
		})},
		{name: "increment", record: with(func(b *blob.Blob) {
			b.Type, b.Incremental = blob.PageBlob, &blob.Incremental{Snapshot: at - 8}
		})},
		{name: "key", record: with(func(b *blob.Blob) {
			b.KeyHash, b.Metadata = bytes.Repeat([]byte{0xFF}, 32), blob.Metadata{{Name: "a", Value: "b"}}
		})},
		{name: "lease/breaking", record: held(60, lease.Ended, time.Minute)},
		{name: "lease/broken", record: held(60, lease.Ended, 0)},
		{name: "lease/expired", record: held(60, lease.Held, -time.Minute)},
		{name: "lease/fixed", record: held(60, lease.Held, time.Minute)},
		{name: "lease/infinite", record: held(lease.Infinite, lease.Held, 0)},
		{name: "log", record: with(func(b *blob.Blob) { b.Type, b.Sealed = blob.AppendBlob, true })},
		{name: "metadata", record: with(func(b *blob.Blob) {
			b.Metadata = blob.Metadata{{Name: "empty"}, {Name: "Name_1", Value: "a<b & \xff\x02 ü"}}
			b.Tags = blob.Tags{{Key: "k 1", Value: ""}, {Key: "k2", Value: "a+b=c/d:e_f.g-h"}}
			b.Scope = "scope-1"
		})},
		{name: "page", record: with(func(b *blob.Blob) { b.Type, b.Sequence, b.Size = blob.PageBlob, -1, 512 })},
		{name: "tier", record: with(func(b *blob.Blob) {
			b.Access = blob.TierState{Tier: blob.TierArchive, Changed: at - 11, Target: blob.TierCool, Done: at + 99, Urgent: true}
		})},
		{name: "uncommitted", record: blob.Blob{Type: blob.BlockBlob, Uncommitted: true, Created: at}},
		{name: "vanished", revision: blob.Revision{Kind: blob.PreviousVersion, ID: at - 9}, record: with(func(b *blob.Blob) {
			b.VersionID, b.Metadata = at-9, blob.Metadata{{Name: "of", Value: "a version"}}
		})},
		{name: "worm", record: with(func(b *blob.Blob) {
			b.Policy, b.LegalHold, b.Expires = blob.Immutability{Until: at + blob.Day, Locked: true}, true, at+7
		})},
	}
}

// TestListingText holds the text of listings to the byte: clients parse them in all kinds of ways.
func TestListingText(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	s := newStoreOn(t, c, db, segments.New(nil))
	s.broken = true // the records name bytes that are not there
	s.want(201, "", "PUT", "/box?restype=container", nil)
	err := db.Update(context.Background(), []kv.Key{meta.ContainerKey(account, "box")}, func(tx kv.Tx) error {
		box, err := meta.Container(tx, account, "box")
		if err != nil {
			return err
		}
		for _, e := range entries(c.Now()) {
			if e.revision.IsZero() {
				err = meta.PutBlob(tx, box.Generation, e.name, &e.record)
			} else {
				err = meta.PutRevision(tx, box.Generation, e.name, e.revision, &e.record)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, q := range []string{
		"", "&prefix=&maxresults=3", "&prefix=a/&delimiter=/", "&delimiter=/", "&prefix=a/&delimiter=B", "&include=metadata,tags,copy,uncommittedblobs",
		"&include=snapshots,versions,deleted", "&include=copy,snapshots&prefix=i", "&include=deletedwithversions,metadata", "&include=deletedwithversions,versions&prefix=v",
		"&include=immutabilitypolicy,legalhold&prefix=w", "&include=versions&maxresults=1&prefix=history",
	} {
		got = append(append(got, q...), '\n')
		for marker := ""; ; {
			a := s.want(200, "", "GET", "/box?restype=container&comp=list"+q+marker, nil)
			got = append(append(got, a.body...), '\n')
			next := unmarshal[struct{ NextMarker string }](t, a).NextMarker
			if next == "" {
				break
			}
			marker = "&marker=" + next
		}
	}
	old := s.want(200, "", "GET", "/box?restype=container&comp=list&prefix=a/", nil, "x-ms-version", "2019-12-12")
	got = append(append(got, old.body...), '\n')
	got = bytes.ReplaceAll(got, []byte("<Blob>"), []byte("\n<Blob>"))
	file := filepath.Join("testdata", "listing.xml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, wanted := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(lines), len(wanted)) {
		if lines[i] != wanted[i] {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, lines[i], wanted[i])
		}
	}
	if len(lines) != len(wanted) {
		t.Errorf("%d lines, want %d", len(lines), len(wanted))
	}
}
