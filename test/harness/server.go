// Package harness runs the server as its users do, as a process of its own, and
// judges it by the tests of outside clients.
//
// Start builds the command once per change, starts it on a free port with a
// fresh data folder, and ends it with the test; Kill and Restart show what
// survives. Run starts a client's own test program and reports each of its
// tests as a subtest by name, against a checked-in list of those that are known to
// fail and why.
//
// The environment variable LEASEHOLD_TEST_ADDR (host:port) points everything at
// a server that is already running and serves Account with Key, to see how another
// implementation does; what needs to kill the server is then skipped.
package harness

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Account and Key are the published development account, which every server
// that a test starts serves.
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

const (
	readyTimeout = 30 * time.Second // from the start of the process to its ready line
	stopTimeout  = 30 * time.Second // from SIGTERM to the end of the process
)

// Options says how a server is started. The zero value is the usual server.
type Options struct {
	Dev bool // start with --dev, with all that it listens on by itself
	// Accounts are the names of further accounts, each with AccountKey(name), and
	// further lines for them in the configuration file.
	Accounts map[string]string
	Config   string   // further lines of the configuration file
	Args     []string // further arguments after "serve"
	Metrics  bool     // serve metrics, for Metric
	Env      []string // further environment
	// Observe, if not nil, is called with each line of the server's log, one at a time.
	Observe func(line []byte)
}

// config returns the server's configuration file: the accounts, all of which let
// containers be public, as accounts of the service may.
func (o *Options) config() []byte {
	var b bytes.Buffer
	account := func(name, key, settings string) {
		fmt.Fprintf(&b, "[[account]]\nname = %q\nkeys = [%q]\npublic-access = true\n%s\n", name, key, settings)
	}
	if !o.Dev {
		account(Account, Key, "") // which --dev brings along
	}
	for name, settings := range o.Accounts {
		account(name, AccountKey(name), settings)
	}
	b.WriteString(o.Config)
	return b.Bytes()
}

// AccountKey returns the Base64 key of an account of Options.Accounts.
func AccountKey(name string) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%-64s", "key of "+name))
}

// A Server is a running server. Its methods are for the goroutine of the test,
// except Kill, which may come from any.
type Server struct {
	Addr string // host:port of the plain listener; the same after Restart
	Data string // data folder; empty for a server that the test did not start

	t       testing.TB
	options Options
	mu      sync.Mutex // guards process
	process *process
}

// A process is one run of the command; done is closed when it has ended.
type process struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error // valid after done
}

// Start starts a server and stops it when the test ends, which fails the test
// unless the server then ends in good order.
func Start(t testing.TB, o *Options) *Server {
	t.Helper()
	s := &Server{t: t}
	if o != nil {
		s.options = *o
	}
	if addr := os.Getenv("LEASEHOLD_TEST_ADDR"); addr != "" {
		s.Addr = addr
		return s
	}
	s.Data = t.TempDir()
	s.start("127.0.0.1:0")
	t.Cleanup(s.Stop)
	return s
}

// NeedOwn skips the test if the server is not one that it may kill.
func (s *Server) NeedOwn() {
	s.t.Helper()
	if s.Data == "" {
		s.t.Skip("the server of LEASEHOLD_TEST_ADDR can't be killed and restarted")
	}
}

