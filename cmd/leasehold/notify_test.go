package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestServeNotifies: a service manager learns when the server takes requests, and when it stops.
func TestServeNotifies(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Skip("no datagram sockets of this kind on this system:", err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	o := observed(t)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, 100)
		manager.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := manager.Read(got); err != nil || string(got[:n]) != want {
			t.Errorf("told %q, %v; want %q", got[:n], err, want)
		}
	}
	expect("READY=1")
	if err := o.stop(); err != nil {
		t.Error(err)
	}
	expect("STOPPING=1")
}
