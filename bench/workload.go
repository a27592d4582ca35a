package main

import (
	"hash/crc32"
	"strconv"
	"sync/atomic"
)

// version is the protocol version that every request names: new enough for all that is measured,
// and known to the peer.
const version = "2024-11-04"

// workload is one row of the table.
type workload struct {
	name  string
	conns int
	bar   bar
	bulk  bool // writes so much that the disk has to settle between slices
	heavy bool // not for the peer: it would take too long to fill
	// setup prepares the store and returns one step per connection; on the ceiling it only returns
	// the steps.
	setup func(s *stage) ([]step, error)
	// twin, when set, is another setup, measured on the server in turn with the first and compared
	// with it.
	twin func(s *stage) ([]step, error)
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
	data      *bodies      // what blobs hold
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

// noise returns n bytes that don't compress, the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// bodies are the contents of a set of blobs of one size. Small blobs differ from each other, so
// that a store does not profit from compressing what it keeps side by side, and a mix-up is
// noticed; large ones are all alike. The same path has the same content in every set of one size.
type bodies struct {
	size int
	pool []byte
	sum  uint32 // of large ones
}

// smallBody is the largest size of bodies that differ.
const smallBody = 64 * kib

func newBodies(size int) *bodies {
	b := &bodies{size: size}
	if size > smallBody {
		b.pool = noise(size)
		b.sum = crc32.Checksum(b.pool, castagnoli)
	} else {
		b.pool = noise(size + 4*mib)
	}
	return b
}

// of returns the content of a blob, which must not be changed.
func (b *bodies) of(path string) []byte {
	if b.size > smallBody {
		return b.pool
	}
	from := uint64(14695981039346656037) // FNV-1a
	for i := range len(path) {
		from = (from ^ uint64(path[i])) * 1099511628211
	}
	return b.pool[from%uint64(len(b.pool)-b.size):][:b.size]
}

// want returns what a reader of the blob must find.
func (b *bodies) want(path string) content {
	if b.size > smallBody {
		return content{int64(b.size), b.sum}
	}
	return content{int64(b.size), crc32.Checksum(b.of(path), castagnoli)}
}

// putCall prepares puts of bodies of one size; path and body are still to be set.
func putCall(data *bodies) *call {
	return newCall("PUT", "", "", data.pool[:data.size], "Content-Type", "application/octet-stream", "x-ms-blob-type", "BlockBlob", "x-ms-version", version)
}

func getCall(path string) *call { return newCall("GET", path, "", nil, "x-ms-version", version) }
