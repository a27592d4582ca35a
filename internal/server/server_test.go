package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leasehold/leasehold/internal/fault"
	"github.com/leasehold/leasehold/internal/wire"
)

// nothing is the arguments and results of an operation without any.
type nothing struct{}

var ok = wire.CompileResults[nothing]()

// answer answers 200 without a body.
func answer(r *wire.Request) {
	r.Operation = "Test"
	ok.Write(r, http.StatusOK, &nothing{})
}

// run serves on a listener until the test ends, or until the function it returns is called.
func run(t *testing.T, s *Server, l net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// loopback returns a listener on a free port.
func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// client is one raw connection.
type client struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func dial(t testing.TB, l net.Listener) *client {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

// send writes text, with line ends as HTTP has them.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer and its body.
func (c *client) receive(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

func TestMetadataNamesKeepTheirCase(t *testing.T) {
	type args struct {
		Meta wire.Metadata `meta:"x-ms-meta-"`
		Body wire.Body     `body:"stream"`
	}
	decode := wire.CompileArgs[args]()
	type results struct {
		Meta wire.Metadata `meta:"x-ms-meta-"`
	}
	encode := wire.CompileResults[results]()
	l := loopback(t)
	run(t, New(func(r *wire.Request) {
		var a args
		if err := decode.Decode(r, &a); err != nil {
			wire.WriteError(r, err)
			return
		}
		if r.Query.Has("read") {
			io.Copy(io.Discard, a.Body)
		}
		encode.Write(r, 200, &results{a.Meta})
	}, nil), l)
	c := dial(t, l)
	spellings := []string{"x-ms-meta-fooBar", "X-MS-META-FooBar", "x-ms-meta-foobar", "X-Ms-Meta-FOOBAR"}
	for i, name := range spellings {
		// A body that looks like a head must not be mistaken for one, whether or not the operation
		// reads it.
		body := "x-ms-meta-FoObAr: 2\n\nx-ms-meta-fOoBaR: 3\n" + strings.Repeat("x", 6000*(i%2))
		length := len(strings.ReplaceAll(body, "\n", "\r\n"))
		head := fmt.Sprintf("PUT /a/c/b%s HTTP/1.1\nHost: h\nContent-Length: %d\n%s: 1\n\n", []string{"", "?read"}[i/2], length, name)
		c.send(head[:20+i])
		c.send(head[20+i:] + body)
		resp, _ := c.receive("PUT")
		want := "x-ms-meta-" + name[len("x-ms-meta-"):]
		if resp.StatusCode != 200 || resp.Header.Get("X-Ms-Meta-Foobar") != "1" {
			t.Fatalf("%s: %v", name, resp)
		}
		// What net/http shows is canonical; the raw answer of the next round shows the case.
		c.send(head + body)
		raw, err := rawHead(c.in)
		if err != nil || !strings.Contains(raw, "\r\n"+want+": 1\r\n") {
			t.Errorf("%s was answered with %v\n%s", name, err, raw)
		}
	}
}

// rawHead reads up to the empty line.
func rawHead(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := in.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
	}
	return b.String(), nil
}

func TestHeadersAreSpelledAsWritten(t *testing.T) {
	l := loopback(t)
	run(t, New(answer, nil), l)
	c := dial(t, l)
	c.send("GET /a/c/b HTTP/1.1\nHost: h\nx-ms-client-request-id: me\nx-ms-version: 2021-12-02\n\n")
	raw, err := rawHead(c.in)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HTTP/1.1 200 OK\r\n", "\r\nx-ms-request-id: ", "\r\nx-ms-version: 2021-12-02\r\n", "\r\nx-ms-client-request-id: me\r\n", "\r\nContent-Length: 0\r\n"} {
		if !strings.Contains(raw, want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
	if strings.Count(raw, "\r\nDate: ") != 1 {
		t.Errorf("not one date in\n%s", raw)
	}
}

// TestPathsAreNotCleaned: but for dots, which a name can not have.
func TestPathsAreNotCleaned(t *testing.T) {
	var got []string
	l := loopback(t)
	run(t, New(func(r *wire.Request) { got = append(got, r.Blob); answer(r) }, nil), l)
	c := dial(t, l)
	want := []string{"x//y", "x/y/", "/", "a/b", "é ü", "x?y"}
	for _, path := range []string{"x//y", "x//../y/.", "/", "a%2Fb", "%C3%A9%20%C3%BC", "x%3Fy"} {
		c.send("PUT /a/c/" + path + " HTTP/1.1\nHost: h\nContent-Length: 0\n\n")
		if resp, _ := c.receive("PUT"); resp.StatusCode != 200 {
			t.Errorf("%s: %v", path, resp.Status)
		}
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q", got)
	}
}

func TestRefusedUploadsGetTheirAnswer(t *testing.T) {
	l := loopback(t)
	run(t, New(func(r *wire.Request) {
		r.Known = true
		wire.WriteError(r, fault.LeaseIDMissing)
	}, nil), l)
	for _, size := range []int{1, 100 << 10, 8 << 20} {
		c := dial(t, l)
		for range 2 { // the connection survives
			c.send(fmt.Sprintf("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: %d\n\n", size))
			if _, err := c.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if resp, body := c.receive("PUT"); resp.StatusCode != 412 || resp.Close || !strings.Contains(body, "LeaseIdMissing") {
				t.Fatalf("%d bytes: %v", size, resp)
			}
		}
	}
}

// TestRefusedStrangersGetTheirAnswer reads it only after the whole body was sent, as clients do.
func TestRefusedStrangersGetTheirAnswer(t *testing.T) {
	l := loopback(t)
	run(t, New(func(r *wire.Request) { wire.WriteError(r, fault.AuthenticationFailed) }, nil), l)
	for _, size := range []int{1, 100 << 10, 8 << 20} {
		c := dial(t, l)
		c.send(fmt.Sprintf("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: %d\n\n", size))
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if resp, body := c.receive("PUT"); resp.StatusCode != 403 || !resp.Close || !strings.Contains(body, "AuthenticationFailed") {
			t.Fatalf("%d bytes: %v", size, resp)
		}
	}
}

// TestAddressesLeaveRoom has one address hold all that it may: others are served.
func TestAddressesLeaveRoom(t *testing.T) {
	const limit = 8
	l := loopback(t)
	held, busy := make(chan bool), make(chan bool)
	run(t, New(func(r *wire.Request) {
		if r.Query.Has("wait") {
			held <- true
			<-busy
		}
		answer(r)
	}, &Options{MaxConnections: limit}), l)
	for range limit - limit/peerReserve {
		dial(t, l).send("GET /a/c/b?wait HTTP/1.1\nHost: h\n\n")
		<-held
	}
	one := dial(t, l)
	one.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	if resp, _ := one.receive("GET"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more of the same address: %v", resp)
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := from.Dial("tcp", l.Addr().String())
	if err != nil {
		close(busy)
		t.Skip("this system has one loopback address: ", err)
	}
	other := &client{t, c, bufio.NewReader(c)}
	other.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	if resp, _ := other.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("another address: %v", resp)
	}
	close(busy)
}

func TestRefusedUploadsThatWaitAreNotAskedToSend(t *testing.T) {
	l := loopback(t)
	run(t, New(func(r *wire.Request) { wire.WriteError(r, fault.LeaseIDMissing) }, nil), l)
	c := dial(t, l)
	c.send("PUT /a/c/b HTTP/1.1\nHost: h\nContent-Length: 5\nExpect: 100-continue\n\n")
	if resp, _ := c.receive("PUT"); resp.StatusCode != 412 || !resp.Close {
		t.Fatalf("%v", resp)
	}
}

func TestLongHeads(t *testing.T) {
	l := loopback(t)
	run(t, New(answer, nil), l)
	c := dial(t, l)
	c.send("GET /a/c/b HTTP/1.1\nHost: h\nx-ms-copy-source-authorization: Bearer " + strings.Repeat("x", 60<<10) + "\n\n")
	if resp, _ := c.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("%v", resp)
	}
	c.send("GET /a/c/b HTTP/1.1\nHost: h\nx-ms-long: " + strings.Repeat("x", 80<<10) + "\n\n")
	if resp, _ := c.receive("GET"); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v", resp)
	}
}

func TestTooManyRequestsAreToldToComeBack(t *testing.T) {
	release, entered := make(chan bool), make(chan bool)
	s := New(func(r *wire.Request) {
		entered <- true
		<-release
		answer(r)
	}, &Options{MaxRequests: 1})
	l := loopback(t)
	run(t, s, l)
	first, second := dial(t, l), dial(t, l)
	first.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	<-entered
	second.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	if resp, body := second.receive("GET"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, "ServerBusy") {
		t.Errorf("%v", resp)
	}
	release <- true
	if resp, _ := first.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("%v", resp)
	}
	second.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	<-entered
	release <- true
	if resp, _ := second.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("after the first ended: %v", resp)
	}
}

