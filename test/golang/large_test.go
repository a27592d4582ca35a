package golang

import (
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/leasehold/leasehold/test/harness"
)

// largeGiB is 1 in make test-all. By hand: TMPDIR=/a/roomy/disk LEASEHOLD_TEST=long go test
// ./test/golang -run Large -large 10 -v
var largeGiB = flag.Int64("large", 1, "size in GiB of the blob of TestLargeBlob")

const (
	largeBlock   = 16 << 20  // of most blocks
	largestBlock = 512 << 20 // of the last: memory must not grow with a block either
	largeRange   = 8 << 20   // of a download
	inFlight     = 6         // requests at a time

	// memoryBound is what the process of the server may ever have resident, in bytes.
	memoryBound = 256 << 20
)

// TestLargeBlob uploads a blob in blocks and downloads it in ranges, several at a time, and sees
// how much memory the server needed.
func TestLargeBlob(t *testing.T) {
	harness.Long(t)
	s := harness.Start(t, nil)
	s.NeedOwn()
	size := *largeGiB << 30
	c := newBox(t, s).NewBlockBlobClient("large")
	start := time.Now()
	upload(t, c, size)
	uploaded := time.Now()
	if t.Failed() {
		return
	}
	t.Logf("after the upload, in %v: server %d MiB", uploaded.Sub(start), peakMemory(t, s.PID())>>20)

	want := sha256.New()
	if _, err := io.Copy(want, newContent(0, size)); err != nil {
		t.Fatal(err)
	}
	if got := download(t, c, size); string(got.Sum(nil)) != string(want.Sum(nil)) {
		t.Errorf("the hash of what came back is %x, of what was sent %x", got.Sum(nil), want.Sum(nil))
	}
	peak := peakMemory(t, s.PID())
	t.Logf("after the download, in %v: server %d MiB, this client %d MiB",
		time.Since(uploaded), peak>>20, peakMemory(t, os.Getpid())>>20)
	if peak > memoryBound {
		t.Errorf("the server had %d MiB resident, more than %d", peak>>20, memoryBound>>20)
	}
}

// upload stages the blocks of the content and commits them.
func upload(t *testing.T, c *blockblob.Client, size int64) {
	t.Helper()
	type block struct {
		id       string
		from, to int64
	}
	var ids []string
	blocks := make(chan block)
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() {
			for b := range blocks {
				if _, err := c.StageBlock(t.Context(), b.id, newContent(b.from, b.to), nil); err != nil {
					t.Errorf("block from %d: %v", b.from, err)
				}
			}
		})
	}
	for from := int64(0); from < size; {
		to := from + largeBlock
		if size-from <= largestBlock {
			to = size
		}
		id := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%016x", from))
		ids = append(ids, id)
		blocks <- block{id, from, to}
		from = to
	}
	close(blocks)
	all.Wait()
	if _, err := c.CommitBlockList(t.Context(), ids, nil); err != nil {
		t.Error(err)
	}
}

// download reads ranges and returns the hash of all of them in order.
func download(t *testing.T, c *blockblob.Client, size int64) hash.Hash {
	t.Helper()
	type part struct {
		body []byte
		err  error
	}
	fetch := func(from int64) (p part) {
		o := &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: from, Count: largeRange}}
		res, err := c.DownloadStream(t.Context(), o)
		if err != nil {
			return part{err: err}
		}
		defer res.Body.Close()
		p.body, p.err = io.ReadAll(res.Body)
		return p
	}
	parts := make(chan chan part, inFlight-1)
	go func() {
		defer close(parts)
		for from := int64(0); from < size; from += largeRange {
			arrives := make(chan part, 1)
			parts <- arrives
			go func() { arrives <- fetch(from) }()
		}
	}()
	sum := sha256.New()
	for arrives := range parts {
		p := <-arrives
		if p.err != nil {
			t.Error(p.err)
		}
		sum.Write(p.body)
	}
	return sum
}

// content is a part of an endless sequence of random bytes, made as it is read.
type content struct {
	from, at, to int64 // where the part begins, its reader is, and it ends
	source       *rand.ChaCha8
	piece        int64 // of which source is; -1 for none
	left         int64 // bytes of the piece
}

// contentPiece is how many bytes come from one seed.
const contentPiece = 1 << 20

// newContent returns the part of the sequence between two offsets, which are multiples of
// contentPiece.
func newContent(from, to int64) *content {
	return &content{from: from, at: from, to: to, piece: -1}
}

// Read makes the next bytes.
func (c *content) Read(p []byte) (int, error) {
	if c.at == c.to {
		return 0, io.EOF
	}
	if piece := c.at / contentPiece; piece != c.piece {
		c.source, c.piece, c.left = rand.NewChaCha8([32]byte{byte(piece), byte(piece >> 8), byte(piece >> 16)}), piece, contentPiece
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.at, c.left = c.at+int64(n), c.left-int64(n)
	return n, err
}

// Seek goes to the start or the end: a client needs no more to learn the length and to send again.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekStart:
		c.at, c.piece = c.from, -1
	case offset == 0 && whence == io.SeekEnd:
		c.at = c.to
	case offset != 0 || whence != io.SeekCurrent:
		return 0, fmt.Errorf("seek to %d from %d", offset, whence)
	}
	return c.at - c.from, nil
}

// Close does nothing.
func (c *content) Close() error { return nil }

// peakMemory returns the most bytes that a process ever had resident.
func peakMemory(t *testing.T, pid int) (peak int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(line, "%d kB", &peak); err != nil {
		t.Fatalf("no VmHWM in the status of process %d: %v", pid, err)
	}
	return peak << 10
}
