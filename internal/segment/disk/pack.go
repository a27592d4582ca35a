package disk

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

// Short segments share files, called packs, because a file of its own costs more than
// their content: an inode, a name, and a sync of both. A pack is written from its start
// to its end, an entry behind the other, and synced for all writers at once:
//
//	header    magic             8 bytes, the last of which is the version
//	          segment ID       16 bytes
//	          content size      8 bytes
//	          time of writing   8 bytes, nanoseconds since 1970
//	          CRC of the table  8 bytes
//	          CRC of the header up to here, 8 bytes
//	content   the bytes of the segment
//	table     as in a file of its own
//	zeroes    up to the next multiple of pageSize
//
// The ID tells where the entry is: the name of the pack (8 bytes, of which the last is
// packTag and the others are random), the page (4 bytes, big-endian), and 4 random bytes. No
// place is ever written twice. A deleted entry becomes a hole, which gives its blocks
// back to the file system; a pack that is nothing but a hole is removed.
const (
	// pageSize is the alignment of entries: a hole in place of an entry then consists of whole
	// blocks of the file system.
	pageSize = 4 << 10
	// maxPacked is the longest segment that is packed: as much as one call writes.
	maxPacked = writeSize
	// packSize is the length up to which a pack grows: long enough that new packs are rare, and a
	// fraction of what a page number can address.
	packSize = 256 << 20

	packTag    = 'P'
	packFolder = "packs"
	headerSize = 56
	// leftoverPage is the page in the ID by which List names a pack without entries.
	leftoverPage = 1<<32 - 1
)

var packMagic = [8]byte{'L', 'H', 'P', 'A', 'C', 'K', '\n', 1}

// packName is the prefix that the IDs of all segments in a pack share, and the name of the pack's
// file.
type packName [8]byte

func (n packName) String() string { return hex.EncodeToString(n[:]) }

// parsePackName reads the form that String writes.
func parsePackName(s string) (packName, bool) {
	var n packName
	if len(s) != 2*len(n) {
		return n, false
	}
	_, err := hex.Decode(n[:], []byte(s))
	return n, err == nil && n[7] == packTag && n.String() == s
}

// packed reports whether the ID of a segment has the form of an entry in a pack. One in 256
// segments with files of their own has such an ID, too.
func packed(id segment.ID) bool { return id[7] == packTag }

// packOf returns the name of the pack in an ID.
func packOf(id segment.ID) packName { return packName(id[:8]) }

// offsetOf returns the offset of an entry in its pack.
func offsetOf(id segment.ID) int64 { return int64(binary.BigEndian.Uint32(id[8:])) * pageSize }

// entryID returns an ID for the entry at an offset of a pack. Its random bytes keep it from
// being guessed from others.
func entryID(name packName, off int64) segment.ID {
	var id segment.ID
	copy(id[:], name[:])
	binary.BigEndian.PutUint32(id[8:], uint32(off/pageSize))
	_, _ = rand.Read(id[12:]) // never fails
	return id
}

// entrySize returns how many bytes of a pack an entry with n bytes of content takes.
func entrySize(n int64) int64 {
	return (headerSize + n + sumSize*blocksIn(n) + pageSize - 1) &^ (pageSize - 1)
}

// header is the header of an entry.
type header struct {
	segment.Ref
	written  time.Time
	tableSum uint64
}

func (h *header) append(b []byte) []byte {
	start := len(b)
	b = append(b, packMagic[:]...)
	b = append(b, h.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.written.UnixNano()))
	b = binary.LittleEndian.AppendUint64(b, h.tableSum)
	return binary.LittleEndian.AppendUint64(b, crc64nvme.Checksum(b[start:]))
}

// The errors of readHeader where there is no header: nothing was written there, or a crash has left
// an entry without its header.
var (
	errNoEntry  = errors.New("no entry begins here")
	errNoHeader = fmt.Errorf("%w: no header is here", segment.ErrCorrupt)
)

// readHeader reads the header of the entry that begins at off. The error is errNoEntry where
// there are zeroes or the pack has ended, errNoHeader where there is something else, and
// another segment.ErrCorrupt where a header was damaged.
func readHeader(f file, name packName, off int64) (h header, err error) {
	var b [headerSize]byte
	n, err := f.ReadAt(b[:], off)
	if err != nil && err != io.EOF {
		return h, err
	}
	switch {
	case b == [headerSize]byte{}:
		return h, errNoEntry
	case !bytes.HasPrefix(b[:], packMagic[:]):
		return h, errNoHeader
	}
	copy(h.ID[:], b[8:])
	h.Size = int64(binary.LittleEndian.Uint64(b[24:]))
	h.written = time.Unix(0, int64(binary.LittleEndian.Uint64(b[32:])))
	h.tableSum = binary.LittleEndian.Uint64(b[40:])
	good := n == headerSize && bytes.Equal(h.append(nil), b[:])
	if !good || packOf(h.ID) != name || offsetOf(h.ID) != off || h.Size < 0 || h.Size > maxPacked {
		return h, fmt.Errorf("%w: pack %s: the header at %d is damaged", segment.ErrCorrupt, name, off)
	}
	return h, nil
}

