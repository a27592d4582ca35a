package service_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"testing"
)

const messageForm = "XSM/1.0; properties=crc64"

// message frames data in segments, as clients do.
func message(data []byte, segment int) []byte {
	table := crc64.MakeTable(0x9A6C9329AC4BC9B5)
	le := binary.LittleEndian
	count := max(1, (len(data)+segment-1)/segment)
	b := le.AppendUint64([]byte{1}, uint64(13+len(data)+18*count+8))
	b = le.AppendUint16(le.AppendUint16(b, 1), uint16(count))
	rest := data
	for i := range count {
		part := rest[:min(segment, len(rest))]
		rest = rest[len(part):]
		b = le.AppendUint64(le.AppendUint16(b, uint16(i+1)), uint64(len(part)))
		b = le.AppendUint64(append(b, part...), crc64.Checksum(part, table))
	}
	return le.AppendUint64(b, crc64.Checksum(data, table))
}

func TestStructuredBodies(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	for _, size := range []int{0, 1, 1000, 100_000} {
		data := bytes.Repeat([]byte("some data "), size/10+1)[:size]
		framed := message(data, 4096)
		put := func(status int, code, length string, body []byte) *answer {
			t.Helper()
			return s.want(status, code, "PUT", "/box/a", body, "x-ms-blob-type", "BlockBlob",
				"x-ms-structured-body", messageForm, "x-ms-structured-content-length", length)
		}
		if a := put(201, "", fmt.Sprint(size), framed); a.get("x-ms-structured-body") != messageForm {
			t.Errorf("answer %v", a.header)
		}
		if got := s.want(200, "", "GET", "/box/a", nil); !bytes.Equal(got.body, data) {
			t.Errorf("%d bytes: %d came back", size, len(got.body))
		}
		put(400, "MissingRequiredHeader", "", framed)
		put(400, "InvalidHeaderValue", "-1", framed)
		put(400, "InvalidInput", fmt.Sprint(size+1), framed)
		put(400, "InvalidInput", fmt.Sprint(size), framed[:len(framed)-1])
		damaged := bytes.Clone(framed)
		damaged[len(damaged)-1] ^= 1
		put(400, "Crc64Mismatch", fmt.Sprint(size), damaged)
		got := s.want(200, "", "GET", "/box/a", nil, "x-ms-structured-body", messageForm)
		if !bytes.Equal(got.body, message(data, 4<<20)) || got.get("x-ms-structured-content-length") != fmt.Sprint(size) ||
			got.get("x-ms-structured-body") != messageForm || got.get("Content-Length") != fmt.Sprint(len(got.body)) {
			t.Errorf("framed answer of %d bytes: %v", len(got.body), got.header)
		}
	}
	s.want(206, "", "GET", "/box/a", nil, "Range", "bytes=10-19", "x-ms-structured-body", messageForm)
	s.want(400, "InvalidHeaderValue", "GET", "/box/a", nil, "x-ms-structured-body", "XSM/2.0")
	s.want(400, "InvalidHeaderValue", "PUT", "/box/a", nil, "x-ms-blob-type", "BlockBlob", "x-ms-structured-body", "XSM/2.0")
}

func TestStructuredBlocksAndAppends(t *testing.T) {
	s := newStore(t)
	s.want(201, "", "PUT", "/box?restype=container", nil)
	data := []byte("data of a block")
	put := func(target string) {
		t.Helper()
		a := s.want(201, "", "PUT", target, message(data, 4), "x-ms-structured-body", messageForm,
			"x-ms-structured-content-length", fmt.Sprint(len(data)))
		if a.get("x-ms-structured-body") != messageForm {
			t.Errorf("%s answered %v", target, a.header)
		}
	}
	put("/box/a?comp=block&blockid=AAAA")
	s.want(201, "", "PUT", "/box/a?comp=blocklist", []byte("<BlockList><Latest>AAAA</Latest></BlockList>"))
	s.want(201, "", "PUT", "/box/b", nil, "x-ms-blob-type", "AppendBlob")
	put("/box/b?comp=appendblock")
	for _, target := range []string{"/box/a", "/box/b"} {
		if got := s.want(200, "", "GET", target, nil); !bytes.Equal(got.body, data) {
			t.Errorf("%s: %q", target, got.body)
		}
	}
	s.want(400, "InvalidHeaderValue", "PUT", "/box/b?comp=appendblock", message(nil, 4), "x-ms-structured-body", messageForm,
		"x-ms-structured-content-length", "0")
}
