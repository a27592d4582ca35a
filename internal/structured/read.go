// Package structured reads and writes structured messages: bodies in segments, with a CRC-64 for
// each segment and one for the whole (docs/reference/conditions-and-errors.md 4.2). All numbers are
// little-endian.
package structured

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/fault"
)

// Form is the value of [Header] for the one form that is known.
const Form = "XSM/1.0; properties=crc64"

// Header names the header with the form of a body, LengthHeader the header with the length of its
// payload in bytes.
const (
	Header       = "x-ms-structured-body"
	LengthHeader = "x-ms-structured-content-length"
)

const (
	messageVersion  = 1
	messageHasCRC   = 1 // flag
	messageHeader   = 1 + 8 + 2 + 2
	segmentHeader   = 2 + 8
	messageCRC      = 8
	messageSegment  = 4 << 20 // bytes of payload in a segment that is written, at least
	maxSegmentCount = math.MaxUint16
)

// Used is true if a body is a message.
type Used bool

// UnmarshalText refuses unknown forms.
func (u *Used) UnmarshalText(text []byte) error {
	if !strings.EqualFold(strings.ReplaceAll(string(text), " ", ""), strings.ReplaceAll(Form, " ", "")) {
		return fault.InvalidHeader(Header, string(text))
	}
	*u = true
	return nil
}

// AppendText writes the form.
func (u Used) AppendText(b []byte) ([]byte, error) {
	if u {
		b = append(b, Form...)
	}
	return b, nil
}

// MarshalText is AppendText.
func (u Used) MarshalText() ([]byte, error) { return u.AppendText(nil) }

// NewReader returns the payload of a message. framed is the announced length of the message in
// bytes, -1 if none was announced; payload is the length of its payload, not less than 0.
//
// Read returns io.EOF only after everything is checked: it fails with InvalidInput if the lengths
// don't fit together, and with Crc64Mismatch if a hash does not match.
func NewReader(in io.Reader, framed, payload int64) io.Reader {
	return &reader{in: in, framed: framed, left: payload, whole: crc64nvme.New()}
}

// reader reads the payload of a message.
type reader struct {
	in       io.Reader
	framed   int64 // announced length of the whole; -1 if it was not announced
	left     int64 // bytes of payload still to come
	segments int   // still to come, after the header was read
	number   uint16
	inside   int64 // bytes still to come in the segment
	begun    bool
	one      hash.Hash64
	whole    hash.Hash64
	err      error
}

// Read reads payload.
func (d *reader) Read(p []byte) (int, error) {
	for d.err == nil && d.inside == 0 {
		d.err = d.next()
	}
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	n, err := d.in.Read(p[:min(int64(len(p)), d.inside)])
	d.one.Write(p[:n])
	d.whole.Write(p[:n])
	d.inside -= int64(n)
	d.left -= int64(n)
	if err == io.EOF {
		err = nil
		if n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	d.err = err
	return n, err
}

// next goes on to the next segment; io.EOF means that the message is complete.
func (d *reader) next() error {
	switch {
	case !d.begun:
		return d.begin()
	case d.one != nil:
		err := d.check(d.one.Sum64())
		d.one = nil
		return err
	case d.segments > 0:
		return d.segment()
	}
	if d.left != 0 {
		return ErrMalformed
	}
	if err := d.check(d.whole.Sum64()); err != nil {
		return err
	}
	if n, err := io.ReadFull(d.in, make([]byte, 1)); n != 0 || err != io.EOF {
		return errors.Join(ErrMalformed, err)
	}
	return io.EOF
}

// read fills p; a body that ends before is cut short.
func (d *reader) read(p []byte) error {
	_, err := io.ReadFull(d.in, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// ErrMalformed is the InvalidInput for a message whose lengths or numbers don't fit.
var ErrMalformed = &fault.Error{Code: fault.InvalidInput, Message: "The structured message in the request body is malformed."}

func (d *reader) begin() error {
	var h [messageHeader]byte
	if err := d.read(h[:]); err != nil {
		return err
	}
	length, flags := binary.LittleEndian.Uint64(h[1:]), binary.LittleEndian.Uint16(h[9:])
	d.segments, d.begun = int(binary.LittleEndian.Uint16(h[11:])), true
	if h[0] != messageVersion || flags != messageHasCRC || d.framed >= 0 && length != uint64(d.framed) {
		return ErrMalformed
	}
	return nil
}

func (d *reader) segment() error {
	var h [segmentHeader]byte
	if err := d.read(h[:]); err != nil {
		return err
	}
	d.segments--
	d.number++
	length := binary.LittleEndian.Uint64(h[2:])
	if binary.LittleEndian.Uint16(h[:]) != d.number || length > uint64(d.left) {
		return ErrMalformed
	}
	d.inside, d.one = int64(length), crc64nvme.New()
	return nil
}

// check reads a hash and compares it.
func (d *reader) check(sum uint64) error {
	var h [messageCRC]byte
	if err := d.read(h[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(h[:]) == sum {
		return nil
	}
	got := binary.LittleEndian.AppendUint64(nil, sum)
	return fault.WrongCRC64(base64.StdEncoding.EncodeToString(h[:]), base64.StdEncoding.EncodeToString(got))
}
