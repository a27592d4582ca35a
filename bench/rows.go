package main

import "fmt"

// Sizes of bodies.
const (
	kib = 1 << 10
	mib = 1 << 20
)

// How many blobs each connection works on. Connections share none, except in the contended row.
const (
	leasesEach = 16
	readsEach  = 16
	putsEach   = 256
)

// workloads returns the rows of the table. large is the number of blobs of the larger tree.
func workloads(large int) []workload {
	const pairs = "lease acquire+release"
	return []workload{
		{name: pairs, conns: 1, bar: bar{sync: true}, setup: leasePairs},
		{name: pairs, conns: 16, setup: leasePairs},
		{name: pairs, conns: 64, bar: bar{ceiling: 0.40}, setup: leasePairs},
		{name: "lease renew", conns: 64, bar: bar{ceiling: 0.45}, setup: leaseRenew},
		{name: "lease contended, one blob", conns: 64, bar: bar{ceiling: 0.25}, setup: contended, sample: refused, after: wasGranted},
		{name: "properties", conns: 64, bar: bar{ceiling: 0.65}, setup: properties},
		{name: "get 1 KiB", conns: 64, bar: bar{ceiling: 0.65}, setup: get(kib, readsEach)},
		{name: "get 8 MiB", conns: 4, bar: bar{ceiling: 0.85}, setup: get(8*mib, 1)},
		{name: "put 1 KiB", conns: 1, setup: put(kib), after: putsReadBack},
		{name: "put 1 KiB", conns: 64, bar: bar{ceiling: 0.35}, setup: put(kib), after: putsReadBack},
		{name: "put 64 KiB", conns: 16, bulk: true, bar: bar{ceiling: 0.25}, setup: put(64 * kib), after: putsReadBack},
		{name: "put 8 MiB", conns: 4, bulk: true, bar: bar{ceiling: 0.25, disk: 0.8}, setup: put(8 * mib), after: putsReadBack},
		{name: "list 5,000", conns: 4, bar: bar{ceiling: 0.40}, setup: listFlat},
		{name: treeName(smallTree), conns: 16, setup: listTree(smallTree)},
		{name: treeName(large), conns: 16, heavy: true, bar: bar{twin: 0.8}, setup: listTree(large), twin: listTree(smallTree)},
		{name: "delete", conns: 64, setup: remove, before: refill, sample: removeOne},
	}
}

// growthWorkloads returns the rows that are repeated at each size of a store of n blobs. They work
// on blobs spread over all of them.
func growthWorkloads(n int) []workload {
	return []workload{
		{name: "lease acquire+release", conns: 64, setup: leasePairs},
		{name: "lease renew", conns: 64, setup: leaseRenew, after: releaseAll},
		{name: "properties", conns: 64, setup: properties},
		{name: "get 1 KiB", conns: 64, setup: get(kib, readsEach)},
		{name: "put 1 KiB", conns: 64, setup: put(kib), after: putsReadBack},
		{name: listName, conns: 16, setup: func(s *stage) ([]step, error) { return s.treeListers(n) }},
		{name: "delete", conns: 64, setup: remove, before: refill, sample: removeOne},
	}
}

// listName is the growth row that must not fall with the size of the store.
const listName = "list a folder"

// owned tells each connection which blobs are its own.
type owned struct {
	conns, each int // connections, and blobs of each
	stride      int // jump between the blobs that a connection visits one after the other
	path        func(i int) string
}

// at returns the path that connection id visits as its k-th.
func (o owned) at(id, k int) string {
	return o.path(id + o.conns*(k*o.stride%o.each))
}

// own returns at least one blob for each connection: in a store filled beforehand a share of all
// that is there, else new ones of the given content.
func (s *stage) own(each int, data *bodies) (owned, error) {
	if s.among > 0 {
		// The stride is a prime, so that a connection visits all its blobs before one comes again.
		return owned{conns: s.conns, each: s.among / s.conns, stride: 7919, path: func(i int) string { return s.blob(treePath(i)) }}, nil
	}
	paths := s.names(s.conns * each)
	o := owned{conns: s.conns, each: each, stride: 1, path: func(i int) string { return paths[i] }}
	return o, s.fill(len(paths), o.path, data)
}

