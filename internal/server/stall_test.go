package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// pipes is a listener of connections in memory, for tests in which time passes.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// virtual returns a connection to a server that runs in the bubble of the test, where time is
// virtual.
func virtual(t *testing.T, handler func(*wire.Request), o *Options) *client {
	l := pipes{make(chan net.Conn), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- New(handler, o).Serve(ctx, l) }()
	near, far := net.Pipe()
	l.accept <- far
	t.Cleanup(func() {
		near.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &client{t, near, bufio.NewReader(near)}
}

// closes returns how much virtual time passed until the peer closed the connection.
func (c *client) closes() time.Duration {
	start := time.Now()
	io.Copy(io.Discard, c)
	return time.Since(start)
}

func TestSlowHeadsAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, answer, nil)
		c.send("GET /a/c/b HTTP/1.1\n")
		if took := c.closes(); took != headTimeout {
			t.Errorf("after %v", took)
		}
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, answer, nil)
		for range 2 {
			c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
			c.receive("GET")
			time.Sleep(idleTimeout - time.Second)
		}
		if took := c.closes(); took != time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// store reads the body, as a write does.
func store(r *wire.Request) {
	type args struct {
		Body wire.Body `body:"stream"`
	}
	var a args
	err := wire.CompileArgs[args]().Decode(r, &a)
	if err == nil {
		_, err = io.Copy(io.Discard, a.Body)
	}
	if err != nil {
		wire.WriteError(r, err)
		return
	}
	answer(r)
}

func TestStalledBodiesAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, store, nil)
		c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 100\n\nsome")
		start := time.Now()
		resp, body := c.receive("PUT")
		if took := time.Since(start); took < stallTimeout*7/8 || took > stallTimeout {
			t.Errorf("answered after %v", took)
		}
		if resp.StatusCode != 500 || !resp.Close || !strings.Contains(body, string(fault.OperationTimedOut)) {
			t.Errorf("%v %s", resp, body)
		}
		if took := c.closes(); took > time.Second {
			t.Errorf("closed %v later", took)
		}
	})
}

func TestSlowBodiesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, store, nil)
		for range 2 {
			c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 327680\n\n")
			for range 20 {
				time.Sleep(stallTimeout / 2)
				c.send(strings.Repeat("x", 16<<10)) // just over the least rate
			}
			if resp, _ := c.receive("PUT"); resp.StatusCode != 200 {
				t.Errorf("%v", resp)
			}
		}
	})
}

// drip sends a byte again and again until the connection is closed, which the function that it
// returns does.
func (c *client) drip(every time.Duration) (stop func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			<-time.After(every)
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	return func() {
		c.Close()
		<-done
	}
}

// TestBodiesByDropsAreCutOff sends a byte every five seconds, which never stalls.
func TestBodiesByDropsAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, store, nil)
		c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 1000\n\n")
		start := time.Now()
		defer c.drip(5 * time.Second)()
		resp, body := c.receive("PUT")
		if took := time.Since(start); took < stallTimeout || took > stallTimeout+10*time.Second {
			t.Errorf("answered after %v", took)
		}
		if resp.StatusCode != 500 || !resp.Close || !strings.Contains(body, string(fault.OperationTimedOut)) {
			t.Errorf("%v %s", resp, body)
		}
	})
}

// TestRefusedBodiesByDrops sends bodies that nobody wants by drops: a stranger is answered at once,
// and nobody keeps the connection for long.
func TestRefusedBodiesByDrops(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := virtual(t, func(r *wire.Request) {
				r.Known = known
				wire.WriteError(r, fault.AuthenticationFailed)
			}, nil)
			c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 1000000\n\n")
			defer c.drip(time.Second)()
			start := time.Now()
			resp, _ := c.receive("PUT")
			answered := time.Since(start)
			c.closes()
			closed := time.Since(start)
			if resp.StatusCode != 403 || !resp.Close || !known && answered > 0 || answered > 20*time.Second || closed > answered+6*time.Second {
				t.Errorf("known: %t; %v after %v, closed after %v", known, resp, answered, closed)
			}
		})
	}
}

func TestHandlersMayTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, func(r *wire.Request) {
			time.Sleep(3 * stallTimeout)
			if err := r.Context().Err(); err != nil {
				t.Error(err)
			}
			store(r)
		}, nil)
		for _, request := range []string{
			"GET /a/c/b HTTP/1.1\nHost: h\nContent-Length: 0\n\n",
			"PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc",
			"PUT /a/c/b HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n",
		} {
			c.send(request)
			if resp, _ := c.receive("PUT"); resp.StatusCode != 200 {
				t.Errorf("%s: %v", request, resp)
			}
		}
	})
}