// fileContent is a Content that is a file, as the segments of the disk engine are.
type fileContent struct {
	*os.File
	n int64
}

func (c fileContent) Length() int64                      { return c.n }
func (c fileContent) WriteTo(w io.Writer) (int64, error) { return io.CopyN(w, c.File, c.n) }

// spy is a transport that notes what it is asked to send by itself.
type spy struct {
	*net.TCPConn
	mu    sync.Mutex
	files int64 // bytes from files
	other []string
}

func (s *spy) ReadFrom(src io.Reader) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limited, ok := src.(*io.LimitedReader)
	if ok {
		_, ok = limited.R.(*os.File)
	}
	n, err := s.TCPConn.ReadFrom(src)
	if ok {
		s.files += n
	} else {
		s.other = append(s.other, fmt.Sprintf("%T", src))
	}
	return n, err
}

// spying is a listener whose connections are spies.
type spying struct {
	net.Listener
	spies chan *spy
}

func (l spying) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &spy{TCPConn: c.(*net.TCPConn)}
	l.spies <- s
	return s, nil
}

func TestFilesAreSentByTheKernel(t *testing.T) {
	const size = 3*writeChunk + 12345
	name := filepath.Join(t.TempDir(), "segment")
	text := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	type results struct {
		Body wire.Content `body:"stream"`
	}
	encode := wire.CompileResults[results]()
	l := spying{loopback(t), make(chan *spy, 1)}
	run(t, New(func(r *wire.Request) {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		encode.Write(r, 200, &results{fileContent{f, size}})
	}, nil), l)
	c := dial(t, l.Listener)
	for range 2 {
		c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
		if _, body := c.receive("GET"); body != string(text) {
			t.Fatal("the body is not that of the file")
		}
	}
	s := <-l.spies
	s.mu.Lock()
	defer s.mu.Unlock()
	// net/http writes the first 512 bytes together with the head.
	if s.files != 2*(size-512) || len(s.other) != 0 {
		t.Errorf("%d bytes went from file to socket, and %v", s.files, s.other)
	}
}

