package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/segment"
	"github.com/leasehold/leasehold/internal/segment/segmenttest"
)

func TestConformanceInMemory(t *testing.T) {
	eitherWay(t, func(t *testing.T, newFS func() *memFS) {
		segmenttest.Run(t, func(t *testing.T) segmenttest.Engine {
			m := newFS()
			return segmenttest.Engine{
				Open: func(t testing.TB) segment.Store { return openMem(t, m) },
				Flip: func(t testing.TB, id segment.ID, off int64) {
					memEdit(t, m, id, func(b []byte) []byte {
						b[off] ^= 0x80
						return b
					})
				},
				Cut: func(t testing.TB, id segment.ID) {
					memEdit(t, m, id, cutShort)
				},
			}
		})
	})
}

// openMem opens the store on a file system in memory.
func openMem(t testing.TB, m *memFS) *Store {
	t.Helper()
	s, err := openOn(m, "/data/segments", m.options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

// memPath names the file that a segment of openMem is in, and where its content begins.
func memPath(m *memFS, id segment.ID) (string, int64) {
	pack := "/data/segments/packs/" + packOf(id).String()
	if _, err := m.mem.Stat(pack); err == nil {
		return pack, offsetOf(id) + headerSize
	}
	return shardDir("/data/segments", id[0]) + "/" + id.String(), 0
}

// memRead returns the bytes of the file that a segment is in.
func memRead(t testing.TB, m *memFS, id segment.ID) []byte {
	t.Helper()
	path, _ := memPath(m, id)
	f, err := m.mem.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memPut replaces the file that a segment is in.
func memPut(t testing.TB, m *memFS, id segment.ID, b []byte) {
	t.Helper()
	path, _ := memPath(m, id)
	memPutFile(t, m, path, b)
}

// memPutFile replaces a file.
func memPutFile(t testing.TB, m *memFS, path string, b []byte) {
	t.Helper()
	f, err := m.mem.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// memEdit changes what is stored from the content of a segment to the end of its file.
func memEdit(t testing.TB, m *memFS, id segment.ID, change func([]byte) []byte) {
	t.Helper()
	b := memRead(t, m, id)
	_, at := memPath(m, id)
	memPut(t, m, id, append(b[:at:at], change(b[at:])...))
}

// body returns content that says itself what it is: its seed comes first.
func body(seed uint64, n int64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, seed), segmenttest.Content(seed, n)...)
}

// isBody reports whether b is what body returns.
func isBody(b []byte) bool {
	return len(b) >= 8 && bytes.Equal(b, body(binary.LittleEndian.Uint64(b), int64(len(b)-8)))
}

// ledger is what callers of a store know: what was acknowledged, and what they have
// deleted or begun to delete since.
type ledger struct {
	mu      sync.Mutex
	acked   map[segment.Ref]uint64 // the seed of the body
	deleted map[segment.Ref]uint64
}

func newLedger() *ledger {
	return &ledger{acked: make(map[segment.Ref]uint64), deleted: make(map[segment.Ref]uint64)}
}

func (l *ledger) copy() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := newLedger()
	for ref, seed := range l.acked {
		c.acked[ref] = seed
	}
	for ref, seed := range l.deleted {
		c.deleted[ref] = seed
	}
	return c
}

// add notes an acknowledged write.
func (l *ledger) add(ref segment.Ref, seed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[ref] = seed
}

// drop picks a segment to delete and notes that.
func (l *ledger) drop(rnd *rand.Rand) (segment.Ref, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ref, seed := range l.acked {
		if rnd.IntN(2) == 0 {
			delete(l.acked, ref)
			l.deleted[ref] = seed
			return ref, true
		}
	}
	return segment.Ref{}, false
}

// history does random things to a store and notes what is acknowledged.
func history(s *Store, l *ledger, rnd *rand.Rand, steps int) error {
	for range steps {
		seed, n := rnd.Uint64(), rnd.Int64N(3*blockSize)
		if rnd.IntN(8) == 0 {
			n = rnd.Int64N(2 * writeSize)
		}
		switch rnd.IntN(8) {
		default:
			ref, err := s.Write(context.Background(), bytes.NewReader(body(seed, n)))
			if err != nil {
				return err
			}
			l.add(ref, seed)
		case 0:
			ctx, cancel := context.WithCancel(context.Background())
			_, err := s.Write(ctx, io.MultiReader(bytes.NewReader(body(seed, n)), readFunc(func([]byte) (int, error) {
				cancel()
				return 0, io.EOF
			})))
			if !errors.Is(err, context.Canceled) {
				return err
			}
		case 1:
			if ref, ok := l.drop(rnd); ok {
				if err := s.Delete(context.Background(), ref.ID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// wantLedger checks a store after a crash: everything acknowledged is there, whole; what
// was deleted is whole, refused or gone; what was not acknowledged is whole or refused; nothing
// is served that was not written. It deletes the last kind, as the sweeper does, and
// returns how many there were.
func wantLedger(t *testing.T, s *Store, l *ledger) (garbage int) {
	t.Helper()
	listed := make(map[segment.Ref]bool)
	known := make(map[segment.ID]bool)
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if !info.Incomplete {
			listed[info.Ref] = true
		}
		known[info.ID] = true
	}
	for ref, seed := range l.acked {
		if !listed[ref] {
			t.Errorf("List lacks %s, which was acknowledged", ref.ID)
		}
		wantBody(t, s, ref, seed)
		delete(known, ref.ID)
	}
	for ref := range l.deleted {
		if listed[ref] {
			wantWholeOrRefused(t, s, ref)
		}
		delete(known, ref.ID)
		if err := s.Delete(t.Context(), ref.ID); err != nil {
			t.Errorf("Delete once more: %v", err)
		}
	}
	for ref := range listed {
		if known[ref.ID] {
			wantWholeOrRefused(t, s, ref)
		}
	}
	for id := range known {
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete of what a crash left: %v", err)
		}
	}
	return len(known)
}

// wantBody checks that a segment is there and whole.
func wantBody(t *testing.T, s *Store, ref segment.Ref, seed uint64) {
	t.Helper()
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Errorf("Verify of an acknowledged segment: %v", err)
		return
	}
	got, err := readAll(t, s, ref)
	if err != nil || !bytes.Equal(got, body(seed, ref.Size-8)) {
		t.Errorf("an acknowledged segment of %d bytes reads as %d bytes, %v", ref.Size, len(got), err)
	}
}

// wantWholeOrRefused checks a segment that nobody was told of.
func wantWholeOrRefused(t *testing.T, s *Store, ref segment.Ref) {
	t.Helper()
	verr := s.Verify(t.Context(), ref)
	got, rerr := readAll(t, s, ref)
	switch {
	case verr == nil && rerr == nil && isBody(got):
	case errors.Is(verr, segment.ErrCorrupt) && errors.Is(rerr, segment.ErrCorrupt):
	default:
		t.Errorf("an unacknowledged segment: Verify says %v, Read %v with a good body %v", verr, rerr, isBody(got))
	}
}

// readAll returns the bytes of a segment.
func readAll(t *testing.T, s *Store, ref segment.Ref) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), ref, 0, ref.Size)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// powerLoss runs fn on a store and returns the file system and the ledger as they
// were when the power failed, before the step with the given number, or at the end.
func powerLoss(t *testing.T, m *memFS, l *ledger, rnd *rand.Rand, at int64, fn func(*Store)) (*memFS, *ledger) {
	t.Helper()
	var after *memFS
	var then *ledger
	percent := []int{0, 0, 20, 50, 90, 100}[rnd.IntN(6)]
	own := rand.New(rand.NewPCG(rnd.Uint64(), 4)) // others use rnd while the power fails
	c := &crash{at: at}
	c.lost = func() {
		then = l.copy() // before the clone: what it says is durable in it
		after = &memFS{mem: m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: own}), options: m.options}
	}
	s := openMem(t, m)
	c.arm(m)
	fn(s)
	m.before = nil
	if after == nil {
		c.lost()
	}
	return after, then
}

