package disk

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/segment"
)

// A segment is one file, written once from its start to its end:
//
//	content   the bytes of the segment
//	table     the CRC-64/NVMe of each block of blockSize bytes of content (the last
//	          may be shorter), 8 bytes each
//	footer    magic             8 bytes, the last of which is the version
//	          segment ID       16 bytes
//	          content size      8 bytes
//	          CRC of the table  8 bytes
//	          CRC of the footer up to here, 8 bytes
//
// Numbers are little-endian. The content comes first so that the offset of a byte in
// the file is its offset in the segment, which sendfile needs. The footer comes last
// because the size is known last, and so that a file cut short has none. The table lets
// a read of any range check what it reads without reading the rest.
const (
	blockSize  = 16 << 10
	sumSize    = 8
	footerSize = 48
)

var magic = [8]byte{'L', 'H', 'S', 'E', 'G', '\r', '\n', 1}

// blocksIn returns the number of blocks that hold n bytes of content.
func blocksIn(n int64) int64 { return (n + blockSize - 1) / blockSize }

// fileSize returns the length of the file of a segment of n bytes.
func fileSize(n int64) int64 { return n + sumSize*blocksIn(n) + footerSize }

// contentSize returns the size of the segment in a file of the given length, and
// whether a segment's file can have that length.
func contentSize(length int64) (int64, bool) {
	rest := length - footerSize
	blocks := (rest + blockSize + sumSize - 1) / (blockSize + sumSize)
	n := rest - sumSize*blocks
	return max(n, 0), n >= 0 && fileSize(n) == length
}

// appendSums appends the table's entries for content, which begins at a block.
func appendSums(table, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), blockSize)
		table = binary.LittleEndian.AppendUint64(table, crc64nvme.Checksum(content[:n]))
		content = content[n:]
	}
	return table
}

// appendFooter appends the footer of a segment with the given table.
func appendFooter(b []byte, ref segment.Ref, tableSum uint64) []byte {
	start := len(b)
	b = append(b, magic[:]...)
	b = append(b, ref.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(ref.Size))
	b = binary.LittleEndian.AppendUint64(b, tableSum)
	return binary.LittleEndian.AppendUint64(b, crc64nvme.Checksum(b[start:]))
}

// readFooter checks that f is the whole file of the segment id, as far as its footer
// tells, and returns the size of the content and the CRC of the table. The error is
// segment.ErrCorrupt, or that of the file system.
func readFooter(f file, id segment.ID) (size int64, tableSum uint64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size, ok := contentSize(info.Size())
	if !ok {
		return 0, 0, corrupt(id, "the file has %d bytes", info.Size())
	}
	var b [footerSize]byte
	if err := readFull(f, b[:], info.Size()-footerSize, id); err != nil {
		return 0, 0, err
	}
	tableSum = binary.LittleEndian.Uint64(b[32:])
	want := appendFooter(make([]byte, 0, footerSize), segment.Ref{ID: id, Size: size}, tableSum)
	if string(want) != string(b[:]) {
		return 0, 0, corrupt(id, "the footer is not that of a segment of this name and size")
	}
	return size, tableSum, nil
}

// readBlocks fills content with the bytes from start, a multiple of blockSize, of a
// segment of size bytes, fills sums with their table entries, and checks the ones
// against the others. Content ends at the end of a block or of the segment.
func readBlocks(f io.ReaderAt, ref segment.Ref, content []byte, start int64, sums []byte) error {
	if err := readFull(f, content, start, ref.ID); err != nil {
		return err
	}
	if err := readFull(f, sums, ref.Size+start/blockSize*sumSize, ref.ID); err != nil {
		return err
	}
	for len(content) > 0 {
		n := min(len(content), blockSize)
		if crc64nvme.Checksum(content[:n]) != binary.LittleEndian.Uint64(sums) {
			return corrupt(ref.ID, "the block at %d has another checksum", start)
		}
		content, sums, start = content[n:], sums[sumSize:], start+int64(n)
	}
	return nil
}

// readFull reads len(b) bytes at off; where the file is shorter, it is damaged.
func readFull(f io.ReaderAt, b []byte, off int64, id segment.ID) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return corrupt(id, "the file ends at %d", off+int64(n))
	}
	return err
}

// corrupt returns segment.ErrCorrupt with the segment and what is wrong with it.
func corrupt(id segment.ID, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", segment.ErrCorrupt, id, fmt.Sprintf(format, args...))
}
