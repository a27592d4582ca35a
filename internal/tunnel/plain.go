package tunnel

import (
	"bufio"
	"io"
	"net"
	"strings"
	"time"
)

// maxStart bounds how many bytes are read to classify a connection: a method, a scheme and a host
// name.
const maxStart = 512

// Front returns a listener that yields the connections for an HTTP server with the Tunnel as its
// handler. Connections that begin with a request for an http:// URL are not among them: they are
// forwarded to the plain HTTP address of their host's route, byte for byte, so that signatures and
// spellings stay intact, or refused if there is none.
func (t *Tunnel) Front(l net.Listener) net.Listener {
	f := &front{Listener: l, tunnel: t, rest: NewExit(l.Addr()), failed: make(chan error)}
	go f.run()
	return f
}

// front classifies the connections of a listener.
type front struct {
	net.Listener
	tunnel *Tunnel
	rest   *Exit      // for those that the tunnel serves
	failed chan error // of the listener
}

// Accept waits for the next connection for the tunnel. After a failure the listener accepts nothing
// until Accept is called again.
func (f *front) Accept() (net.Conn, error) {
	select {
	case c := <-f.rest.conns:
		return c, nil
	case err := <-f.failed:
		return nil, err
	case <-f.rest.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener.
func (f *front) Close() error {
	err := f.Listener.Close()
	f.rest.Close()
	return err
}

func (f *front) run() {
	for {
		c, err := f.Listener.Accept()
		if err == nil {
			go f.sort(c)
			continue
		}
		select {
		case f.failed <- err:
		case <-f.rest.closed:
			return
		}
	}
}

// sort classifies a connection by its first bytes and passes it on.
func (f *front) sort(c net.Conn) {
	c.SetReadDeadline(time.Now().Add(HeaderTimeout))
	in := bufio.NewReaderSize(c, maxStart)
	host, plain := startOf(in)
	c.SetReadDeadline(time.Time{})
	if !plain {
		f.rest.hand(c, in)
		return
	}
	route, ok := f.tunnel.plainRoute(host)
	switch {
	case !ok:
		io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		c.Close()
	case route.PlainExit != nil:
		route.PlainExit.hand(c, in)
	default:
		server, err := net.DialTimeout("tcp", route.Plain, DialTimeout)
		if err != nil {
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
			return
		}
		Pipe(c, in, server)
	}
}

// startOf reports whether a connection begins with a request for an http:// URL, and returns its
// host. It consumes nothing.
func startOf(in *bufio.Reader) (host string, plain bool) {
	for {
		start, _ := in.Peek(in.Buffered())
		host, plain, enough := plainHost(string(start))
		if enough || len(start) == maxStart {
			return host, plain && enough
		}
		if _, err := in.Peek(len(start) + 1); err != nil {
			return "", false
		}
	}
}

// plainHost parses the host at the start of a request for an http:// URL. enough reports whether
// further bytes can't change the result.
func plainHost(start string) (host string, plain, enough bool) {
	const scheme = "http://"
	_, target, ok := strings.Cut(start, " ")
	if !ok {
		return "", false, strings.ContainsAny(start, "\r\n")
	}
	if head := target[:min(len(target), len(scheme))]; !strings.EqualFold(head, scheme[:len(head)]) {
		return "", false, true
	}
	if len(target) < len(scheme) {
		return "", false, false
	}
	host = target[len(scheme):]
	end := strings.IndexAny(host, "/? \r\n")
	if end < 0 {
		return "", true, false
	}
	return host[:end], true, true
}

// plainRoute finds the route of a host with plain HTTP.
func (t *Tunnel) plainRoute(hostport string) (Route, bool) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = hostport, "80"
	}
	for _, r := range t.Routes {
		if port == "80" && r.matches(host) {
			return r, r.Plain != "" || r.PlainExit != nil
		}
	}
	return Route{}, false
}
