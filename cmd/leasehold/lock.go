package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

// lockFlags holds the flags of lock and elect.
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
	fl.StringVar(&f.duration, "duration", "30s", "duration of the lease, 15s to 60s; others wait that long if this program is killed")
	fl.DurationVar(&f.grace, "grace", 0, "time between SIGTERM and SIGKILL; default: 5s, at most a sixth of the duration")
	fl.BoolVar(&f.create, "create", false, "create the container and an empty blob if they are missing")
	fl.StringVar(&f.describe, "describe", "", "text that tells others who holds the lease")
}

// options returns the options of the lock.
func (f *lockFlags) options(cmd *cobra.Command) (*hold.LockOptions, error) {
	d, err := leaseDuration(f.duration)
	if err != nil {
		return nil, err
	}
	if d == hold.Infinite {
		return nil, errors.New("--duration: an infinite lease would outlive this program if it is killed; use 15s to 60s")
	}
	if !cmd.Flags().Changed("grace") {
		f.grace = min(5*time.Second, d/6)
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
		Long: `Acquire the lease of a blob or container, run a command while renewing the lease, then release it.

The command and everything it started are gone before anyone else can hold the lease. If the lease can't be
renewed in time, the command gets SIGTERM and, after --grace, SIGKILL. A second process, the guard, enforces
this by its own clock, even if this program is killed, stopped or cut off from the network. If the lease is
known to be lost, for example because it was broken, the command is killed at once. Signals are passed on to
the command. When the command ends by itself, any process it left behind is killed.

` + remains + `

LEASE_ID, LEASE_URL and LEASE_EPOCH are set in the environment of the command. The exit status is that of the
command; or 75 if the lease was not acquired, 76 if it was lost, 66 if the blob or container does not exist,
69 if the store can't be reached, 77 if it refuses access, 64 for a mistake in the command line.

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
			return f.runLock(cmd, args[0], wait, args[1:])
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "how long to wait for the lease; default: forever")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "fail at once if someone else holds the lease")
	cmd.MarkFlagsMutuallyExclusive("wait", "no-wait")
	return cmd
}

// targetAndCommand checks the form TARGET -- COMMAND [ARG...].
func targetAndCommand(cmd *cobra.Command, args []string) error {
	if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
		return errors.New("want a TARGET, then --, then the command to run")
	}
	return nil
}

// forever is a wait without a limit.
const forever = time.Duration(-1)

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// acquireLock takes a lock, waiting for at most wait. With CreateIfMissing it makes the container,
// too.
func acquireLock(cmd *cobra.Command, c *hold.Client, wait time.Duration, o *hold.LockOptions) (*hold.Lock, error) {
	ctx := cmd.Context()
	take := func(ctx context.Context) (*hold.Lock, error) {
		if wait == 0 {
			return c.TryLock(ctx, o)
		}
		return c.Lock(ctx, o)
	}
	limited, cancel := withTimeout(ctx, wait)
	defer cancel()
	l, err := take(limited)
	if o.CreateIfMissing && bloberror.HasCode(err, bloberror.ContainerNotFound) && makeContainer(limited, cmd.Flags().Arg(0)) == nil {
		l, err = take(limited)
	}
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, &exitError{exitInterrupted, errors.New("interrupted while waiting for the lease")}
	case limited.Err() != nil:
		err = fmt.Errorf("waited %v: %w", wait, hold.ErrHeld)
	}
	return nil, explainHeld(ctx, cmd, c, err)
}

func (f *lockFlags) runLock(cmd *cobra.Command, name string, wait time.Duration, command []string) error {
	ctx := cmd.Context()
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	t, err := target(name)
	if err != nil {
		return err
	}
	k := &keeper{grace: f.grace, target: t, command: command}
	c, err := hold.New(t, &hold.Options{Extensions: true, OnEvent: k.event})
	if err != nil {
		return err
	}
	k.client, k.notices = c, notices(cmd)
	l, err := acquireLock(cmd, c, wait, o)
	if err != nil {
		return status(err)
	}
	err = k.run(l)
	if e := l.Release(context.WithoutCancel(ctx)); e != nil && err == nil && !errors.Is(e, hold.ErrLost) {
		fmt.Fprintf(os.Stderr, "leasehold: could not release the lease, which will expire by itself: %v\n", e)
	}
	return err
}