func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		c := virtual(t, func(r *wire.Request) {
			_, err := r.Writer.Write(make([]byte, 3*writeChunk))
			result <- err
		}, nil)
		c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
		start := time.Now()
		if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the handler got %v", err)
		}
		if took := time.Since(start); took > stallTimeout {
			t.Errorf("after %v", took)
		}
	})
}

func TestClientsThatReadSlowlyGetEverything(t *testing.T) {
	const size = 4 * writeChunk
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, func(r *wire.Request) {
			r.Writer.Header().Set("Content-Length", "4194304")
			if _, err := r.Writer.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
		}, nil)
		c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for read := 0; read < size; read += writeChunk / 2 {
			time.Sleep(stallTimeout / 4)
			if _, err := io.CopyN(io.Discard, resp.Body, writeChunk/2); err != nil {
				t.Fatalf("after %d bytes: %v", read, err)
			}
		}
	})
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended, entered := make(chan error, 1), make(chan bool)
		s := New(func(r *wire.Request) {
			close(entered)
			<-r.Context().Done()
			ended <- r.Context().Err()
		}, &Options{Drain: time.Minute})
		done := make(chan error)
		go func() { done <- s.Serve(ctx, l) }()
		near, far := net.Pipe()
		l.accept <- far
		c := &client{t, near, bufio.NewReader(near)}
		c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
		<-entered
		start := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != time.Minute+lastRequests {
			t.Errorf("stopped after %v", took)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestStopAnswersWhileRequestsGoOn: until the requests of before have ended, others are answered,
// so that a stop keeps nobody from renewing a lease. Then the stop takes no more time.
func TestStopAnswersWhileRequestsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		upload, waiter := make(chan bool), make(chan bool)
		s := New(func(r *wire.Request) {
			switch {
			case r.Query.Has("upload"):
				<-upload
			case r.Query.Has("wait"):
				<-waiter
			}
			wire.WriteError(r, fault.LeaseIDMissing)
		}, &Options{Stopping: func() { close(waiter) }})
		done := make(chan error)
		go func() { done <- s.Serve(ctx, l) }()
		connect := func() *client {
			near, far := net.Pipe()
			l.accept <- far
			return &client{t, near, bufio.NewReader(near)}
		}
		slow, waiting, renewing := connect(), connect(), connect()
		slow.send("GET /a/c/b?upload HTTP/1.1\nHost: h\n\n")
		waiting.send("GET /a/c/b?wait HTTP/1.1\nHost: h\n\n")
		synctest.Wait()
		start := time.Now()
		cancel()
		if resp, _ := waiting.receive("GET"); resp.StatusCode != 412 || time.Since(start) > 0 {
			t.Errorf("the request that waited: %d after %v", resp.StatusCode, time.Since(start))
		}
		for _, c := range []*client{renewing, connect()} {
			time.Sleep(time.Second)
			c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
			if resp, _ := c.receive("GET"); resp.StatusCode != 412 {
				t.Errorf("during the drain: %d", resp.StatusCode)
			}
		}
		close(upload)
		if resp, _ := slow.receive("GET"); resp.StatusCode != 412 {
			t.Errorf("the upload: %d", resp.StatusCode)
		}
		if err := <-done; err != nil || time.Since(start) >= 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestLongestIdleConnectionsGiveWay(t *testing.T) {
	const limit = 3
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done, busy := make(chan error), make(chan bool)
		s := New(func(r *wire.Request) {
			if r.Query.Has("wait") {
				<-busy
			}
			answer(r)
		}, &Options{MaxConnections: limit})
		go func() { done <- s.Serve(ctx, l) }()
		connect := func() *client {
			near, far := net.Pipe()
			l.accept <- far
			time.Sleep(time.Second)
			return &client{t, near, bufio.NewReader(near)}
		}
		ask := func(c *client) {
			t.Helper()
			c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
			if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
				t.Error(resp)
			}
			time.Sleep(time.Second)
		}
		gone := func(what string, c *client) {
			t.Helper()
			if took := c.closes(); took != 0 {
				t.Errorf("%s was closed after %v", what, took)
			}
		}
		waiting, idle, silent := connect(), connect(), connect()
		waiting.send("GET /a/c/b?wait HTTP/1.1\nHost: h\n\n")
		time.Sleep(firstRequest)
		ask(idle)
		fourth := connect()
		gone("one without a request for long", silent)
		ask(idle)
		other := connect()
		gone("one that is kept while another waits for its first request", idle)
		more := connect() // over the limit, as only new ones could give way
		ask(more)
		more.Close()
		ask(fourth)
		ask(other)
		fifth := connect()
		gone("the one idle for longest", fourth)
		for _, c := range []*client{other, fifth} {
			c.send("GET /a/c/b?wait HTTP/1.1\nHost: h\n\n")
			synctest.Wait()
		}
		gone("one more than can be busy", connect())
		close(busy)
		for _, c := range []*client{waiting, other, fifth} {
			if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
				t.Error(resp)
			}
			c.Close()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
