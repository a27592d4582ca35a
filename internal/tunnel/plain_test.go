package tunnel

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPlainHTTPIsLedOnUnchanged: to the plain address of the route of its host, while CONNECT is
// served as ever.
func TestPlainHTTPIsLedOnUnchanged(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	exit := NewExit(server.Addr())
	heard := make(chan string, 2)
	hear := func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var head strings.Builder
			in := bufio.NewReader(c)
			for line := ""; line != "\r\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					break
				}
				head.WriteString(line)
			}
			heard <- head.String()
			io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			c.Close()
		}
	}
	go hear(server)
	go hear(exit)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tunnel := &Tunnel{Routes: []Route{
		{Host: "*.dialled.test", Plain: server.Addr().String()}, {Host: "*.handed.test", PlainExit: exit}, {Host: "*.secure.test", Target: server.Addr().String()},
		{Host: "*.dead.test", Plain: "127.0.0.1:1"},
	}}
	proxy := &http.Server{Handler: tunnel}
	go proxy.Serve(tunnel.Front(l))
	defer proxy.Close()
	for target, want := range map[string]string{
		"http://a.dialled.test/c/%62?x=1":              "204",
		"http://A.Dialled.Test:80/":                    "204",
		"HTTP://a.handed.test/c":                       "204",
		"http://a.handed.test?x":                       "204",
		"http://a.dialled.test:8080/":                  "403",
		"http://a.secure.test/":                        "403",
		"http://example.com/":                          "403",
		"http://a.dead.test/":                          "502",
		"http://a.dialled.test@example.com/":           "403",
		"/":                                            "405",
		"https://a.dialled.test/":                      "405",
		"http://" + strings.Repeat("a", 600) + ".test": "405",
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// The start comes in two pieces, and names are spelled in no usual way.
		request := "GET " + target + " HTTP/1.1\r\nHost: a\r\nx-ms-META-oNe: 1\r\n\r\n"
		fmt.Fprint(c, request[:9])
		fmt.Fprint(c, request[9:])
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || fmt.Sprint(answer.StatusCode) != want {
			t.Errorf("%.60s: %v, %v, want %s", target, answer, err, want)
		}
		if want == "204" {
			if got := <-heard; got != request {
				t.Errorf("%s came as %q", target, got)
			}
		}
		c.Close()
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "CONNECT a.secure.test:443 HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"}); err != nil || answer.StatusCode != 200 {
		t.Errorf("CONNECT: %v, %v", answer, err)
	}
}

// TestFrontEnds with its listener's proxy, and has those that come later closed.
func TestFrontEnds(t *testing.T) {
	proxy := httptest.NewUnstartedServer(nil)
	tunnel := &Tunnel{}
	proxy.Config.Handler = tunnel
	proxy.Listener = tunnel.Front(proxy.Listener)
	proxy.Start()
	address := proxy.Listener.Addr().String()
	proxy.Close()
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func FuzzPlainHost(f *testing.F) {
	for _, start := range []string{"GET http://a.test/ HTTP/1.1", "CONNECT a:443 HTTP/1.1", "GET", "GET HTT", "PUT http://a", "\r\n", " http://?"} {
		f.Add(start)
	}
	f.Fuzz(func(t *testing.T, start string) {
		host, plain, enough := plainHost(start)
		if strings.ContainsAny(host, "/? \r\n") || host != "" && !plain {
			t.Fatalf("%q is for %q", start, host)
		}
		if again, p, e := plainHost(start + "/x"); enough && (again != host || p != plain || !e) {
			t.Errorf("%q: more of it changed %q, %v to %q, %v", start, host, plain, again, p)
		}
	})
}
