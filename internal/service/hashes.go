package service

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// md5Hash is an MD5 in Base64; any other length is InvalidMd5.
type md5Hash []byte

// UnmarshalText decodes Base64.
func (h *md5Hash) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw) != 16 {
		return fault.InvalidMD5
	}
	*h = raw
	return nil
}

// AppendText encodes Base64.
func (h md5Hash) AppendText(b []byte) ([]byte, error) {
	return base64.StdEncoding.AppendEncode(b, h), nil
}

// MarshalText is AppendText.
func (h md5Hash) MarshalText() ([]byte, error) { return h.AppendText(nil) }

// crcHash is a CRC-64/NVME, least significant byte first, in Base64
// (docs/reference/conditions-and-errors.md 4.1). Given distinguishes it from an absent header.
type crcHash struct {
	Sum   uint64
	Given bool
}

// errNoCRC refuses a malformed CRC; the decoder adds the name of the header.
var errNoCRC = errors.New("service: not eight bytes in Base64")

// UnmarshalText decodes Base64 of eight bytes.
func (h *crcHash) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw) != 8 {
		return errNoCRC
	}
	*h = crcHash{binary.LittleEndian.Uint64(raw), true}
	return nil
}

// AppendText encodes Base64.
func (h crcHash) AppendText(b []byte) ([]byte, error) {
	if !h.Given {
		return b, nil
	}
	return base64.StdEncoding.AppendEncode(b, binary.LittleEndian.AppendUint64(nil, h.Sum)), nil
}

// MarshalText is AppendText.
func (h crcHash) MarshalText() ([]byte, error) { return h.AppendText(nil) }

// IsZero reports whether there is none.
func (h crcHash) IsZero() bool { return !h.Given }

// bodyHashes holds the hashes that a request sends with its body, or that an answer returns.
type bodyHashes struct {
	MD5   md5Hash `header:"Content-MD5"`
	CRC64 crcHash `header:"x-ms-content-crc64,since=2019-02-02"`
}

// given reports whether the request has sent a hash.
func (c *bodyHashes) given() bool { return c.MD5 != nil || c.CRC64.Given }

// checkForm refuses both at once (docs/reference/conditions-and-errors.md 4.1).
func (c *bodyHashes) checkForm() error {
	if c.MD5 != nil && c.CRC64.Given {
		return fault.BothCRC64AndMD5HeaderPresent
	}
	return nil
}

// verify compares the hashes that the client sent with the hashes of the body.
func (c *bodyHashes) verify(sum *sums) error {
	if c.MD5 != nil && string(c.MD5) != string(sum.MD5) {
		return fault.WrongMD5(base64.StdEncoding.EncodeToString(c.MD5), base64.StdEncoding.EncodeToString(sum.MD5))
	}
	if got := (crcHash{sum.CRC64, true}); c.CRC64.Given && c.CRC64 != got {
		user, _ := c.CRC64.MarshalText()
		server, _ := got.MarshalText()
		return fault.WrongCRC64(string(user), string(server))
	}
	return nil
}

// bothHashes is the first version that answers a body sent with an MD5 with both hashes
// (docs/reference/conditions-and-errors.md 4.1).
const bothHashes wire.Version = "2026-10-06"

// crcSince is the first version whose answers carry the CRC-64 of a body; the answers of older
// versions carry its MD5.
const crcSince wire.Version = "2019-02-02"

// answered returns the hashes for the answer: the MD5 if the request sent one or its version knows
// no other hash, else the CRC-64.
func (c *bodyHashes) answered(sum *sums, v wire.Version) bodyHashes {
	crc := crcHash{sum.CRC64, true}
	switch {
	case !v.AtLeast(crcSince):
		return bodyHashes{MD5: sum.MD5}
	case c.MD5 == nil:
		return bodyHashes{CRC64: crc}
	case v.AtLeast(bothHashes):
		return bodyHashes{MD5: sum.MD5, CRC64: crc}
	}
	return bodyHashes{MD5: sum.MD5}
}
