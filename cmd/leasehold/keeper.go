package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/internal/guard"
)

// keeper runs a command under a guard while a lock is held.
type keeper struct {
	grace   time.Duration
	target  hold.Target
	command []string

	mu      sync.Mutex
	lock    *hold.Lock // nil while no command runs
	guard   *guard.Guard
	failure error // of the last renewal; nil after a success

	client  *hold.Client
	notices io.Writer   // nil unless someone is watching
	waiting *time.Timer // until the wait is announced
}

// noticeAfter is how long a wait lasts before it is announced.
const noticeAfter = time.Second

// notices returns where waits are announced: standard error if it is a terminal, else nowhere.
func notices(cmd *cobra.Command) io.Writer {
	if w := cmd.ErrOrStderr(); isTerminal(w) {
		return w
	}
	return nil
}

// announceWait prints what is being waited for, unless the wait ends before noticeAfter. k.mu is
// held.
func (k *keeper) announceWait() {
	if k.notices == nil || k.client == nil {
		return
	}
	k.waiting = time.AfterFunc(noticeAfter, k.notice)
}

// notice prints what is being waited for.
func (k *keeper) notice() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if i, err := k.client.Inspect(ctx); err == nil && i.State.Locked() {
		fmt.Fprintf(k.notices, "leasehold: waiting for %s, %s; Ctrl-C gives up\n", k.target, heldBy(&i))
	}
}

// event moves the deadline of the guard after each renewal.
func (k *keeper) event(e hold.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waiting != nil {
		k.waiting.Stop()
		k.waiting = nil
	}
	switch e.Kind {
	case hold.EventWaiting:
		k.announceWait()
	case hold.EventRenewed, hold.EventAcquired:
		k.failure = nil
		if k.guard != nil {
			k.guard.Extend(deadline(k.lock))
		}
	case hold.EventRenewFailed:
		k.failure = e.Err
	}
}

// deadline returns the moment at which a lock ends unless it is renewed. The order of the two
// readings makes an error err on the early side.
func deadline(l *hold.Lock) guard.Moment {
	now := guard.Now()
	at, _ := l.Deadline()
	return now.Add(time.Until(at))
}

// run runs the command while a lock is held. When it returns the command and its descendants are
// gone.
func (k *keeper) run(l *hold.Lock) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, guard.PassedOn...)
	defer signal.Stop(signals)
	g, err := k.start(l)
	var unusable *guard.StartError
	if errors.As(err, &unusable) {
		return &exitError{exitNoCommand, err}
	}
	if err != nil {
		return &exitError{exitInternal, err}
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { follow(l, g, signals, over) })
	outcome, err := g.Wait()
	close(over)
	watching.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lock, k.guard = nil, nil
	switch {
	case err != nil:
		return &exitError{exitInternal, err}
	case outcome.Asked:
		return &exitError{exitLost, k.loss(l)}
	case outcome.Code != 0:
		return &exitError{outcome.Code, quiet{fmt.Errorf("the command ended with status %d", outcome.Code)}}
	}
	return nil
}

// start starts the guard and the command.
func (k *keeper) start(l *hold.Lock) (*guard.Guard, error) {
	env := append(os.Environ(), "LEASE_ID="+string(l.ID()), "LEASE_URL="+k.target.String())
	if epoch, ok := l.Epoch(); ok {
		env = append(env, "LEASE_EPOCH="+strconv.FormatUint(epoch, 10))
	}
	g, err := guard.Start(&guard.Options{Command: k.command, Env: env, Until: deadline(l), Grace: k.grace})
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lock, k.guard = l, g
	g.Extend(deadline(l)) // the lease may have been renewed meanwhile
	return g, nil
}

// follow passes signals on to a command and ends the command when its lock ends. It returns once
// over is closed.
func follow(l *hold.Lock, g *guard.Guard, signals <-chan os.Signal, over <-chan struct{}) {
	for ended := l.Context().Done(); ; {
		select {
		case <-over:
			return
		case s := <-signals:
			g.Signal(s)
		case <-ended:
			ended = nil
			if errors.Is(context.Cause(l.Context()), hold.ErrLost) {
				g.Kill() // someone else may have the lease
			} else {
				g.End()
			}
		}
	}
}

// loss returns the reason why the guard ended the command. The lock itself may still be held: the
// guard acts one grace earlier.
func (k *keeper) loss(l *hold.Lock) error {
	if cause := context.Cause(l.Context()); cause != nil {
		if errors.Is(cause, hold.ErrLost) {
			return cause
		}
		return fmt.Errorf("%w: %w", hold.ErrLost, cause)
	}
	const late = "the lease was not renewed in time, so the command was ended before someone else could acquire it"
	if k.failure != nil {
		return fmt.Errorf("%w: %s: %w", hold.ErrLost, late, k.failure)
	}
	return fmt.Errorf("%w: %s", hold.ErrLost, late)
}