func TestPanics(t *testing.T) {
	var log bytes.Buffer
	l := loopback(t)
	stop := run(t, New(func(r *wire.Request) {
		if r.Query.Has("late") {
			r.Writer.Header().Set("Content-Length", "10")
			r.Status = 200
			r.Writer.Write([]byte("hello"))
			http.NewResponseController(r.Writer).Flush()
		}
		panic("a bug")
	}, &Options{Log: slog.New(slog.NewTextHandler(&log, nil))}), l)
	c := dial(t, l)
	c.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	if resp, body := c.receive("GET"); resp.StatusCode != 500 || strings.Contains(body, "bug") || !strings.Contains(body, "InternalError") {
		t.Errorf("%v %s", resp, body)
	}
	c.send("GET /a/c/b?late HTTP/1.1\nHost: h\n\n")
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken answer ended with %q, %v", body, err)
	}
	stop()
	if got := log.String(); strings.Count(got, "level=ERROR") != 2 || !strings.Contains(got, "panic: a bug") || !strings.Contains(got, "server_test.go") {
		t.Errorf("the log says\n%s", got)
	}
}

func TestServeStops(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	s := New(func(r *wire.Request) {
		entered <- true
		<-release
		answer(r)
	}, &Options{Drain: time.Millisecond})
	l := loopback(t)
	// A context that ends by a signal has a cause of its own.
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	busy, idle := dial(t, l), dial(t, l)
	idle.send("GET /a/c/b HTTP/1.1\nHost: h\n\n") // net/http grants some seconds to connections that have not sent anything
	<-entered
	release <- true
	idle.receive("GET")
	busy.send("GET /a/c/b HTTP/1.1\nHost: h\n\n")
	<-entered
	cancel(errors.New("terminated"))
	if _, err := idle.in.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection ended with %v", err)
	}
	release <- true
	if resp, _ := busy.receive("GET"); resp.StatusCode != 200 {
		t.Errorf("a request that was running ended with %v", resp)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is open")
	}
}

