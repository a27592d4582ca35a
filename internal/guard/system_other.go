//go:build unix && !linux

package guard

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the present moment.
func Now() Moment { return monotonic(unix.CLOCK_MONOTONIC) }

// runningProgram returns "": its path is all that is known of this program.
func runningProgram() string { return "" }

// adoptOrphans does nothing: the system gives orphans to its first process.
func adoptOrphans() {}

// endWithParent does nothing: a command outlives its guard here, and is killed by killOrphans.
func endWithParent(*syscall.SysProcAttr) {}

// backstop does nothing: the system has no timer that kills a process which is stopped.
func backstop(Moment) {}

// system is what a tree has here.
type system struct{}

func (t *tree) start(cmd *exec.Cmd, attr *syscall.SysProcAttr) error {
	cmd.SysProcAttr = attr
	return cmd.Start()
}

// kill kills the process group of the command.
func (t *tree) kill() { t.signal(int(unix.SIGKILL)) }

// rest returns when the process group is empty.
func (t *tree) rest() { killGroup(t.command) }

func (t *tree) close() {}

// killOrphans kills what a guard left behind when it was killed, and waits for the end.
func killOrphans(g *Guard) {
	if g.command != 0 {
		killGroup(g.command)
	}
}

// killGroup kills a process group until it is empty.
func killGroup(group int) {
	for unix.Kill(-group, unix.SIGKILL) == nil {
		<-time.After(killEvery)
	}
}
