// Package guard ends a command, and all that it has started, by a deadline.
//
// A guard is a process of its own, between the program that keeps a lease and the command that may
// only run while the lease is held. The program tells it the deadline over a pipe and moves it with
// every renewal. The guard acts by its own clock, which goes on while the machine sleeps: it asks
// the command to end a grace before the deadline, and kills it and its descendants at the deadline.
// So the program may be killed, stopped or starved, and the command still ends in time.
//
// What makes this reliable depends on the system:
//
//   - Linux: the guard adopts orphans, so no descendant leaves its sight, whatever session or process group it moves to. Where
//     the process may make a control group (version 2), all members of the group are killed in one step. If the guard itself
//     is stopped, the kernel kills it shortly after the deadline, and with it the command; if it is killed, the program
//     adopts and kills what is left.
//   - Windows: a job object holds the guard and all that it starts; it kills its members when the guard ends.
//   - Other systems: the process group of the command. A descendant that leaves the group is not found.
package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Name is the first argument of a guard process. A program that finds it there calls Main.
const Name = "guard"

// Moment is a time on the machine's clock that keeps running while the machine sleeps. All
// processes of a machine share this clock; it starts at zero when the machine boots.
type Moment time.Duration

// Add returns the moment d later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d) }

func (m Moment) sub(other Moment) time.Duration { return time.Duration(m - other) }

// Options describes a command and its deadline.
type Options struct {
	Command []string
	Env     []string
	Until   Moment        // the deadline
	Grace   time.Duration // between the request to end and the kill
}

// Guard is a running guard with its command. Its methods are safe for concurrent use.
type Guard struct {
	process  *exec.Cmd
	giveBack func() // takes the terminal back

	mu     sync.Mutex
	orders *json.Encoder
	pipe   *os.File
	until  Moment

	reports *json.Decoder
	command int // process ID of the command, 0 before it has started
}

// setup is the first message to a guard process.
type setup struct {
	Until      Moment        `json:"until"`
	Grace      time.Duration `json:"grace"`
	Foreground bool          `json:"foreground,omitempty"` // the command gets the terminal
}

// order is a further message to a guard.
type order struct {
	Until  Moment `json:"until,omitempty"`  // a new deadline
	End    bool   `json:"end,omitempty"`    // the command is asked to end, and killed after the grace
	Kill   bool   `json:"kill,omitempty"`   // the command is killed
	Signal int    `json:"signal,omitempty"` // to pass on to the command
}

// report is a message from a guard.
type report struct {
	Started int    `json:"started,omitempty"` // process ID of the command
	Failed  string `json:"failed,omitempty"`  // why the command could not be started
	Ended   bool   `json:"ended,omitempty"`   // the command and all its descendants are gone
	Code    int    `json:"code,omitempty"`    // exit status of the command, as a shell reports it
	Asked   bool   `json:"asked,omitempty"`   // the guard had asked the command to end, or killed it
}

// Outcome describes how a command ended.
type Outcome struct {
	Code int // exit status, as a shell reports it
	// Asked reports whether the guard ended the command, because of the deadline or an order.
	Asked bool
}

// StartError means that the command could not be started.
type StartError struct{ Reason string }

func (e *StartError) Error() string { return e.Reason }

// ErrKilled means that the guard ended before its command, so the command was killed.
var ErrKilled = errors.New("the guard of the command was killed, and the command with it")

// Start starts a guard, which starts the command with the standard files of this process. It
// returns once the command is running. If the command can't be started the error is a *StartError.
func Start(o *Options) (*Guard, error) {
	program, err := self()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	adoptOrphans()
	g := &Guard{until: o.Until}
	g.process = &exec.Cmd{Path: program, Args: []string{os.Args[0], Name}, Env: o.Env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	g.process.SysProcAttr = groupOfItsOwn()
	orders, ordersEnd, err := handOver(g.process, toGuard)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	reports, reportsEnd, err := handOver(g.process, fromGuard)
	if err != nil {
		ordersEnd()
		orders.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	g.process.Args = append(append(g.process.Args, "--"), o.Command...)
	g.pipe, g.orders, g.reports = orders, json.NewEncoder(orders), json.NewDecoder(reports)
	var lent bool
	lent, g.giveBack = lendTerminal()
	err = g.process.Start()
	ordersEnd()
	reportsEnd()
	if err != nil {
		orders.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	return g, g.begin(setup{Until: o.Until, Grace: o.Grace, Foreground: lent})
}

// begin sends the first message to the guard and waits until the command has started.
func (g *Guard) begin(s setup) error {
	err := g.orders.Encode(s)
	var r report
	if err == nil {
		err = g.reports.Decode(&r)
	}
	if err == nil && r.Failed == "" {
		g.command = r.Started
		return nil
	}
	g.process.Wait()
	g.giveBack()
	if err == nil {
		return &StartError{r.Failed}
	}
	killOrphans(g)
	return fmt.Errorf("guard: it ended before it had started the command: %w", err)
}

// Extend moves the deadline. It has no effect once the command has been asked to end.
func (g *Guard) Extend(until Moment) {
	g.tell(order{Until: until})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.until = until
}

// End asks the command to end, and kills it after the grace or at the deadline, whichever is
// sooner.
func (g *Guard) End() { g.tell(order{End: true}) }

// Kill asks the command to end and kills it, without a grace.
func (g *Guard) Kill() { g.tell(order{Kill: true}) }

// tell sends an order. Errors are ignored: they mean that the guard is gone.
func (g *Guard) tell(o order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.orders.Encode(o)
}

// Wait returns when the command and all its descendants have ended. If the guard is gone, Wait
// kills the descendants itself and returns ErrKilled, unless the deadline has passed.
func (g *Guard) Wait() (Outcome, error) {
	var last report
	err := g.reports.Decode(&last)
	g.process.Wait()
	g.pipe.Close()
	g.giveBack()
	if err == nil && last.Ended {
		return Outcome{Code: last.Code, Asked: last.Asked}, nil
	}
	killOrphans(g)
	g.mu.Lock()
	defer g.mu.Unlock()
	if Now() >= g.until {
		return Outcome{Asked: true}, nil
	}
	return Outcome{}, ErrKilled
}
