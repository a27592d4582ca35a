package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// castagnoli has an instruction of its own on common processors, so that checking a body costs the
// client little.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// answer is what a client learned from one response. It is reused from call to call.
type answer struct {
	status int
	length int64  // Content-Length, -1 without one
	read   int64  // body bytes that arrived
	sum    uint32 // CRC-32C of the body
	etag   bool   // an ETag was present
	lease  []byte // x-ms-lease-id
	code   []byte // x-ms-error-code
}

// reset makes the answer ready for another response.
func (a *answer) reset() {
	*a = answer{length: -1, lease: a.lease[:0], code: a.code[:0]}
}

func (a *answer) String() string {
	return fmt.Sprintf("status %d %s (length %d, read %d, lease %q)", a.status, a.code, a.length, a.read, a.lease)
}

var (
	errStatusLine = errors.New("malformed status line")
	errHeader     = errors.New("malformed header")
	errLength     = errors.New("malformed content length")
	errChunk      = errors.New("malformed chunk")
	errTooLong    = errors.New("header too long")
)

// maxHeaderLines bounds a response's header, so that a server gone wrong ends the run instead of
// hanging it.
const maxHeaderLines = 256

// readAnswer parses one HTTP/1.1 response, passing informational ones over. The body goes through
// chunk, piece by piece. It reports whether the connection may carry another request. Line lengths
// are bounded by the reader's buffer.
func readAnswer(br *bufio.Reader, head bool, a *answer, chunk []byte) (keep bool, err error) {
	var h header
	for {
		a.reset()
		if h, err = readHeader(br, a); err != nil {
			return false, err
		}
		if a.status >= 200 {
			break
		}
	}
	switch {
	case head || a.status == 204 || a.status == 304:
	case h.chunked:
		err = readChunks(br, a, chunk)
	case a.length >= 0:
		err = readBody(br, a, a.length, chunk)
	default:
		h.close = true
		err = readToEnd(br, a, chunk)
	}
	return !h.close && err == nil, err
}

// header is what framing needs from a response's header.
type header struct{ chunked, close bool }

func readHeader(br *bufio.Reader, a *answer) (header, error) {
	var h header
	line, err := readLine(br)
	if err != nil {
		return h, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return h, errStatusLine
	}
	status, ok := parseDecimal(line[9:12])
	if !ok || status < 100 {
		return h, errStatusLine
	}
	a.status = int(status)
	h.close = line[7] == '0'
	for range maxHeaderLines {
		if line, err = readLine(br); err != nil {
			return h, noEOF(err)
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || len(name) == 0 {
			return h, errHeader
		}
		if err := h.take(name, bytes.Trim(value, " \t"), a); err != nil {
			return h, err
		}
	}
	return h, errTooLong
}

// take keeps what matters of one header. The switch on the length spares comparing the names of the
// others.
func (h *header) take(name, value []byte, a *answer) error {
	is := func(want string) bool { return bytes.EqualFold(name, []byte(want)) }
	switch len(name) {
	case 4:
		a.etag = a.etag || is("etag") && len(value) > 0
	case 10:
		h.close = h.close || is("connection") && bytes.EqualFold(value, []byte("close"))
	case 13:
		if is("x-ms-lease-id") {
			a.lease = append(a.lease[:0], value...)
		}
	case 14:
		if is("content-length") {
			n, ok := parseDecimal(value)
			if !ok || a.length >= 0 && a.length != n {
				return errLength
			}
			a.length = n
		}
	case 15:
		if is("x-ms-error-code") {
			a.code = append(a.code[:0], value...)
		}
	case 17:
		h.chunked = h.chunked || is("transfer-encoding") && bytes.EqualFold(value, []byte("chunked"))
	}
	return nil
}

// readLine returns one line without its end, valid until the next read.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errTooLong
	}
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}

func readBody(br *bufio.Reader, a *answer, n int64, chunk []byte) error {
	for n > 0 {
		got, err := br.Read(chunk[:min(int64(len(chunk)), n)])
		a.take(chunk[:got])
		n -= int64(got)
		if err != nil && n > 0 {
			return noEOF(err)
		}
	}
	return nil
}

func readToEnd(br *bufio.Reader, a *answer, chunk []byte) error {
	for {
		got, err := br.Read(chunk)
		a.take(chunk[:got])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func readChunks(br *bufio.Reader, a *answer, chunk []byte) error {
	for {
		line, err := readLine(br)
		if err != nil {
			return noEOF(err)
		}
		digits, _, _ := bytes.Cut(line, []byte{';'})
		size, ok := parseHex(bytes.TrimRight(digits, " \t"))
		if !ok {
			return errChunk
		}
		if size == 0 {
			return readTrailer(br)
		}
		if err := readBody(br, a, size, chunk); err != nil {
			return err
		}
		if line, err = readLine(br); err != nil {
			return noEOF(err)
		}
		if len(line) != 0 {
			return errChunk
		}
	}
}

func readTrailer(br *bufio.Reader) error {
	for range maxHeaderLines {
		line, err := readLine(br)
		if err != nil {
			return noEOF(err)
		}
		if len(line) == 0 {
			return nil
		}
	}
	return errTooLong
}

// take counts and sums a piece of the body.
func (a *answer) take(p []byte) {
	a.read += int64(len(p))
	a.sum = crc32.Update(a.sum, castagnoli, p)
}

// noEOF turns an end in the middle of a response into an error that says so.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseDecimal reads an unsigned number of at most 18 digits.
func parseDecimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseHex reads an unsigned hexadecimal number of at most 15 digits.
func parseHex(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, true
}
