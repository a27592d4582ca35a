package main

import "testing"

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

// TestWorkloadNames makes sure that bars refer to rows that come before them.
func TestWorkloadNames(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads(100_000) {
		if w.bar.like != "" && !seen[w.bar.like] {
			t.Errorf("%q is compared with %q, which does not come before it", w.name, w.bar.like)
		}
		seen[w.name] = true
	}
}
