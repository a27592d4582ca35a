//go:build unix

package guard

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic reads a clock of the system.
func monotonic(clock int32) Moment {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		panic("guard: the system has no clock: " + err.Error()) // every system has the clocks that are asked for
	}
	return Moment(time.Duration(t.Nano()))
}

// groupOfItsOwn keeps signals to the process group of this program from a guard.
func groupOfItsOwn() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// firstHandle is the lowest number that a pipe gets in a guard: the low ones may be files that the
// command inherits from whoever started this program.
const firstHandle = 100

// inherit lets a process that is to be started have a file under the number that it has here.
func inherit(_ *exec.Cmd, f *os.File) (handle uintptr, done func(), err error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, firstHandle)
	if err != nil {
		return 0, nil, err
	}
	return uintptr(fd), func() {
		unix.Close(fd)
		f.Close()
	}, nil
}

func keepFromChildren(handle uintptr) { unix.CloseOnExec(int(handle)) }

// catchSignals collects the signals that a guard passes on to its command.
func catchSignals() (<-chan os.Signal, func(*tree, os.Signal)) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, PassedOn...)
	return signals, func(t *tree, s os.Signal) { t.signal(int(s.(syscall.Signal))) }
}

// PassedOn are the signals that are passed on to a command.
var PassedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// Signal sends a signal to the process group of the command.
func (g *Guard) Signal(s os.Signal) {
	if n, ok := s.(syscall.Signal); ok {
		g.tell(order{Signal: int(n)})
	}
}

// lendTerminal reports whether this program has the terminal, so that the command shall get it:
// others are stopped when they read from it. giveBack takes it back.
func lendTerminal() (lent bool, giveBack func()) {
	fd, group := int(os.Stdin.Fd()), unix.Getpgrp()
	front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || front != group {
		return false, func() {}
	}
	signal.Ignore(syscall.SIGTTOU) // or taking it back would stop this process
	return true, func() { _ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, group) }
}

// tree is a command and all that it has started.
type tree struct {
	command int
	ended   chan int      // gets the exit status of the command
	gone    chan struct{} // closed when all are gone
	system
}

// plant starts a command in a process group of its own.
func plant(cmd *exec.Cmd, foreground bool) (*tree, error) {
	attr := groupOfItsOwn()
	endWithParent(attr)
	if foreground {
		signal.Ignore(syscall.SIGTTOU) // it stays ignored in the command: the terminal is handed over after the fork
		attr.Foreground, attr.Ctty = true, int(os.Stdin.Fd())
	}
	t := &tree{ended: make(chan int, 1), gone: make(chan struct{})}
	if err := t.start(cmd, attr); err != nil {
		return nil, err
	}
	t.command = cmd.Process.Pid
	go t.reap()
	return t, nil
}

// reap waits for the command, and for the orphans that the guard has adopted.
func (t *tree) reap() {
	defer close(t.gone)
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			t.rest() // no child is left
			return
		case pid == t.command:
			t.ended <- shellStatus(status)
		}
	}
}

// shellStatus returns the exit status of a command as a shell tells it.
func shellStatus(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// signal sends a signal to the process group of the command.
func (t *tree) signal(n int) { _ = unix.Kill(-t.command, unix.Signal(n)) }

// askToEnd asks the command to end, also if it is stopped.
func (t *tree) askToEnd() {
	t.signal(int(unix.SIGTERM))
	t.signal(int(unix.SIGCONT))
}
