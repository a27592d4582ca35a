//go:build linux

package lock

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A line leads connections to a server, and can be disturbed.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	held  [2]chan struct{} // of requests and answers: nil, or closed when the line is mended
	delay time.Duration    // of answers
}

// The directions of a line.
const (
	requests = iota
	answers
)

func newLine(t *testing.T, to string) *line {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &line{Listener: l, to: to}
	t.Cleanup(func() {
		l.Close()
		out.mend()
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go out.connect(near)
		}
	}()
	return out
}

func (l *line) connect(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	var both sync.WaitGroup
	both.Go(func() { l.carry(far, near, requests) })
	both.Go(func() { l.carry(near, far, answers) })
	both.Wait()
}

// parcel is some bytes and when they came.
type parcel struct {
	data []byte
	at   time.Time
}

// carry copies one direction of a connection, until either end closes it.
func (l *line) carry(to, from net.Conn, direction int) {
	defer to.Close()
	parcels := make(chan parcel, 64)
	go func() {
		defer close(parcels)
		for {
			p := parcel{data: make([]byte, 16<<10)}
			n, err := from.Read(p.data)
			if err != nil {
				return
			}
			p.data, p.at = p.data[:n], time.Now()
			parcels <- p
		}
	}()
	failed := false
	for p := range parcels {
		held, delay := l.state(direction)
		<-time.After(time.Until(p.at.Add(delay)))
		if held != nil {
			<-held
		}
		if _, err := to.Write(p.data); err != nil && !failed {
			failed = true
			from.Close()
		}
	}
}

func (l *line) state(direction int) (held chan struct{}, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if direction == answers {
		delay = l.delay
	}
	return l.held[direction], delay
}

// cut lets nothing through in the directions.
func (l *line) cut(directions ...int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range directions {
		l.held[d] = make(chan struct{})
	}
}

// mend lets everything through again.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d, held := range l.held {
		if held != nil {
			close(held)
			l.held[d] = nil
		}
	}
}

// slow has all answers come late.
func (l *line) slow(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = by
}
