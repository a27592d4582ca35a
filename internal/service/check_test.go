package service_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/kv/mem"
	"github.com/leasehold/leasehold/internal/meta"
	"github.com/leasehold/leasehold/internal/segment"
	segments "github.com/leasehold/leasehold/internal/segment/mem"
)

// findings runs a check and returns what it found.
func findings(t testing.TB, db kv.DB, bodies segment.Store) (damage, garbage []string) {
	t.Helper()
	c := meta.Checker{DB: db, Segments: bodies, Report: func(f meta.Finding) {
		if f.Garbage {
			garbage = append(garbage, f.Text)
		} else if !f.Unreachable {
			damage = append(damage, f.Text)
		}
	}}
	if _, err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return damage, garbage
}

// fillAll stores something of every kind.
func fillAll(s *store) {
	block := []string{"x-ms-blob-type", "BlockBlob"}
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box?restype=container&comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	s.want(201, "", "PUT", "/box/short", []byte("short"), append(block, "x-ms-tags", "k=v")...)
	s.want(201, "", "PUT", "/box/short?comp=lease", nil, "x-ms-lease-action", "acquire", "x-ms-lease-duration", "-1")
	s.want(201, "", "PUT", "/box/long", long('a'), block...)
	s.want(201, "", "PUT", "/box/long?comp=snapshot", nil)
	s.want(201, "", "PUT", "/box/staged?comp=block&blockid=AAAA", []byte("staged"))
	list := "<BlockList>"
	for i := range 300 { // more than a page of a list
		id := base64ID(fmt.Sprintf("%03d", i))
		s.want(201, "", "PUT", "/box/blocks?comp=block&blockid="+id, []byte{'b'})
		list += "<Latest>" + id + "</Latest>"
	}
	s.want(201, "", "PUT", "/box/blocks?comp=blocklist", []byte(list+"</BlockList>"))
	s.want(201, "", "PUT", "/box/blocks?comp=snapshot", nil)
	s.want(201, "", "PUT", "/box/log", nil, "x-ms-blob-type", "AppendBlob")
	for range 3 {
		s.want(201, "", "PUT", "/box/log?comp=appendblock", []byte("line"))
	}
	s.want(201, "", "PUT", "/box/disk", nil, "x-ms-blob-type", "PageBlob", "x-ms-blob-content-length", "8192")
	for at := 0; at < 4096; at += 1024 {
		s.want(201, "", "PUT", "/box/disk?comp=page", bytes.Repeat([]byte{'p'}, 512), "x-ms-page-write", "update", "x-ms-range", fmt.Sprintf("bytes=%d-%d", at, at+511))
	}
	s.want(201, "", "PUT", "/box/disk?comp=snapshot", nil)
}

// TestCheckFindsLoss takes away each stored key and each segment in turn: every loss but
// those that nothing else tells of is found, and all that a blob's bytes need is damage.
func TestCheckFindsLoss(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	defer db.Close()
	bodies := segments.New(nil)
	s := newStoreOn(t, c, db, bodies)
	fillAll(s)
	if damage, garbage := findings(t, db, bodies); damage != nil || garbage != nil {
		t.Fatalf("before any loss: %q, %q", damage, garbage)
	}
	ctx := context.Background()
	var all []kv.Pair
	err := db.View(ctx, func(r kv.Reader) error {
		for p, err := range r.Scan(nil, nil) {
			if err != nil {
				return err
			}
			all = append(all, kv.Pair{Key: bytes.Clone(p.Key), Value: append([]byte{}, p.Value...)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value []byte) {
		err := db.Update(ctx, []kv.Key{key}, func(tx kv.Tx) error {
			if value == nil {
				return tx.Delete(key)
			}
			return tx.Put(key, value)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tried := map[byte]int{}
	for _, p := range all {
		kind := p.Key[0]
		if tried[kind]++; tried[kind] > 25 && kind != 'b' {
			continue // one is like the other
		}
		set(p.Key, nil)
		damage, garbage := findings(t, db, bodies)
		switch {
		case strings.IndexByte("mdelhot", kind) >= 0 && damage == nil:
			t.Errorf("without %q: no damage, garbage %q", p.Key, garbage)
		case kind != 'w' && damage == nil && garbage == nil:
			t.Errorf("without %q: clean", p.Key)
		}
		if len(p.Value) > 1 && kind != 'd' {
			set(p.Key, p.Value[:len(p.Value)-1])
			if damage, _ := findings(t, db, bodies); damage == nil && kind != 'm' {
				t.Errorf("with %q cut short: no damage", p.Key)
			}
		}
		set(p.Key, p.Value)
	}
	for info, err := range bodies.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if err := bodies.Delete(ctx, info.ID); err != nil {
			t.Fatal(err)
		}
	}
	if damage, _ := findings(t, db, bodies); len(damage) != 2 || !strings.Contains(damage[0], "/box/long") {
		t.Errorf("without segments: %q", damage) // of the blob and of its snapshot
	}
	s.broken = true
	for _, stray := range []string{"\x00", "a", "z", "b123", "h1"} {
		set([]byte(stray), []byte{})
		if damage, _ := findings(t, db, bodies); len(damage) != 3 {
			t.Errorf("with a stray key %q: %q", stray, damage)
		}
		set([]byte(stray), nil)
	}
}

// TestCheckFindsGarbage leaves a segment that nothing refers to, and one that is to be
// removed: neither is damage.
func TestCheckFindsGarbage(t *testing.T) {
	c := &clock{now: time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)}
	db := mem.Open(&mem.Options{Clock: c.Now})
	defer db.Close()
	bodies := segments.New(nil)
	s := newStoreOn(t, c, db, bodies)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	s.want(201, "", "PUT", "/box/a", long('a'), "x-ms-blob-type", "BlockBlob")
	s.want(201, "", "PUT", "/box/a", long('b'), "x-ms-blob-type", "BlockBlob")
	if damage, garbage := findings(t, db, bodies); damage != nil || garbage != nil {
		t.Errorf("with a segment to be removed: %q, %q", damage, garbage)
	}
	s.broken = true // from here on, what the test adds would be found at its end
	if _, err := bodies.Write(t.Context(), bytes.NewReader(long('c'))); err != nil {
		t.Fatal(err)
	}
	if damage, garbage := findings(t, db, bodies); damage != nil || len(garbage) != 1 {
		t.Errorf("with an upload that was cut off: %q, %q", damage, garbage)
	}
}
