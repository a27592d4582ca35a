package observe

import (
	"context"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// logFile is a file that records are appended to. It can be reopened after it was renamed.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// openLog opens a log; "-" stands for standard output.
func openLog(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// Write appends a record.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

// reopen opens the file under its path, and closes the one that was open. If that fails, the one
// that was open stays in use.
func (l *logFile) reopen() error {
	file := os.Stdout
	if l.path != "-" {
		var err error
		if file, err = os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.close()
	l.file = file
	return err
}

func (l *logFile) close() error {
	if l.file == nil || l.file == os.Stdout {
		return nil
	}
	return l.file.Close()
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.close()
}

// onHangup calls fn on SIGHUP, until ctx ends.
func onHangup(ctx context.Context, fn func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			fn()
		}
	}
}

// host returns the host of an address with a port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
