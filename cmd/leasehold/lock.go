package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

// lockFlags are the flags of lock and elect.
type lockFlags struct {
	duration string
	wait     time.Duration
	noWait   bool
	grace    time.Duration
	create   bool
	describe string
}

func (f *lockFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.duration, "duration", "30s", "length of the lease, 15s to 60s: how long others wait if this program is killed")
	fl.DurationVar(&f.grace, "grace", 5*time.Second, "time the command gets between SIGTERM and SIGKILL")
	fl.BoolVar(&f.create, "create", false, "make an empty blob, or the container, if there is none")
	fl.StringVar(&f.describe, "describe", "", "text for others to read while the lease is held")
}

// options returns how the lock is taken.
func (f *lockFlags) options() (*hold.LockOptions, error) {
	d, err := leaseDuration(f.duration)
	if err != nil {
		return nil, err
	}
	if d == hold.Infinite {
		return nil, errors.New("--duration: an infinite lease would outlive this program if it is killed; use 15s to 60s")
	}
	if f.grace < 0 || f.grace > d/3 {
		return nil, fmt.Errorf("--grace: %v is not from 0s to %v, a third of the duration", f.grace, d/3)
	}
	o := &hold.LockOptions{Duration: d, CreateIfMissing: f.create, Epoch: true}
	if f.describe != "" {
		o.Describe = hold.Self(f.describe)
	}
	return o, nil
}

func newLock() *cobra.Command {
	f := &lockFlags{}
	cmd := &cobra.Command{
		Use:   "lock TARGET -- COMMAND [ARG...]",
		Short: "Run a command while holding a lease",
		Long: `Acquire the lease of a blob or container, run a command while it is renewed, and release it. The
command is gone before anyone else can hold the lease: it gets SIGTERM, and after --grace SIGKILL, if the
lease is lost or can't be renewed in time. Signals are passed on to it.

The command finds LEASE_ID, LEASE_URL and LEASE_EPOCH in its environment. The exit status is its own; else
75 if the lease was not acquired, 76 if it was lost, 66 if there is no such blob or container, 69 if the
store can't be reached, 77 if it refuses, 64 for a wrong command line.

` + targetHelp,
		Example: `  leasehold lock jobs/nightly --create -- ./nightly.sh
  leasehold lock jobs/nightly --no-wait -- ./nightly.sh || [ $? -eq 75 ] && echo "someone else does it"`,
		Args: targetAndCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			wait := f.wait
			if f.noWait {
				wait = 0
			} else if !cmd.Flags().Changed("wait") {
				wait = forever
			}
			return f.runLock(cmd.Context(), args[0], wait, args[1:])
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "how long to wait for the lease; default: for ever")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait for the lease")
	cmd.MarkFlagsMutuallyExclusive("wait", "no-wait")
	return cmd
}

// targetAndCommand wants TARGET -- COMMAND [ARG...].
func targetAndCommand(cmd *cobra.Command, args []string) error {
	if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
		return errors.New("want a TARGET, then --, then the command to run")
	}
	return nil
}

// forever is a wait without end.
const forever = time.Duration(-1)

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// acquireLock takes a lock, waiting as long as is wanted.
func acquireLock(ctx context.Context, c *hold.Client, wait time.Duration, o *hold.LockOptions) (*hold.Lock, error) {
	if wait == 0 {
		return c.TryLock(ctx, o)
	}
	limited, cancel := withTimeout(ctx, wait)
	defer cancel()
	l, err := c.Lock(limited, o)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("waited %v: %w", wait, hold.ErrHeld)
	}
	return l, err
}

func (f *lockFlags) runLock(ctx context.Context, name string, wait time.Duration, command []string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	t, err := target(name)
	if err != nil {
		return err
	}
	c, err := hold.New(t, &hold.Options{Extensions: true})
	if err != nil {
		return err
	}
	l, err := acquireLock(ctx, c, wait, o)
	if err != nil {
		return status(err)
	}
	err = f.runHeld(l, t, command)
	if e := l.Release(context.WithoutCancel(ctx)); e != nil && err == nil && !errors.Is(e, hold.ErrLost) {
		fmt.Fprintf(os.Stderr, "leasehold: the lease was not released and ends by itself: %v\n", e)
	}
	return err
}

// runHeld runs a command as long as a lock is held, and makes sure that it is gone
// when the lock is.
func (f *lockFlags) runHeld(l *hold.Lock, t hold.Target, command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "LEASE_ID="+string(l.ID()), "LEASE_URL="+t.String())
	if epoch, ok := l.Epoch(); ok {
		cmd.Env = append(cmd.Env, "LEASE_EPOCH="+strconv.FormatUint(epoch, 10))
	}
	pass, stop := catchSignals()
	defer stop()
	child, err := start(cmd)
	if err != nil {
		return &exitError{exitNoCommand, err}
	}
	go pass(child)
	lost := f.supervise(l, child)
	switch err := child.err; {
	case lost:
		return &exitError{exitLost, fmt.Errorf("%w: %w", hold.ErrLost, context.Cause(l.Context()))}
	case err == nil:
		return nil
	default:
		return childStatus(err)
	}
}

// supervise waits for the end of a child. It tells whether it ended the child because
// the lock was lost or about to be: SIGTERM a grace before the lock's deadline, so that
// SIGKILL at the deadline comes before anyone else can hold the lease; or SIGTERM at
// once if the loss is certain, and SIGKILL a grace later.
func (f *lockFlags) supervise(l *hold.Lock, child *child) (lost bool) {
	warn := time.NewTimer(f.untilWarning(l))
	defer warn.Stop()
	ended := l.Context().Done()
	var kill <-chan time.Time
	terminate := func() {
		lost = true
		child.signal(syscall.SIGTERM)
		kill = time.After(f.grace)
	}
	for {
		select {
		case <-child.done:
			return lost
		case <-warn.C:
			if left := f.untilWarning(l); left > 0 {
				warn.Reset(left) // it was renewed meanwhile
			} else if !lost {
				terminate()
			}
		case <-ended:
			ended = nil
			if lost {
				child.signal(syscall.SIGKILL)
			} else {
				terminate()
			}
		case <-kill:
			child.signal(syscall.SIGKILL)
		}
	}
}

// untilWarning is how long the child may go on before it has to be told to stop, if
// the lease is not renewed.
func (f *lockFlags) untilWarning(l *hold.Lock) time.Duration {
	deadline, ok := l.Deadline()
	if !ok {
		return time.Hour
	}
	return max(time.Until(deadline)-f.grace, 0)
}
