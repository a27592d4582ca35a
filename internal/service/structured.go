package service

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// A structured message is a body in segments with a CRC-64 each and one for all
// (conditions-and-errors.md 4.2). All numbers are little-endian.
const (
	structuredBody = "x-ms-structured-body"
	messageForm    = "XSM/1.0; properties=crc64"

	messageVersion  = 1
	messageHasCRC   = 1 // flag
	messageHeader   = 1 + 8 + 2 + 2
	segmentHeader   = 2 + 8
	messageCRC      = 8
	messageSegment  = 4 << 20 // bytes of payload in a segment of an answer, at least
	maxSegmentCount = math.MaxUint16
)

// messageBody tells that the one known form of structured messages is used.
type messageBody bool

// UnmarshalText refuses unknown forms.
func (m *messageBody) UnmarshalText(text []byte) error {
	if !strings.EqualFold(strings.ReplaceAll(string(text), " ", ""), strings.ReplaceAll(messageForm, " ", "")) {
		return fault.InvalidHeader(structuredBody, string(text))
	}
	*m = true
	return nil
}

// AppendText writes the form.
func (m messageBody) AppendText(b []byte) ([]byte, error) {
	if m {
		b = append(b, messageForm...)
	}
	return b, nil
}

// MarshalText is AppendText.
func (m messageBody) MarshalText() ([]byte, error) { return m.AppendText(nil) }

// unframe replaces a structured body by its payload, so that all that comes after sees
// nothing else.
func (u *upload) unframe() error {
	switch {
	case !bool(u.Structured):
		return nil
	case u.PayloadLength == nil:
		return fault.MissingHeader("x-ms-structured-content-length")
	case *u.PayloadLength < 0:
		return fault.InvalidHeader("x-ms-structured-content-length", strconv.FormatInt(*u.PayloadLength, 10))
	}
	d := &messageReader{in: u.Body.Reader, framed: u.Body.Length, left: *u.PayloadLength, whole: crc64nvme.New()}
	u.Body = wire.Body{Reader: d, Length: *u.PayloadLength}
	return nil
}

// messageReader reads the payload of a structured message. It reports its end only after
// everything was checked: InvalidInput if the lengths don't fit together, Crc64Mismatch
// if a hash does not fit.
type messageReader struct {
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
func (d *messageReader) Read(p []byte) (int, error) {
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

// next goes on to the next segment; io.EOF tells that the message is whole.
func (d *messageReader) next() error {
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
		return errMessage
	}
	if err := d.check(d.whole.Sum64()); err != nil {
		return err
	}
	if n, err := io.ReadFull(d.in, make([]byte, 1)); n != 0 || err != io.EOF {
		return errors.Join(errMessage, err)
	}
	return io.EOF
}

// read fills p; an end of the body before that is one too early.
func (d *messageReader) read(p []byte) error {
	_, err := io.ReadFull(d.in, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

var errMessage = &fault.Error{Code: fault.InvalidInput, Message: "The structured message in the request body is malformed."}

func (d *messageReader) begin() error {
	var h [messageHeader]byte
	if err := d.read(h[:]); err != nil {
		return err
	}
	length, flags := binary.LittleEndian.Uint64(h[1:]), binary.LittleEndian.Uint16(h[9:])
	d.segments, d.begun = int(binary.LittleEndian.Uint16(h[11:])), true
	if h[0] != messageVersion || flags != messageHasCRC || d.framed >= 0 && length != uint64(d.framed) {
		return errMessage
	}
	return nil
}

func (d *messageReader) segment() error {
	var h [segmentHeader]byte
	if err := d.read(h[:]); err != nil {
		return err
	}
	d.segments--
	d.number++
	length := binary.LittleEndian.Uint64(h[2:])
	if binary.LittleEndian.Uint16(h[:]) != d.number || length > uint64(d.left) {
		return errMessage
	}
	d.inside, d.one = int64(length), crc64nvme.New()
	return nil
}

// check reads a hash and compares it.
func (d *messageReader) check(sum uint64) error {
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

// message is content that is sent as a structured message.
type message struct {
	wire.Content
	segment int64
	count   int64
}

func newMessage(c wire.Content) *message {
	m := &message{Content: c, segment: max(messageSegment, (c.Length()+maxSegmentCount-1)/maxSegmentCount)}
	m.count = max(1, (c.Length()+m.segment-1)/m.segment)
	return m
}

// Length is the number of bytes with all that is around the payload.
func (m *message) Length() int64 {
	return messageHeader + m.Content.Length() + m.count*(segmentHeader+messageCRC) + messageCRC
}

// WriteTo sends the message.
func (m *message) WriteTo(w io.Writer) (int64, error) {
	h := append(make([]byte, 0, messageHeader), messageVersion)
	h = binary.LittleEndian.AppendUint64(h, uint64(m.Length()))
	h = binary.LittleEndian.AppendUint16(h, messageHasCRC)
	h = binary.LittleEndian.AppendUint16(h, uint16(m.count))
	f := &messageWriter{w: w, segment: m.segment, left: m.Content.Length(), one: crc64nvme.New(), whole: crc64nvme.New()}
	f.put(h)
	f.open()
	_, err := m.Content.WriteTo(f)
	if f.left == 0 && f.err == nil && err == nil {
		f.put(binary.LittleEndian.AppendUint64(nil, f.one.Sum64()))
		f.put(binary.LittleEndian.AppendUint64(nil, f.whole.Sum64()))
	}
	return f.sent, errors.Join(err, f.err)
}

// messageWriter frames what is written to it, all but the end of the last segment.
type messageWriter struct {
	w       io.Writer
	segment int64
	left    int64 // bytes of payload still to come
	inside  int64 // bytes still to come in the segment
	number  uint16
	one     hash.Hash64
	whole   hash.Hash64
	sent    int64
	err     error
}

func (f *messageWriter) put(p []byte) {
	if f.err == nil {
		var n int
		n, f.err = f.w.Write(p)
		f.sent += int64(n)
	}
}

// open begins a segment.
func (f *messageWriter) open() {
	f.number++
	f.inside = min(f.segment, f.left)
	h := binary.LittleEndian.AppendUint16(make([]byte, 0, segmentHeader), f.number)
	f.put(binary.LittleEndian.AppendUint64(h, uint64(f.inside)))
}

// Write frames payload.
func (f *messageWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && f.err == nil {
		if f.inside == 0 {
			f.put(binary.LittleEndian.AppendUint64(nil, f.one.Sum64()))
			f.one.Reset()
			f.open()
		}
		n := int(min(int64(len(p)), f.inside))
		f.one.Write(p[:n])
		f.whole.Write(p[:n])
		f.put(p[:n])
		f.inside -= int64(n)
		f.left -= int64(n)
		p = p[n:]
	}
	if f.err != nil {
		return 0, f.err
	}
	return total, nil
}