// properties asks for the properties of small blobs.
func properties(s *stage) ([]step, error) {
	return s.readers("HEAD", readsEach, newBodies(kib), func(w *worker, _ string) error {
		if w.ans.length != kib || w.ans.read != 0 {
			return fmt.Errorf("properties: want length %d, got %s", kib, &w.ans)
		}
		return nil
	})
}

// get returns a workload that reads blobs of one size.
func get(size, each int) func(*stage) ([]step, error) {
	return func(s *stage) ([]step, error) {
		data := newBodies(size)
		return s.readers("GET", each, data, func(w *worker, path string) error {
			want := data.want(path)
			if !s.store() { // which repeats the content of one blob
				want.sum = w.ans.sum
			}
			return w.expect(want)
		})
	}
}

// readers returns steps that ask for blob after blob.
func (s *stage) readers(method string, each int, data *bodies, check func(w *worker, path string) error) ([]step, error) {
	blobs, err := s.own(each, data)
	if err != nil {
		return nil, err
	}
	steps := make([]step, s.conns)
	for id := range steps {
		c, k := newCall(method, "", "", nil, "x-ms-version", version), 0
		steps[id] = func(w *worker) error {
			k++
			c.path = blobs.at(id, k)
			if err := w.call(c, 200); err != nil {
				return err
			}
			return check(w, c.path)
		}
	}
	return steps, nil
}

// put returns a workload that writes blobs of one size, over those of earlier rounds when their
// number is reached.
func put(size int) func(*stage) ([]step, error) {
	return func(s *stage) ([]step, error) {
		s.data = newBodies(size)
		each := max(1, min(putsEach, 16*mib/size)) // keeps what lies on the disk in bounds
		blobs := owned{conns: s.conns, each: each, stride: 1, path: s.names(s.conns * each).at}
		if s.among > 0 {
			blobs, _ = s.own(0, nil) // makes nothing
		}
		s.written = make([]string, s.conns)
		steps := make([]step, s.conns)
		for id := range steps {
			c, k := putCall(s.data), 0
			steps[id] = func(w *worker) error {
				k++
				c.path = blobs.at(id, k)
				c.body = s.data.of(c.path)
				if err := w.call(c, 201); err != nil {
					return err
				}
				if !w.ans.etag {
					return fmt.Errorf("put: no ETag in %s", &w.ans)
				}
				s.written[id] = c.path
				return nil
			}
		}
		return steps, nil
	}
}

// putsReadBack checks the blob that each connection put last.
func putsReadBack(s *stage) error {
	var paths pathList
	for _, path := range s.written {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return s.readBack(paths, s.data)
}

// remove deletes blobs that refill made.
func remove(s *stage) ([]step, error) {
	steps := make([]step, s.conns)
	for id := range steps {
		c := newCall("DELETE", s.blob("x"), "", nil, "x-ms-version", version)
		steps[id] = func(w *worker) error {
			if s.store() {
				i := int(s.next.Add(1)) - 1
				if i >= len(s.pending) {
					return errDone
				}
				c.path = s.pending[i]
			}
			return w.call(c, 202)
		}
	}
	return steps, nil
}

// Bounds of what is made for one slice of deletions. Slow stores would spend minutes making what
// they can't delete.
const (
	refillFirst = 500
	refillMost  = 16_000
)

// refill makes the blobs that one slice deletes, as many as the slices before needed.
func refill(s *stage) error {
	if !s.store() {
		return nil
	}
	n := refillFirst
	switch used := int(s.next.Load()); {
	case len(s.pending) == 0:
	case used >= len(s.pending): // they did not last for the slice
		n = min(2*len(s.pending), refillMost)
	default:
		n = min(max(2*used, refillFirst), len(s.pending))
	}
	s.pending = s.names(n)
	s.next.Store(0)
	return s.fill(n, s.pending.at, newBodies(kib))
}

// removeOne records the answer to a deletion.
func removeOne(s *stage, w *worker) error {
	path := s.blob(s.prefix + "sample")
	if err := s.fill(1, func(int) string { return path }, newBodies(kib)); err != nil {
		return err
	}
	return w.call(newCall("DELETE", path, "", nil, "x-ms-version", version), 202)
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
