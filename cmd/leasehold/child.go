package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// child is a command that runs in a process group of its own, so that all it starts
// can be reached.
type child struct {
	process *os.Process
	done    chan struct{} // closed when the command has ended
	err     error         // its outcome, then
}

// start starts a command. If this process is killed the command is killed too, where
// the system can do that.
func start(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = groupOfItsOwn()
	giveBack := lendTerminal(cmd.SysProcAttr)
	c := &child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The system ends the child with the thread that made it, so the thread has to
		// stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		giveBack()
		// What the command left running in its group would go on without the lease.
		c.signal(syscall.SIGKILL)
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// lendTerminal makes the child the one that the terminal listens to, if there is a
// terminal: others are stopped when they read from it.
func lendTerminal(attr *syscall.SysProcAttr) (giveBack func()) {
	fd := int(os.Stdin.Fd())
	if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil {
		return func() {}
	}
	signal.Ignore(syscall.SIGTTOU) // or taking it back would stop this process
	attr.Foreground, attr.Ctty = true, fd
	return func() { _ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp()) }
}

// signal sends a signal to the whole group.
func (c *child) signal(s syscall.Signal) {
	if err := syscall.Kill(-c.process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		c.process.Signal(s)
	}
}

// catchSignals collects the signals that ask a program to stop, or to do something, from
// now on. pass hands them on to a child, those too that came before it; stop ends it.
func catchSignals() (pass func(*child), stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	pass = func(c *child) {
		for s := range signals {
			c.signal(s.(syscall.Signal))
		}
	}
	stop = func() {
		signal.Stop(signals)
		close(signals)
	}
	return pass, stop
}

// childStatus returns the exit status of a command as a shell tells it.
func childStatus(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return &exitError{exitInternal, err}
	}
	code := exit.ExitCode()
	if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		code = 128 + int(w.Signal())
	}
	return &exitError{code, quiet{err}}
}

// quiet marks an error that the command has told about itself.
type quiet struct{ error }