func TestServeTellsThatAListenerFailed(t *testing.T) {
	good, bad := loopback(t), loopback(t)
	bad.Close()
	if err := New(answer, nil).Serve(context.Background(), good, bad); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestServeHTTPWithoutASocket(t *testing.T) {
	w := httptest.NewRecorder()
	New(answer, &Options{Now: func() time.Time { return time.Unix(0, 0) }}).ServeHTTP(w, httptest.NewRequest("GET", "/a/c/b", nil))
	if w.Code != 200 || w.Header().Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("%v %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	New(answer, nil).ServeHTTP(w, httptest.NewRequest("GET", "//", nil))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "InvalidUri") {
		t.Errorf("%v %v", w.Code, w.Body)
	}
}

func TestLog(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		level   string
		contain string
	}{
		{"success", nil, "DEBUG", "status=200"},
		{"contention", fault.LeaseAlreadyPresent, "DEBUG", "code=LeaseAlreadyPresent"},
		{"condition", fault.ConditionNotMet, "DEBUG", "status=412"},
		{"busy", fault.ServerBusy, "DEBUG", "status=503"},
		{"disk full", &fault.Error{Code: fault.ServerBusy, Cause: errors.New("no space left")}, "ERROR", `cause="no space left"`},
		{"foreign", errors.New("disk on fire"), "ERROR", `cause="disk on fire"`},
		{"a URL in a cause", errors.New(`Get "https://h/a?sig=SECRET&x": refused, also http://h/?sv=SECRET`), "ERROR",
			`cause="Get \"https://h/a?...\": refused, also http://h/?..."`},
		{"stalled", &fault.Error{Code: fault.OperationTimedOut, Cause: os.ErrDeadlineExceeded}, "DEBUG", "status=500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := New(func(r *wire.Request) {
				if tt.err != nil {
					wire.WriteError(r, tt.err)
					return
				}
				answer(r)
			}, &Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			r := httptest.NewRequest("PUT", "/acct/cont/secret-name?sig=SECRET&comp=lease", nil)
			r.Header.Set("Authorization", "SharedKey SECRET")
			r.Header.Set("x-ms-client-request-id", "mine")
			s.ServeHTTP(httptest.NewRecorder(), r)
			got := log.String()
			for _, want := range []string{"level=" + tt.level, tt.contain, "account=acct", "container=cont", "client_request_id=mine", "request_id="} {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			if strings.Contains(got, "SECRET") || strings.Count(got, "\n") != 1 {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestLogOfAClientThatWentAway(t *testing.T) {
	var log bytes.Buffer
	s := New(func(r *wire.Request) { wire.WriteError(r, context.Canceled) }, &Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a/c/b", nil).WithContext(ctx))
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

func TestRefusalsAreReportedOnceASecond(t *testing.T) {
	var r refusals
	at := time.Unix(100, 0)
	got := []int64{r.count(at), r.count(at), r.count(at.Add(time.Millisecond)), r.count(at.Add(time.Second)), r.count(at.Add(time.Second))}
	if fmt.Sprint(got) != "[1 0 0 3 0]" {
		t.Error(got)
	}
}
