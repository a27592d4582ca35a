package blob

import (
	"encoding/base64"

	"github.com/leasehold/leasehold/internal/fault"
)

// Limits of block lists (docs/reference/operations.md 5).
const (
	MaxCommittedBlocks   = 50_000
	MaxUncommittedBlocks = 100_000 // also bounds what one change of a blob gives up (docs/facts/largest-transactions.md)
	maxBlockID           = 64      // bytes, decoded
)

// ParseBlockID decodes the block ID of a query: Base64 of 1 to 64 bytes.
// Anything else is InvalidQueryParameterValue (docs/reference/operations.md 4.4).
func ParseBlockID(parameter, text string) (string, error) {
	id, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return "", fault.InvalidQuery(parameter, text, "Not a valid base64 string.")
	case len(id) == 0 || len(id) > maxBlockID:
		return "", fault.InvalidQuery(parameter, text, "The block ID must be 1 to 64 bytes before encoding.")
	}
	return string(id), nil
}

// BlockSource says where Put Block List looks for a block.
type BlockSource uint8

// The three places.
const (
	Latest      BlockSource = iota // among the uncommitted ones first, then the committed
	Committed                      // among the committed ones only
	Uncommitted                    // among the uncommitted ones only
)

// BlockRef is one entry of the body of Put Block List.
type BlockRef struct {
	Source BlockSource
	ID     string // decoded from Base64
}

// CommitBlockList returns the blocks of a new content in the order of refs.
// An ID that is not where it should be is InvalidBlockList, more than 50,000 are
// BlockListTooLong (docs/reference/operations.md 4.4, 7.4).
func CommitBlockList(refs []BlockRef, committed, uncommitted []Block) ([]Block, error) {
	if len(refs) > MaxCommittedBlocks {
		return nil, fault.BlockListTooLong
	}
	old, staged := indexBlocks(committed), indexBlocks(uncommitted)
	blocks := make([]Block, 0, len(refs))
	for _, ref := range refs {
		b, ok := Block{}, false
		if ref.Source != Committed {
			b, ok = staged[ref.ID]
		}
		if !ok && ref.Source != Uncommitted {
			b, ok = old[ref.ID]
		}
		if !ok {
			return nil, fault.InvalidBlockList
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func indexBlocks(blocks []Block) map[string]Block {
	index := make(map[string]Block, len(blocks))
	for _, b := range blocks {
		if b.ID != "" {
			index[b.ID] = b
		}
	}
	return index
}

// BlocksSize is the number of bytes in blocks.
func BlocksSize(blocks []Block) int64 {
	var n int64
	for _, b := range blocks {
		n += b.Chunk.Length
	}
	return n
}