// packs holds the short segments of a store.
type packs struct {
	fs     fileSystem
	parent string
	dir    string
	size   int64 // packSize, but in tests

	mu      sync.Mutex
	off     bool  // short segments get files of their own
	made    bool  // dir is there, durably
	current *pack // the one that is written on; nil if the next segment needs a new one
	open    map[packName]*pack
}

// pack is a pack that this store writes.
type pack struct {
	name    packName
	f       file
	durable *syncGroup[entry] // writes entries and makes them durable
	broken  error             // of the write or sync that has failed; for whose turn it is in durable

	end     int64 // where the next entry begins; guarded by packs.mu
	writers int   // entries that are not settled; guarded by packs.mu
}

func newPacks(fsys fileSystem, parent string, off bool) *packs {
	return &packs{fs: fsys, parent: parent, dir: filepath.Join(parent, packFolder), size: packSize, off: off, open: make(map[packName]*pack)}
}

// path names the file of a pack.
func (ps *packs) path(name packName) string { return filepath.Join(ps.dir, name.String()) }

// reserve finds a place for n bytes of content, to be given back with settle. It returns
// errors.ErrUnsupported if segments can't be packed here.
func (ps *packs) reserve(n int64) (*pack, segment.ID, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.off {
		return nil, segment.ID{}, errors.ErrUnsupported
	}
	size := entrySize(n)
	if p := ps.current; p == nil || p.end+size > ps.size {
		ps.retire()
		if err := ps.begin(); err != nil {
			return nil, segment.ID{}, err
		}
	}
	p := ps.current
	id := entryID(p.name, p.end)
	p.end += size
	p.writers++
	return p, id, nil
}

// begin makes a new pack the current one. The caller holds ps.mu.
func (ps *packs) begin() error {
	if err := ps.makeFolder(); err != nil {
		return err
	}
	p := new(pack)
	_, _ = rand.Read(p.name[:7]) // never fails
	p.name[7] = packTag
	var err error
	if p.f, err = ps.fs.create(ps.path(p.name)); err != nil {
		return err
	}
	p.f.bypassCache()
	p.durable = newSyncGroup(p.write)
	// A file system that makes no holes would never get the space of deleted entries back.
	if err = p.f.punch(0, pageSize); errors.Is(err, errors.ErrUnsupported) {
		ps.off = true
	}
	if err == nil {
		err = ps.fs.syncDir(ps.dir)
	}
	if err != nil {
		return errors.Join(err, p.f.Close(), ps.fs.remove(ps.path(p.name)))
	}
	ps.current, ps.open[p.name] = p, p
	return nil
}

// entry is an entry that is to be written: whole pages, in memory that begins at one.
type entry struct {
	off   int64
	bytes []byte
}

// write writes entries and makes them durable. After a failure it fails for good: of a file whose
// sync failed, a later sync could say that it is good.
func (p *pack) write(entries []entry) error {
	if p.broken != nil {
		return p.broken
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.off, b.off) })
	run := make([][]byte, 0, len(entries))
	for i := 0; i < len(entries) && p.broken == nil; run = run[:0] {
		off := entries[i].off
		for end := off; i < len(entries) && entries[i].off == end; i++ {
			run = append(run, entries[i].bytes)
			end += int64(len(entries[i].bytes))
		}
		p.broken = p.f.writeAll(run, off)
	}
	if p.broken == nil {
		p.broken = p.f.syncData()
	}
	return p.broken
}

// makeFolder makes the folder of the packs, durably, if need be. The caller holds ps.mu, or
// is alone.
func (ps *packs) makeFolder() error {
	if ps.made {
		return nil
	}
	if err := makeSub(ps.fs, ps.parent, ps.dir); err != nil {
		return err
	}
	ps.made = true
	return nil
}

// retire has the next segment begin a new pack. The caller holds ps.mu.
func (ps *packs) retire() {
	p := ps.current
	ps.current = nil
	if p != nil && p.writers == 0 {
		ps.shut(p)
	}
}

// shut closes a pack that nobody writes any more. The caller holds ps.mu.
func (ps *packs) shut(p *pack) {
	delete(ps.open, p.name)
	_ = p.f.Close() // what it could report, the syncs before have reported
}

// settle ends the writing of an entry. After a failure the next one goes to another pack.
func (ps *packs) settle(p *pack, failed bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.writers--
	if failed && ps.current == p {
		ps.current = nil
	}
	if p.writers == 0 && ps.current != p {
		ps.shut(p)
	}
}

// writes reports whether this store writes a pack.
func (ps *packs) writes(name packName) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.open[name] != nil
}

// close ends the writing of new entries, and returns the packs that were written.
func (ps *packs) close() (names []packName) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for name := range ps.open {
		names = append(names, name)
	}
	ps.off = true
	ps.retire()
	return names
}