func (s *Server) start(listen string) {
	s.t.Helper()
	config := filepath.Join(s.t.TempDir(), "leasehold.toml")
	if err := os.WriteFile(config, s.options.config(), 0o600); err != nil {
		s.t.Fatal(err)
	}
	args := append([]string{"serve", "--data", s.Data, "--listen", listen, "--config", config}, s.options.Args...)
	if s.options.Dev {
		args = append(args, "--dev")
	}
	if s.options.Metrics {
		args = append(args, "--ops-listen", "127.0.0.1:0")
	}
	p := &process{cmd: exec.Command(Binary(s.t), args...), log: &logBuffer{}, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "LEASEHOLD_ACCOUNTS=")
	p.cmd.Env = append(p.cmd.Env, s.options.Env...)
	p.cmd.Stderr = p.log
	if s.options.Observe != nil {
		p.cmd.Stderr = io.MultiWriter(p.log, &lineWriter{line: s.options.Observe})
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("start the server: %v", err)
	}
	ready := make(chan string, 1)
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(p.log, lines.Text())
			if addr, ok := readyAddr(lines.Text()); ok {
				select {
				case ready <- addr:
				default:
				}
			}
		}
		p.err = p.cmd.Wait()
	}()
	select {
	case s.Addr = <-ready:
	case <-p.done:
		s.t.Fatalf("the server ended before it was ready: %v\n%s", p.err, p.log)
	case <-time.After(readyTimeout):
		p.cmd.Process.Kill()
		s.t.Fatalf("the server was not ready in %v\n%s", readyTimeout, p.log)
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// readyAddr finds the address in the line by which the server says that it accepts
// connections.
func readyAddr(line string) (string, bool) {
	if !strings.Contains(line, "leasehold ready") {
		return "", false
	}
	addr := address.FindString(line)
	return addr, addr != ""
}

var metricsURL = regexp.MustCompile(`metrics on (http://127\.0\.0\.1:\d+/metrics)`)

// Metric returns the value of a metric without labels, of a server that was started with
// Options.Metrics.
func (s *Server) Metric(name string) float64 {
	s.t.Helper()
	found := metricsURL.FindStringSubmatch(s.current().log.String())
	if found == nil {
		return math.NaN() // the line follows that of being ready
	}
	resp, err := http.Get(found[1])
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(line, 64)
	if !ok || err != nil {
		s.t.Fatalf("no metric %s: %v", name, err)
	}
	return value
}

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// PID returns the ID of the server's process; 0 when the test runs none.
func (s *Server) PID() int {
	if p := s.current(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Kill ends the process with SIGKILL, as a crash would, and returns when it is
// gone.
func (s *Server) Kill() {
	p := s.current()
	p.cmd.Process.Kill()
	<-p.done
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
}

// Stop ends the process with SIGTERM and reports an error to the test unless
// it ends with status 0. A server that was killed is left alone.
func (s *Server) Stop() {
	s.t.Helper()
	p := s.current()
	if p == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.done
		s.t.Errorf("the server had not ended %v after SIGTERM", stopTimeout)
	}
	if p.err != nil {
		s.t.Errorf("the server ended with %v", p.err)
	}
	if s.t.Failed() {
		s.t.Logf("log of the server:\n%s", p.log)
	}
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
}

// Restart starts the server again on the same data and the same address, after
// Kill or Stop.
func (s *Server) Restart() {
	s.t.Helper()
	if s.current() != nil {
		s.t.Fatal("Restart of a server that runs")
	}
	s.start(s.Addr)
}

// URL returns the path-style URL of an account, without a slash at the end.
func (s *Server) URL(account string) string {
	return "http://" + s.Addr + "/" + account
}

// ConnectionString returns the connection string of the development account.
func (s *Server) ConnectionString() string {
	return "DefaultEndpointsProtocol=http;AccountName=" + Account + ";AccountKey=" + Key +
		";BlobEndpoint=" + s.URL(Account) + ";"
}

// Env returns the environment that the clients' test programs read.
func (s *Server) Env() []string {
	return []string{
		"AZURE_STORAGE_CONNECTION_STRING=" + s.ConnectionString(),
		"LEASEHOLD_TEST_ENDPOINT=" + s.URL(Account),
		"LEASEHOLD_TEST_ACCOUNT=" + Account,
		"LEASEHOLD_TEST_KEY=" + Key,
	}
}

// inEnvironment is a shell program that takes over what the command prints for a data
// folder, and becomes the program that follows.
const inEnvironment = `set -e; environment="$("$0" env --data "$1" $2)"; eval "$environment"; unset AZURE_STORAGE_CONNECTION_STRING; shift 2; exec "$@"`

// InEnvironment returns the command line of a client that knows nothing of the server but
// what "leasehold env", with a flag or "", says about tokens and public names. The
// server is to be started with Options.Dev.
func (s *Server) InEnvironment(flag string, client ...string) []string {
	return append([]string{"sh", "-c", inEnvironment, Binary(s.t), s.Data, flag}, client...)
}

// NewID returns a fresh random GUID, in lower case, as clients make them for leases.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Binary returns the path of the server's binary: LEASEHOLD_BIN, or a build of the
// tree as it is. Test programs that run at the same time share one build.
func Binary(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("LEASEHOLD_BIN"); bin != "" {
		return bin
	}
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

var build = sync.OnceValues(func() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".build")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "leasehold")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/leasehold")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return binary, nil
})

// Root returns the folder of the main module.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/leasehold/leasehold").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// lineWriter calls a function with each line that is written to it.
type lineWriter struct {
	line func([]byte)
	rest []byte // a line without its end
}

// Write hands on the lines that p completes.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.line(line)
		w.rest = rest
	}
}

// logBuffer keeps the last part of a process's output.
type logBuffer struct {
	mu   sync.Mutex
	tail []byte
}

const logTail = 64 << 10

// Write keeps p, and forgets what is older than the last 64 KiB.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tail = append(b.tail, p...)
	if over := len(b.tail) - logTail; over > 0 {
		b.tail = append(b.tail[:0], b.tail[over:]...)
	}
	return len(p), nil
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.tail)
}
