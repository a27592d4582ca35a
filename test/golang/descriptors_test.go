package golang

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestFilesAndConnectionsShareDescriptors has a server with few descriptors read more files than it
// may have open. Uploads and reads go on, and so do nearly all of the connections that come then.
func TestFilesAndConnectionsShareDescriptors(t *testing.T) {
	const limit, files, connections = 256, 300, 30
	fewDescriptors(t, limit)
	s := harness.Start(t, nil)
	s.NeedOwn()
	box := newBox(t, s)
	body := strings.Repeat("b", 300<<10) // long enough for a file of its own
	for i := range files {
		c := box.NewBlockBlobClient(fmt.Sprint(i))
		if err := put(t.Context(), c, body, ""); err != nil {
			t.Fatalf("upload %d: %v", i, err)
		}
		if got, err := get(t.Context(), c); err != nil || got != body {
			t.Fatalf("read %d: %d bytes, %v", i, len(got), err)
		}
	}
	at, err := url.Parse(s.URL(harness.Account))
	if err != nil {
		t.Fatal(err)
	}
	served := 0
	for range connections {
		c, err := net.Dial("tcp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // all of them stay open until the test ends
		if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", at.Host); err != nil {
			continue
		}
		if n, err := c.Read(make([]byte, 1)); n == 1 && err == nil {
			served++
		}
	}
	if served < connections-1 {
		t.Errorf("%d of %d connections were served", served, connections)
	}
	for i := range files {
		if got, err := get(t.Context(), box.NewBlockBlobClient(fmt.Sprint(i))); err != nil || got != body {
			t.Fatalf("read %d again: %d bytes, %v", i, len(got), err)
		}
	}
}