// TestPowerLoss runs histories of one caller, each with several power losses at any
// step, and goes on with what is left.
func TestPowerLoss(t *testing.T) { eitherWay(t, testPowerLoss) }

func testPowerLoss(t *testing.T, newFS func() *memFS) {
	histories := 50
	if testing.Short() {
		histories = 20
	}
	garbage := 0
	for seed := range histories {
		rnd := rand.New(rand.NewPCG(uint64(seed), 1))
		m, l := newFS(), newLedger()
		for range 4 {
			m, l = powerLoss(t, m, l, rnd, rnd.Int64N(60), func(s *Store) {
				if err := history(s, l, rnd, 1+rnd.IntN(12)); err != nil {
					t.Fatal(err)
				}
			})
			garbage += wantLedger(t, openMem(t, m), l)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	if garbage == 0 {
		t.Error("no power loss hit a write")
	}
}

// TestPowerLossUnderLoad has several callers share syncs when the power fails.
func TestPowerLossUnderLoad(t *testing.T) { eitherWay(t, testPowerLossUnderLoad) }

func testPowerLossUnderLoad(t *testing.T, newFS func() *memFS) {
	histories := 15
	if testing.Short() {
		histories = 5
	}
	for seed := range histories {
		rnd := rand.New(rand.NewPCG(uint64(seed), 2))
		m, l := newFS(), newLedger()
		for range 2 {
			m, l = powerLoss(t, m, l, rnd, rnd.Int64N(250), func(s *Store) {
				var wg sync.WaitGroup
				for range 6 {
					own := rand.New(rand.NewPCG(rnd.Uint64(), 3))
					wg.Go(func() {
						if err := history(s, l, own, 8); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			})
			wantLedger(t, openMem(t, m), l)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}
