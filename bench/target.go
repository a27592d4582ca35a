package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// role says what part a target plays in a comparison.
type role int

const (
	server      role = iota // the server under test
	ceilingRole             // the handler that does nothing
	peer                    // the emulator that is compared
)

func (r role) String() string { return [...]string{"server", "ceiling", "peer"}[r] }

// target is one HTTP server that is measured.
type target struct {
	role    role
	addr    string // host and port
	base    string // path in front of the container: the account, on path-style addresses
	account string
	key     string
	pid     int // 0 if the process is not known
	cmd     *exec.Cmd
	exited  chan struct{}
	log     *tail
	filled  map[string]bool // containers that are full already
}

// store reports whether the target keeps what it is given. The ceiling does not.
func (t *target) store() bool { return t.role != ceilingRole }

// external returns a target for a server that is already running at a URL such as
// http://127.0.0.1:10000/account.
func external(address, account, key string, pid int) (*target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%q: an http URL is needed", address)
	}
	return &target{role: server, addr: u.Host, base: strings.TrimSuffix(u.EscapedPath(), "/"), account: account, key: key, pid: pid, filled: map[string]bool{}}, nil
}

// launch starts a server with the development account. In args, {port}, {listen} and {data} are
// replaced.
func launch(r role, dir string, program string, args ...string) (*target, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	listen := "127.0.0.1:" + port
	replace := strings.NewReplacer("{port}", port, "{listen}", listen, "{data}", dir)
	for i := range args {
		args[i] = replace.Replace(args[i])
	}
	t := &target{role: r, addr: listen, base: "/" + devAccount, account: devAccount, key: devKey, filled: map[string]bool{}}
	return t, t.start(exec.Command(program, args...))
}

// start runs the command and waits until it accepts connections.
func (t *target) start(cmd *exec.Cmd) error {
	t.log = &tail{}
	cmd.Stdout, cmd.Stderr = t.log, t.log
	tie(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	t.cmd, t.pid, t.exited = cmd, cmd.Process.Pid, make(chan struct{})
	go func(exited chan struct{}) { cmd.Wait(); close(exited) }(t.exited)
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		select {
		case <-t.exited:
			return fmt.Errorf("%s ended at once: %s\n%s", cmd.Path, cmd.ProcessState, t.log)
		case <-time.After(2 * time.Millisecond):
		}
		if conn, err := net.DialTimeout("tcp", t.addr, time.Second); err == nil {
			conn.Close()
			return nil
		}
	}
	t.kill()
	return fmt.Errorf("%s does not listen on %s\n%s", cmd.Path, t.addr, t.log)
}

// restart starts the same command again after kill.
func (t *target) restart() error {
	cmd := exec.Command(t.cmd.Path, t.cmd.Args[1:]...)
	return t.start(cmd)
}

// kill ends the process without warning and waits for its end.
func (t *target) kill() {
	if t.cmd != nil {
		t.cmd.Process.Kill()
		<-t.exited
	}
}

// stop asks the process to end and waits; after some seconds it kills.
func (t *target) stop() {
	if t == nil || t.cmd == nil {
		return
	}
	resume(t.cmd.Process)
	t.cmd.Process.Signal(os.Interrupt)
	select {
	case <-t.exited:
	case <-time.After(10 * time.Second):
		t.kill()
	}
}

// halt keeps the process from using the machine while others are measured; resume ends that.
func (t *target) halt() {
	if t.cmd != nil {
		halt(t.cmd.Process)
	}
}

func (t *target) resume() {
	if t.cmd != nil {
		resume(t.cmd.Process)
	}
}

// alive returns an error if the process has ended.
func (t *target) alive() error {
	if t.cmd == nil {
		return nil
	}
	select {
	case <-t.exited:
		return errors.New("the process has ended: " + t.cmd.ProcessState.String() + "\n" + t.log.String())
	default:
		return nil
	}
}

// freePort returns a port that nothing listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}
