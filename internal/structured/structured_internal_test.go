package structured

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/leasehold/leasehold/internal/fault"
)

// bytesContent is content from memory.
type bytesContent []byte

func (c bytesContent) Length() int64 { return int64(len(c)) }
func (c bytesContent) Close() error  { return nil }
func (c bytesContent) WriteTo(w io.Writer) (int64, error) {
	return bytes.NewReader(c).WriteTo(w)
}

func frame(t testing.TB, data []byte, segment int64) []byte {
	t.Helper()
	m := NewMessage(bytesContent(data))
	if segment > 0 {
		m.segment, m.count = segment, max(1, (int64(len(data))+segment-1)/segment)
	}
	var out bytes.Buffer
	if n, err := m.WriteTo(&out); err != nil || n != m.Length() || int64(out.Len()) != n {
		t.Fatalf("wrote %d of %d bytes, %v", out.Len(), m.Length(), err)
	}
	return out.Bytes()
}

// unframe reads a message whose payload is announced with a length.
func unframe(framed []byte, length int64) ([]byte, error) {
	in := NewReader(bytes.NewReader(framed), int64(len(framed)), length)
	return io.ReadAll(iotest.OneByteReader(in))
}

func TestStructuredMessagesSurvive(t *testing.T) {
	for _, size := range []int{0, 1, 9, 10, 11, 100} {
		data := bytes.Repeat([]byte("payload"), size)[:size]
		got, err := unframe(frame(t, data, 10), int64(size))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %d bytes came back, %v", size, len(got), err)
		}
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), messageSegment/16+1)
	if got, err := unframe(frame(t, large, 0), int64(len(large))); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// TestDamagedMessagesAreRefused changes each byte of a message in turn, cuts it short
// and makes it longer.
func TestDamagedMessagesAreRefused(t *testing.T) {
	data := []byte("some payload of two segments")
	framed := frame(t, data, 16)
	length := int64(len(data))
	for i := range framed {
		damaged := bytes.Clone(framed)
		damaged[i] ^= 0x40
		_, err := unframe(damaged, length)
		if !errors.Is(err, fault.InvalidInput) && !errors.Is(err, fault.CRC64Mismatch) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := unframe(framed[:i], length); err == nil {
			t.Errorf("cut to %d bytes: accepted", i)
		}
	}
	if _, err := unframe(append(bytes.Clone(framed), 0), length); !errors.Is(err, fault.InvalidInput) {
		t.Errorf("with a byte more: %v", err)
	}
	for _, other := range []int64{length - 1, length + 1, 0} {
		if _, err := unframe(framed, other); !errors.Is(err, fault.InvalidInput) {
			t.Errorf("announced with %d bytes: %v", other, err)
		}
	}
}

// FuzzStructuredMessage checks that what is accepted has just the announced length, and is
// accepted again when it is framed anew.
func FuzzStructuredMessage(f *testing.F) {
	f.Add(frame(f, nil, 0), int64(0))
	f.Add(frame(f, []byte("hello"), 2), int64(5))
	f.Add(frame(f, []byte("hello"), 0), int64(4))
	f.Add([]byte{1, 13, 0, 0, 0, 0, 0, 0, 0, 1, 0, 255, 255}, int64(1)<<62)
	f.Fuzz(func(t *testing.T, framed []byte, length int64) {
		if length < 0 {
			return // nobody may announce it
		}
		data, err := unframe(framed, length)
		if err != nil {
			return
		}
		if int64(len(data)) != length {
			t.Fatalf("%d bytes were announced, %d accepted", length, len(data))
		}
		if again, err := unframe(frame(t, data, 3), length); len(data) < 3*maxSegmentCount && (err != nil || !bytes.Equal(again, data)) {
			t.Fatalf("framed anew: %v", err)
		}
	})
}
