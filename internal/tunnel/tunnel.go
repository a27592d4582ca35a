// Package tunnel provides a proxy through which unmodified clients reach a local server under the
// public names of the Blob service, https://ACCOUNT.blob.core.windows.net, without root privileges
// or changes to DNS.
//
// A client that honours HTTPS_PROXY asks a [Tunnel] on the loopback interface to connect
// it to the public name. The tunnel connects it to a local TLS listener instead, which
// presents a certificate of a local authority for that name. Names without a route are
// refused: nothing leaves the machine.
package tunnel

import (
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// DialTimeout bounds how long connecting to a local port may take. It succeeds at once or not at
// all.
const DialTimeout = 5 * time.Second

// HeaderTimeout bounds how long a client may take to send its CONNECT request.
const HeaderTimeout = 30 * time.Second

// lingerTimeout is how long a client may keep its direction open after the server has closed its
// own. Data that the client has not read by then still arrives, unless the client goes on sending.
const lingerTimeout = 10 * time.Second

// A Route sends connections for a host name to a local address, or to a listener of this process.
type Route struct {
	Host   string // a DNS name without port, or "*." and a suffix for one or more labels before it
	Target string // host:port to connect to
	Exit   *Exit  // if not nil, where connections go in place of Target

	Plain     string // host:port to connect to for http:// URLs; "" for none
	PlainExit *Exit  // if not nil, where these connections go in place of Plain
}

func (r Route) matches(host string) bool {
	host = strings.ToLower(host)
	if suffix, ok := strings.CutPrefix(r.Host, "*"); ok {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return host == r.Host
}

// Tunnel is an HTTP proxy that supports only CONNECT, only port 443 and only the hosts of its
// routes. The first matching route is used. [Tunnel.Front] forwards plain HTTP before it gets here.
type Tunnel struct {
	Routes []Route
}

// ServeHTTP answers CONNECT with 200 and a two-way pipe, 403 for a host without a
// route, 502 when the target does not answer, and 405 for any other method.
func (t *Tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "this proxy supports only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	route, ok := t.route(r.Host)
	if !ok {
		http.Error(w, "no route to "+r.Host, http.StatusForbidden)
		return
	}
	var server net.Conn
	if route.Exit == nil {
		var err error
		if server, err = net.DialTimeout("tcp", route.Target, DialTimeout); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, err = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	switch {
	case err != nil:
		if client != nil {
			client.Close()
		}
		if server != nil {
			server.Close()
		}
	case route.Exit != nil:
		route.Exit.hand(client, buffered.Reader)
	default:
		Pipe(client, buffered, server)
	}
}

func (t *Tunnel) route(hostport string) (r Route, ok bool) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || port != "443" {
		return r, false
	}
	for _, r := range t.Routes {
		if r.matches(host) {
			return r, true
		}
	}
	return r, false
}

// Pipe copies in both directions, passes each half-close on, and closes both connections when both
// directions have ended, or lingerTimeout after the server has closed its own. The client's bytes
// are read from fromClient.
func Pipe(client net.Conn, fromClient io.Reader, server net.Conn) {
	defer client.Close()
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		forward(server, fromClient)
	}()
	forward(client, server)
	client.SetReadDeadline(time.Now().Add(lingerTimeout))
	<-done
}

// forward copies until src ends, then closes that direction of dst. After a failure it closes both
// directions, the only way to signal that bytes were lost.
func forward(dst net.Conn, src io.Reader) {
	_, err := io.Copy(dst, src)
	half, ok := dst.(interface{ CloseWrite() error })
	if err != nil || !ok {
		dst.Close()
		return
	}
	half.CloseWrite()
}
