package main

import (
	"hash/crc32"
	"strconv"
	"sync/atomic"
)

// version is the protocol version that every request names: new enough for all that is measured, and known to the peer.
const version = "2024-11-04"

// workload is one row of the table.
type workload struct {
	name  string
	conns int
	bar   bar
	bulk  bool // writes so much that the disk has to settle between slices
	heavy bool // not for the peer: it would take too long to fill
	// setup prepares the store and returns one step per connection; on the ceiling it only returns the steps.
	setup func(s *stage) ([]step, error)
	// before, when set, prepares a store before each slice.
	before func(s *stage) error
	// sample, when set, replaces one run of the first step as the source of the ceiling's answers.
	sample func(s *stage, w *worker) error
	// after, when set, checks or cleans a store when all slices are done.
	after func(s *stage) error
}

// stage is a workload on one target.
type stage struct {
	*target
	conns     int
	among     int // number of blobs in a store filled beforehand; 0 if the workload makes its own
	container string
	prefix    string // of the blob names of this row
	progress  func(format string, args ...any)
	pending   pathList     // what a workload consumes
	next      atomic.Int64 // of pending
	held      []hold
	holders   atomic.Int64 // of the contended lease
	granted   atomic.Int64 // acquisitions of the contended lease
	written   []string     // paths that were put last, one per connection
}

// blob returns the escaped path of a blob. Names hold only characters that need no escaping.
func (s *stage) blob(name string) string { return s.base + "/" + s.container + "/" + name }

// pathList is a set of blobs by their paths.
type pathList []string

func (p pathList) at(i int) string { return p[i] }

// names returns the paths of n blobs of this row.
func (s *stage) names(n int) pathList {
	paths := make(pathList, n)
	for i := range paths {
		paths[i] = s.blob(s.prefix + strconv.Itoa(i))
	}
	return paths
}

// body returns n bytes that don't compress, the same in every run, and what a reader must find.
func body(n int) ([]byte, content) {
	b := make([]byte, n)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b, content{int64(n), crc32.Checksum(b, castagnoli)}
}

func putCall(path string, body []byte) *call {
	return newCall("PUT", path, "", body, "Content-Type", "application/octet-stream", "x-ms-blob-type", "BlockBlob", "x-ms-version", version)
}

func getCall(path string) *call { return newCall("GET", path, "", nil, "x-ms-version", version) }
