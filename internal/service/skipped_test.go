package service_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/blob"
	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// counting is an engine that counts the pairs that views scan.
type counting struct {
	kv.DB
	pairs int
}

func (c *counting) View(ctx context.Context, fn func(kv.Reader) error) error {
	return c.DB.View(ctx, func(r kv.Reader) error { return fn(counted{r, c}) })
}

type counted struct {
	kv.Reader
	by *counting
}

func (c counted) Scan(start, end []byte) iter.Seq2[kv.Pair, error] {
	return func(yield func(kv.Pair, error) bool) {
		for p, err := range c.Reader.Scan(start, end) {
			if c.by.pairs++; !yield(p, err) {
				return
			}
		}
	}
}

// most is how many entries one page of a listing may look at: what it passes over, what it
// shows, and the one behind.
const most = 20_000 + 5_000 + 1

// pages lists all there is and returns the names, holding each page to its bound.
func (s *store) pages(db *counting, target string) (names []string, n int) {
	s.t.Helper()
	for marker := ""; ; n++ {
		db.pairs = 0
		a := s.want(200, "", "GET", target+"&marker="+url.QueryEscape(marker), nil)
		var list struct {
			Blobs      []string `xml:"Blobs>Blob>Name"`
			Containers []string `xml:"Containers>Container>Name"`
			NextMarker string
		}
		if err := xml.Unmarshal(a.body[3:], &list); err != nil {
			s.t.Fatalf("%v in %.200s", err, a.body)
		}
		if db.pairs > most {
			s.t.Errorf("page %d of %s looked at %d entries, over %d", n, target, db.pairs, most)
		}
		names = append(append(names, list.Blobs...), list.Containers...)
		if marker = list.NextMarker; marker == "" {
			return names, n + 1
		}
	}
}

// TestListingsPassOverSoMuch: entries that are not shown cost a page no more than its bound,
// and none that is shown is lost or told twice.
func TestListingsPassOverSoMuch(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := &counting{DB: mem.Open(&mem.Options{Clock: c.Now})}
	t.Cleanup(func() { db.Close() })
	s := newStoreOn(t, c, db, segments.New(nil))
	s.broken = true // the records have no content and no index entries
	s.want(201, "", "PUT", "/box?restype=container", nil)
	const hidden = 45_000
	at := blob.TimeOf(c.Now())
	var gen uint64
	err := db.Update(t.Context(), []kv.Key{meta.ContainerKey(account, "box")}, func(tx kv.Tx) error {
		box, err := meta.Container(tx, account, "box")
		if err != nil {
			return err
		}
		gen = box.Generation
		for i := range hidden {
			b := &blob.Blob{Type: blob.BlockBlob, Uncommitted: i%2 == 0, Expires: at - 1}
			if err := meta.PutBlob(tx, gen, fmt.Sprintf("m%05d", i), b); err != nil {
				return err
			}
			past := blob.Revision{Kind: blob.PreviousVersion, ID: at - hidden + blob.Time(i)}
			if err := meta.PutRevision(tx, gen, "old", past, &blob.Blob{Type: blob.BlockBlob, VersionID: past.ID}); err != nil {
				return err
			}
			gone := &blob.Container{Generation: gen + uint64(i) + 1, Deleted: at - blob.Time(i), Retained: at + blob.Day}
			if err := meta.SoftDeleteContainer(tx, account, fmt.Sprintf("bin%d", i%3), gone); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "m00000x", "m30000x", "old", "z"} {
		s.put(name, 1)
	}
	s.want(201, "", "PUT", "/zoo?restype=container", nil)
	for target, want := range map[string][]string{
		"/box?restype=container&comp=list":                                       {"a", "m00000x", "m30000x", "old", "z"},
		"/box?restype=container&comp=list&delimiter=x&prefix=m":                  nil,
		"/box?restype=container&comp=list&include=snapshots":                     {"a", "m00000x", "m30000x", "old", "z"},
		"/box?restype=container&comp=list&include=deletedwithversions&prefix=ol": {"old"},
		"/?comp=list": {"box", "zoo"},
	} {
		names, n := s.pages(db, target)
		if !slices.Equal(names, want) || n < 2 || n > 7 {
			t.Errorf("%s: %d pages with %q, want %q", target, n, names, want)
		}
	}
	if names, _ := s.pages(db, "/box?restype=container&comp=list&include=versions&prefix=old"); len(names) != hidden+1 {
		t.Errorf("%d versions are listed of %d", len(names), hidden+1)
	}
}
