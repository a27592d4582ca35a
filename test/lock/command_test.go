//go:build linux

package lock

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// The environment of a command: this test program, run again.
const (
	envMode    = "LOCK_TEST_MODE"    // what kind of command it is; makes the program a command
	envWitness = "LOCK_TEST_WITNESS" // the file that it writes to
	envFor     = "LOCK_TEST_FOR"     // after how long it ends by itself; default: never
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(envMode); mode != "" {
		os.Exit(command(mode))
	}
	os.Exit(m.Run())
}

// Modes of a command. All but plain ignore SIGTERM.
const (
	plain    = "plain"
	stubborn = "stubborn"
	stopped  = "stopped" // stops itself
	forks    = "forks"   // has a child
	orphans  = "orphans" // has a grandchild whose parent is gone
	session  = "session" // has a child in a session of its own
	daemon   = "daemon"  // has a grandchild in a session of its own, whose parent is gone
	storm    = "storm"   // has descendants that are new processes every moment
	leaves   = "leaves"  // ends soon and leaves a daemon behind

	parent = "parent" // has a child and ends
	chain  = "chain"  // has a child of the same kind, in a session of its own, and ends
)

// command writes lines into the witness until it is ended.
func command(mode string) int {
	if mode != plain {
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	}
	witness, err := os.OpenFile(os.Getenv(envWitness), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 1
	}
	for _, c := range children(mode) {
		if err := c.Start(); err != nil {
			return 1
		}
	}
	var end <-chan time.Time
	if d, err := time.ParseDuration(os.Getenv(envFor)); err == nil {
		end = time.After(d)
	}
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(witness, "%s %d\n", mode, os.Getpid()); err != nil {
			return 1
		}
		switch {
		case mode == parent, mode == chain, mode == leaves && n == 20:
			return 0
		case mode == stopped && n == 20:
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
		select {
		case <-end:
			return 0
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// children returns what a command starts.
func children(mode string) []*exec.Cmd {
	switch mode {
	case forks, parent:
		return []*exec.Cmd{again(stubborn, false)}
	case orphans:
		return []*exec.Cmd{again(parent, false)}
	case session:
		return []*exec.Cmd{again(stubborn, true)}
	case daemon, leaves:
		return []*exec.Cmd{again(parent, true)}
	case storm:
		return []*exec.Cmd{again(chain, true), again(chain, true)}
	case chain:
		return []*exec.Cmd{again(chain, true)}
	}
	return nil
}

// again runs this program as another command.
func again(mode string, ownSession bool) *exec.Cmd {
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), envMode+"="+mode)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: ownSession}
	return c
}
