package main

import (
	"log/slog"
	"net"
	"os"

	"github.com/leasehold/leasehold/internal/service"
)

// notify tells the service manager, if it has asked for it, what the server does: "READY=1" or
// "STOPPING=1" (sd_notify(3)).
func notify(state string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}

// tellManager is notify for a server that goes on if the manager can't be reached.
func tellManager(log *slog.Logger, state string) {
	if err := notify(state); err != nil {
		log.Warn("could not reach the service manager", "error", err)
	}
}

// stopping returns what is done when the server begins to stop.
func stopping(log *slog.Logger, svc *service.Service) func() {
	return func() {
		tellManager(log, "STOPPING=1")
		svc.StopWaiting()
	}
}
