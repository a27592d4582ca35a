package service

import (
	"strconv"
	"strings"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/wire"
)

// A listing shows the states of a blob in the order of the store: past states from the oldest on,
// then the current state. With deletedwithversions, a blob without a current state is shown as
// version-only, by its newest version.

// versionOnly is the newest version of a blob, which is shown in place of the blob if no current
// state follows.
type versionOnly struct {
	name    string // "" for none
	version blob.Blob
}

// walk collects the page from the given names.
func (l *blobLister) walk(names meta.Names) error {
	gen := l.container.Generation
	if !l.with.past() {
		return meta.WalkBlobs(l.r, gen, names, l.visit)
	}
	if name, _, ok := strings.Cut(names.Start, "\x00"); ok && names.Start == meta.BehindRevisions(name) {
		if err := l.raise(name); err != nil {
			return err
		}
	}
	if err := meta.WalkStates(l.r, gen, names, l.visit); err != nil || l.next != "" {
		return err
	}
	l.flush(nil)
	return nil
}

// visit adds a state to the page if it is asked for.
func (l *blobLister) visit(e *meta.Entry) (meta.Step, string, error) {
	if step, to := l.flush(e.Name); step == meta.Stop || step == meta.Skip && to > string(e.Name) {
		return step, to, nil
	}
	if l.spent(e) {
		return meta.Stop, "", nil
	}
	l.skipped++ // unless it is shown
	if !l.wanted(e.Revision.Kind) {
		return meta.Next, "", nil
	}
	if err := e.DecodeProperties(&l.record); err != nil {
		return meta.Stop, "", err
	}
	if shown, err := l.shown(e); !shown || err != nil {
		return meta.Next, "", err
	}
	l.skipped--
	step, to := l.add(e.Position(), e.Name, e.Revision, &l.record)
	return step, to, nil
}

// spent reports whether the page has passed over enough entries, and notes that the next page
// begins with e. It does not end a page between the newest version of a blob and its current state,
// because the next page would not know of the version.
func (l *blobLister) spent(e *meta.Entry) bool {
	if l.skipped < maxSkipped || l.versionOnly.name == string(e.Name) && e.Revision.Kind != blob.PreviousVersion {
		return false
	}
	l.next = marker(e.Position())
	return true
}

// wanted reports whether states of a kind are asked for.
func (l *blobLister) wanted(k blob.RevisionKind) bool {
	switch k {
	case blob.Snapshot:
		return l.with.snapshots
	case blob.PreviousVersion:
		return l.with.versions || l.with.versionOnly
	case blob.DeletedBase:
		return l.with.deleted
	}
	return true
}

// shown reports whether an entry is to be listed.
func (l *blobLister) shown(e *meta.Entry) (bool, error) {
	switch {
	case l.record.Gone(l.now):
		return false, nil
	case e.Revision.Kind == blob.PreviousVersion:
		if l.with.versionOnly {
			version, err := e.Decode() // to outlive the walk's next step
			if err != nil {
				return false, err
			}
			l.versionOnly = versionOnly{string(e.Name), *version}
		}
		return l.with.versions && (l.record.Deleted == 0 || l.with.deleted), nil
	case e.Revision.Kind != 0:
		return l.record.Deleted == 0 || l.with.deleted, nil
	case l.record.Expired(l.now), l.record.Uncommitted && !l.with.uncommitted:
		return false, nil
	}
	l.versionOnly.name = ""
	return true, nil
}

// flush adds the pending version-only blob, unless next is the same blob.
func (l *blobLister) flush(next []byte) (meta.Step, string) {
	g := &l.versionOnly
	if g.name == "" || g.name == string(next) {
		return meta.Next, ""
	}
	name := g.name
	g.name = ""
	return l.add([]byte(meta.BehindRevisions(name)), []byte(name), blob.Revision{}, &g.version)
}

// raise prepares the version-only blob whose versions were on the page before.
func (l *blobLister) raise(name string) error {
	for e, err := range meta.Revisions(l.r, l.container.Generation, name) {
		if err != nil {
			return err
		}
		if e.Kind != blob.PreviousVersion {
			continue
		}
		version, err := e.Decode()
		if err != nil {
			return err
		}
		l.versionOnly = versionOnly{name, *version}
	}
	return nil
}

// appendState appends the elements that distinguish the states of a blob.
func (l *blobLister) appendState(b []byte, past blob.Revision, r *blob.Blob) []byte {
	switch {
	case r == &l.versionOnly.version:
		b = append(b, "<HasVersionsOnly>true</HasVersionsOnly>"...)
	case past.Kind == blob.Snapshot:
		b = wire.AppendXMLElement(b, "Snapshot", past.ID.Stamp())
	case r.VersionID != 0 && (l.with.versions || past.IsZero() && l.req.Version.AtLeast(versionsSince)):
		b = wire.AppendXMLElement(b, "VersionId", r.VersionID.Stamp())
		if past.IsZero() {
			b = append(b, "<IsCurrentVersion>true</IsCurrentVersion>"...)
		}
	}
	if r.Deleted != 0 && r != &l.versionOnly.version {
		b = append(b, "<Deleted>true</Deleted>"...)
	}
	return b
}

// appendDeleted appends the time of a soft deletion, and the number of whole days for which the
// state is still kept.
func (l *blobLister) appendDeleted(b []byte, r *blob.Blob) []byte {
	if r.Deleted == 0 || r == &l.versionOnly.version {
		return b
	}
	return appendRetention(b, r.Deleted, r.Retained, l.now)
}

func appendRetention(b []byte, deleted, retained, now blob.Time) []byte {
	b = appendTime(b, "DeletedTime", deleted)
	b = append(b, "<RemainingRetentionDays>"...)
	b = strconv.AppendInt(b, int64(max(retained-now, 0)/blob.Day), 10)
	return append(b, "</RemainingRetentionDays>"...)
}
