package server

import (
	"bytes"
	"strconv"
)

// reason is the reason phrase in the status line of a failure: the sentence of the error, as the
// service sends it. Some clients show nothing else. net/http can't set the phrase, so the
// connection replaces the line on its way out.
type reason struct {
	status   int
	sentence string
}

// fail notes a failure before its answer is written.
func (c *conn) fail(status int, sentence string) {
	for i := range len(sentence) {
		if sentence[i] < ' ' || sentence[i] > '~' {
			return // the line would be malformed
		}
	}
	c.reason.Store(&reason{status, sentence})
}

// in returns an answer with its status line replaced; an answer that begins with another line stays
// as it is.
func (r *reason) in(answer []byte) []byte {
	line, rest, ok := bytes.Cut(answer, []byte("\r\n"))
	const code, phrase = len("HTTP/1.1 "), len("HTTP/1.1 404 ")
	if !ok || len(line) < phrase || string(line[:len("HTTP/1.")]) != "HTTP/1." || string(line[code:phrase-1]) != strconv.Itoa(r.status) {
		return answer
	}
	out := make([]byte, 0, len(answer)+len(r.sentence))
	out = append(append(out, line[:phrase]...), r.sentence...)
	return append(append(out, "\r\n"...), rest...)
}

// writeReason writes the beginning of the answer to a failure. It returns how much of p was
// written, as Write does.
func (c *conn) writeReason(r *reason, p []byte) (written int, err error) {
	c.reason.Store(nil)
	out := r.in(p)
	n, err := c.Write(out)
	return min(max(n-(len(out)-len(p)), 0), len(p)), err
}
