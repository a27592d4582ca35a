package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// failures answers as the name of the blob says.
func failures(r *wire.Request) {
	switch r.Blob {
	case "missing":
		wire.WriteError(r, fault.BlobNotFound)
	case "same":
		wire.WriteError(r, fault.NotModified())
	case "odd":
		wire.WriteError(r, &fault.Error{Code: fault.BlobNotFound, Message: "two\r\nlines"})
	default:
		answer(r)
	}
}

// TestStatusLines looks at the status lines of answers on one connection, over TLS and without.
func TestStatusLines(t *testing.T) {
	plain := loopback(t)
	run(t, New(failures, nil), plain)
	inner, cert := loopback(t), certificate(t)
	run(t, New(failures, nil), TLS(inner, &tls.Config{GetCertificate: cert.Get}))
	secure := dial(t, inner)
	secure.Conn = tls.Client(secure.Conn, &tls.Config{InsecureSkipVerify: true})
	secure.in = bufio.NewReader(secure.Conn)
	for kind, c := range map[string]*client{"plain": dial(t, plain), "TLS": secure} {
		for _, tt := range []struct{ method, blob, version, want string }{
			{"GET", "missing", "1.1", "404 The specified blob does not exist."},
			{"GET", "there", "1.1", "200 OK"},
			{"HEAD", "missing", "1.1", "404 The specified blob does not exist."},
			{"HEAD", "there", "1.1", "200 OK"},
			{"GET", "same", "1.1", "304 The condition specified using HTTP conditional header(s) is not met."},
			{"GET", "odd", "1.1", "404 Not Found"},
			{"PUT", "missing", "1.1", "404 The specified blob does not exist."},
			{"GET", "missing", "1.0", "404 The specified blob does not exist."},
		} {
			c.send(fmt.Sprintf("%s /a/c/%s HTTP/%s\nHost: h\nContent-Length: 0\n\n", tt.method, tt.blob, tt.version))
			resp, body := c.receive(tt.method)
			if resp.Status != tt.want {
				t.Errorf("%s: %s %s: %q, want %q", kind, tt.method, tt.blob, resp.Status, tt.want)
			}
			if resp.StatusCode == 404 && tt.method != "HEAD" && !strings.HasSuffix(body, "</Error>") {
				t.Errorf("%s: %s %s: body %q", kind, tt.method, tt.blob, body)
			}
		}
	}
}

// TestReasonOfOtherAnswers leaves alone what begins with no such status line.
func TestReasonOfOtherAnswers(t *testing.T) {
	r := &reason{404, "The sentence."}
	for _, answer := range []string{"", "HTTP/1.1 404", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "body\r\nHTTP/1.1 404 x\r\n", "HTTP/2.0 404 x\r\n"} {
		if got := string(r.in([]byte(answer))); got != answer {
			t.Errorf("%q became %q", answer, got)
		}
	}
	if got := string(r.in([]byte("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody"))); got != "HTTP/1.1 404 The sentence.\r\nA: b\r\n\r\nbody" {
		t.Errorf("got %q", got)
	}
}

// taker is a connection that takes everything, or breaks after some bytes.
type taker struct {
	net.Conn
	left int
}

func (k *taker) SetWriteDeadline(time.Time) error { return nil }

func (k *taker) Write(p []byte) (int, error) {
	n := min(len(p), k.left)
	if k.left -= n; n < len(p) {
		return n, net.ErrClosed
	}
	return n, nil
}

// TestReasonOnABrokenConnection counts no more than what net/http wrote.
func TestReasonOnABrokenConnection(t *testing.T) {
	const answer = "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody"
	for left := range len(answer) + len("The specified blob does not exist.") {
		c := &conn{Conn: &taker{left: left}}
		c.fail(http.StatusNotFound, fault.BlobNotFound.Message())
		n, err := c.Write([]byte(answer))
		if n < 0 || n > len(answer) || n == len(answer) && err == nil && left < len(answer) {
			t.Errorf("%d bytes fit: %d, %v", left, n, err)
		}
	}
}

// BenchmarkWrite is what a connection adds to the writing of an answer, and to that of a failure.
func BenchmarkWrite(b *testing.B) {
	answer := []byte("HTTP/1.1 404 Not Found\r\n" + strings.Repeat("x-ms-header: value\r\n", 20) + "\r\n")
	for _, failure := range []bool{false, true} {
		b.Run(fmt.Sprint("failure=", failure), func(b *testing.B) {
			c := &conn{Conn: &taker{left: math.MaxInt}}
			for b.Loop() {
				if failure {
					c.fail(http.StatusNotFound, fault.BlobNotFound.Message())
				}
				if _, err := c.Write(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
