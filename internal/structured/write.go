package structured

import (
	"encoding/binary"
	"errors"
	"hash"
	"io"

	"github.com/minio/crc64nvme"
)

// Content is a payload of known length that writes itself.
type Content interface {
	// Length returns how many bytes WriteTo will write.
	Length() int64
	// WriteTo writes the bytes.
	WriteTo(w io.Writer) (int64, error)
	// Close releases what the content holds.
	Close() error
}

// Message is content that is sent as a message. Its segments have 4 MiB of payload, or more if
// 65,535 segments would not be enough.
type Message struct {
	Content
	segment int64
	count   int64
}

// NewMessage returns the message with the payload c.
func NewMessage(c Content) *Message {
	m := &Message{Content: c, segment: max(messageSegment, (c.Length()+maxSegmentCount-1)/maxSegmentCount)}
	m.count = max(1, (c.Length()+m.segment-1)/m.segment)
	return m
}

// Length returns the number of bytes of the message, framing included.
func (m *Message) Length() int64 {
	return messageHeader + m.Content.Length() + m.count*(segmentHeader+messageCRC) + messageCRC
}

// WriteTo sends the message.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	h := append(make([]byte, 0, messageHeader), messageVersion)
	h = binary.LittleEndian.AppendUint64(h, uint64(m.Length()))
	h = binary.LittleEndian.AppendUint16(h, messageHasCRC)
	h = binary.LittleEndian.AppendUint16(h, uint16(m.count))
	f := &writer{w: w, segment: m.segment, left: m.Content.Length(), one: crc64nvme.New(), whole: crc64nvme.New()}
	f.put(h)
	f.open()
	_, err := m.Content.WriteTo(f)
	if f.left == 0 && f.err == nil && err == nil {
		f.put(binary.LittleEndian.AppendUint64(nil, f.one.Sum64()))
		f.put(binary.LittleEndian.AppendUint64(nil, f.whole.Sum64()))
	}
	return f.sent, errors.Join(err, f.err)
}

// writer frames the payload that is written to it, except for the end of the last segment.
type writer struct {
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

func (f *writer) put(p []byte) {
	if f.err == nil {
		var n int
		n, f.err = f.w.Write(p)
		f.sent += int64(n)
	}
}

// open begins a segment.
func (f *writer) open() {
	f.number++
	f.inside = min(f.segment, f.left)
	h := binary.LittleEndian.AppendUint16(make([]byte, 0, segmentHeader), f.number)
	f.put(binary.LittleEndian.AppendUint64(h, uint64(f.inside)))
}

// Write frames payload.
func (f *writer) Write(p []byte) (int, error) {
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
