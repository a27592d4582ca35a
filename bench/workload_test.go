package main

import (
	"hash/crc32"
	"strings"
	"testing"
	"time"
)

// TestOwnedBlobsAreNotShared visits what each connection calls its own, in both kinds of stores.
func TestOwnedBlobsAreNotShared(t *testing.T) {
	for _, among := range []int{0, 1000, 100_000} {
		s := &stage{target: &target{role: ceilingRole}, conns: 64, among: among, container: "c"}
		o, err := s.own(16, nil)
		if err != nil {
			t.Fatal(err)
		}
		owner := map[string]int{}
		for id := range s.conns {
			seen := map[string]bool{}
			for k := range o.each {
				path := o.at(id, k)
				if other, taken := owner[path]; taken && other != id {
					t.Fatalf("among %d: connections %d and %d share %s", among, other, id, path)
				}
				owner[path], seen[path] = id, true
			}
			if len(seen) != o.each {
				t.Fatalf("among %d: connection %d visits %d blobs of %d", among, id, len(seen), o.each)
			}
		}
	}
}

// TestTreeFolders counts what lies in the folders of a tree.
func TestTreeFolders(t *testing.T) {
	files, below, names := 0, map[byte]int{}, map[string]bool{}
	for i := range 200 {
		name := treePath(i)
		names[name] = true
		if name[:9] != "d0000001/" {
			continue
		}
		if name[9] == 'f' {
			files++
		} else {
			below[name[10]]++
		}
	}
	if len(names) != 200 || files != treeFiles || len(below) != treeSub {
		t.Errorf("got %d names, %d files, folders below %v", len(names), files, below)
	}
	for sub, n := range below {
		if n != (treeFolder-treeFiles)/treeSub {
			t.Errorf("folder s%c holds %d", sub, n)
		}
	}
}

// TestTwins makes sure that what is compared with a twin has one.
func TestTwins(t *testing.T) {
	for _, w := range workloads(100_000) {
		if (w.twin != nil) != (w.bar.twin > 0) {
			t.Errorf("%q: twin and bar don't go together", w.name)
		}
	}
}

// TestBodies looks for what stores could profit from, and for what readers rely on.
func TestBodies(t *testing.T) {
	for _, size := range []int{0, kib, 64 * kib, mib} {
		a, again := newBodies(size), newBodies(size)
		sums := map[content]bool{}
		for i := range 100 {
			path := treePath(i)
			if want := a.want(path); int(want.size) != len(a.of(path)) || want.sum != crc32.Checksum(a.of(path), castagnoli) || want != again.want(path) {
				t.Fatalf("size %d, %s: want %v", size, path, want)
			}
			sums[a.want(path)] = true
		}
		if different := size > 0 && size <= smallBody; different != (len(sums) == 100) {
			t.Errorf("size %d: %d different contents of 100", size, len(sums))
		}
	}
}

// TestReadersNoticeWrongContent lets a store answer with the right length only.
func TestReadersNoticeWrongContent(t *testing.T) {
	target := ceilingTarget(t, &recorded{Method: "GET", Status: 200, Body: make([]byte, kib)},
		&recorded{Method: "PUT", Status: 201, Header: map[string][]string{"Etag": {`"0x1"`}}})
	target.role = server
	s := &stage{target: target, conns: 2, container: "c", prefix: "p-", progress: t.Logf}
	steps, err := get(kib, 4)(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runSlice(target, rawKind, steps, getCall("/x"), time.Millisecond); err == nil || !strings.Contains(err.Error(), "want 1024 bytes with sum") {
		t.Errorf("got %v", err)
	}
}
