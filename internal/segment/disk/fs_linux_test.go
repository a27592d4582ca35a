package disk

import (
	"bytes"
	"testing"
)

// TestSkip goes on behind what a call wrote, wherever that ended.
func TestSkip(t *testing.T) {
	whole := []byte("abcdefghi")
	for n := range len(whole) + 1 {
		pieces := [][]byte{whole[:4:4], whole[4:5:5], whole[5:]}
		if got := bytes.Join(skip(pieces, n), nil); !bytes.Equal(got, whole[n:]) {
			t.Errorf("without %d bytes %q is left, want %q", n, got, whole[n:])
		}
	}
}
