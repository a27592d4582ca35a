package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestProxyLeadsToBlobsAndWebsites runs the command beside a folder whose server is a listener of the test.
func TestProxyLeadsToBlobsAndWebsites(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	data := t.TempDir()
	folder, err := openFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	state := &runState{Secure: server.Addr().String()}
	if err := state.write(data); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runProxy(ctx, data, "127.0.0.1:0", in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	proxy := strings.TrimPrefix(regexp.MustCompile(`http://\S+`).FindString(line), "http://")
	for host, want := range map[string]int{
		"acct.blob.core.windows.net": 200, "acct.z6.web.core.windows.net": 200, "acct.queue.core.windows.net": 403, authorityHost: 403,
	} {
		c, err := net.Dial("tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", host)
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "CONNECT"})
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v, want %d", host, resp, err, want)
		}
		c.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
