package main

import (
	"fmt"
	"strings"
)

// A tree has folders of 100 blobs: 50 in the folder itself and ten in each of five folders below.
const (
	treeFolder = 100
	treeFiles  = 50
	treeSub    = 5
)

// smallTree is the number of blobs of the tree that larger ones are compared with.
const smallTree = 1000

func treeName(n int) string { return "list a folder among " + thousands(n) }

// treePath returns the name of blob i of a tree.
func treePath(i int) string {
	folder, rest := i/treeFolder, i%treeFolder
	if rest < treeFiles {
		return fmt.Sprintf("d%07d/f%02d", folder, rest)
	}
	return fmt.Sprintf("d%07d/s%d/f%02d", folder, rest%treeSub, rest/treeSub)
}

// listFlat lists a container of 5,000 blobs in one page.
func listFlat(s *stage) ([]step, error) {
	const blobs = 5000
	if err := s.fillContainer("flat", blobs, func(i int) string { return fmt.Sprintf("blob-%07d", i) }); err != nil {
		return nil, err
	}
	return s.listers([]string{"restype=container&comp=list&maxresults=5000"}, blobs, 0)
}

// listTree lists folders with a delimiter, which has to step over what lies in the folders below.
// The answers are of the same size whatever the number of blobs around them.
func listTree(n int) func(*stage) ([]step, error) {
	return func(s *stage) ([]step, error) {
		if err := s.fillContainer(fmt.Sprintf("tree%d", n), n, treePath); err != nil {
			return nil, err
		}
		return s.treeListers(n)
	}
}

// fillContainer makes a container of its own for a row and fills it, once in a run.
func (s *stage) fillContainer(name string, n int, path func(i int) string) error {
	s.container += "-" + name
	if s.filled[s.container] {
		return nil
	}
	if err := s.makeContainer(); err != nil {
		return err
	}
	if err := s.fill(n, func(i int) string { return s.blob(path(i)) }, newBodies(0)); err != nil {
		return err
	}
	s.filled[s.container] = true
	return nil
}

// treeListers lists ten folders spread over the whole tree.
func (s *stage) treeListers(n int) ([]step, error) {
	folders := n / treeFolder
	queries := make([]string, 10)
	for i := range queries {
		queries[i] = fmt.Sprintf("restype=container&comp=list&delimiter=%%2F&prefix=d%07d%%2F", i*folders/len(queries))
	}
	return s.listers(queries, treeFiles, treeSub)
}

// listers returns steps that list again and again and must always get the same bytes. The first
// answer of a store is checked for its number of blobs and prefixes.
func (s *stage) listers(queries []string, blobs, prefixes int) ([]step, error) {
	path := s.base + "/" + s.container
	wants := make([]content, len(queries))
	for i, query := range queries {
		if !s.store() {
			continue
		}
		text, err := s.fetch(newCall("GET", path, query, nil, "x-ms-version", version), &wants[i])
		if err != nil {
			return nil, err
		}
		if b, p := strings.Count(text, "<Blob>"), strings.Count(text, "<BlobPrefix>"); b != blobs || p != prefixes {
			return nil, fmt.Errorf("%s: want %d blobs and %d prefixes, got %d and %d", query, blobs, prefixes, b, p)
		}
	}
	steps := make([]step, s.conns)
	for id := range steps {
		calls, i := make([]*call, len(queries)), id
		for q, query := range queries {
			calls[q] = newCall("GET", path, query, nil, "x-ms-version", version)
		}
		steps[id] = func(w *worker) error {
			i = (i + 1) % len(calls)
			if err := w.call(calls[i], 200); err != nil || !s.store() {
				return err
			}
			return w.expect(wants[i])
		}
	}
	return steps, nil
}

// fetch returns the text of one answer and what it is.
func (s *stage) fetch(c *call, is *content) (string, error) {
	r, err := newRecorder(s.target)
	if err != nil {
		return "", err
	}
	defer r.close()
	w := &worker{client: r}
	if err := w.call(c, 200); err != nil {
		return "", err
	}
	*is = content{w.ans.read, w.ans.sum}
	return string(r.recorded[0].Body), nil
}
