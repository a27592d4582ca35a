package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

const (
	// tick bounds how long a timer is relied on, because timers stop while the machine sleeps.
	tick = 50 * time.Millisecond
	// killEvery is the pause between two rounds of kills, which catch descendants started
	// meanwhile.
	killEvery = 5 * time.Millisecond
	// backstopAfter is how long after the deadline a guard that can't act is killed by the kernel.
	backstopAfter = 200 * time.Millisecond
	// exitUsage is the exit status for arguments that Start never passes.
	exitUsage = 64
)

// warden is the guard's own side.
type warden struct {
	t       timetable
	tree    *tree
	orders  chan order // closed when the program is gone
	reports *json.Encoder
	asked   bool // the guard made the command end
	over    bool // the command has ended; its descendants may not have
	code    int
}

// Main runs the guard process. It returns its exit status.
func Main(args []string) int {
	runtime.LockOSThread() // the system ends the command with the thread that made it
	if len(args) < 4 || args[2] != "--" {
		fmt.Fprintln(os.Stderr, "leasehold: guards are started by lock and elect")
		return exitUsage
	}
	orders, err := received(args[0], "orders")
	if err != nil {
		return exitUsage
	}
	reports, err := received(args[1], "reports")
	if err != nil {
		return exitUsage
	}
	in := json.NewDecoder(orders)
	var s setup
	if err := in.Decode(&s); err != nil {
		return exitUsage
	}
	w := &warden{t: timetable{until: s.Until, grace: s.Grace}, orders: make(chan order), reports: json.NewEncoder(reports)}
	signals, pass := catchSignals()
	adoptOrphans()
	command := exec.Command(args[3], args[4:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if w.tree, err = plant(command, s.Foreground); err != nil {
		w.report(report{Failed: err.Error()})
		return exitUsage
	}
	w.report(report{Started: w.tree.command})
	go receive(in, w.orders)
	w.watch(signals, pass)
	w.tree.close()
	w.report(report{Ended: true, Code: w.code, Asked: w.asked})
	return w.code
}

// report sends a message. Errors are ignored: they mean that the program is gone.
func (w *warden) report(r report) { _ = w.reports.Encode(r) }

// receive passes orders on until the pipe is closed, which the system does when the program ends.
func receive(in *json.Decoder, orders chan<- order) {
	defer close(orders)
	for {
		var o order
		if in.Decode(&o) != nil {
			return
		}
		orders <- o
	}
}

// watch returns when the command and all its descendants are gone.
func (w *warden) watch(signals <-chan os.Signal, pass func(*tree, os.Signal)) {
	timer := time.NewTimer(0)
	for orders := w.orders; ; {
		select {
		case o, ok := <-orders:
			if !ok {
				orders, o = nil, order{End: true}
			}
			w.obey(o)
		case code := <-w.tree.ended:
			w.over, w.code = true, code
		case <-w.tree.gone:
			if !w.over {
				w.code = <-w.tree.ended
			}
			return
		case s := <-signals:
			pass(w.tree, s)
		case <-timer.C:
		}
		timer.Reset(w.act())
	}
}

// obey changes the timetable as the program orders.
func (w *warden) obey(o order) {
	if w.over {
		return
	}
	now := Now()
	switch {
	case o.Kill && now < w.t.until:
		w.askToEnd()
		w.t.end(now, 0)
	case o.End && !w.t.asked && now < w.t.until:
		w.askToEnd()
		w.t.end(now, w.t.grace)
	case o.Signal != 0:
		w.tree.signal(o.Signal)
	case o.Until != 0:
		w.t.extend(o.Until)
	}
}

// act does what is due, and returns when to look again.
func (w *warden) act() time.Duration {
	if w.over {
		backstop(0)
		w.tree.kill()
		return killEvery
	}
	now := Now()
	switch w.t.due(now) {
	case kill:
		backstop(0)
		w.asked = true
		w.tree.kill()
		return killEvery
	case ask:
		w.askToEnd()
	}
	backstop(w.t.until.Add(backstopAfter))
	return max(0, min(tick, w.t.next().sub(now)))
}

func (w *warden) askToEnd() {
	w.asked = true
	w.tree.askToEnd()
}

// self returns the path of this program.
func self() (string, error) {
	if own := runningProgram(); own != "" {
		return own, nil
	}
	return os.Executable()
}

// direction says whether a pipe leads to a guard or away from it.
type direction bool

const (
	toGuard   direction = true
	fromGuard direction = false
)

// handOver makes a pipe and gives one end to a process that is to be started, as an argument. The
// other end is returned; done closes that of the process here, once it has been started.
func handOver(cmd *exec.Cmd, d direction) (own *os.File, done func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	own, other := w, r
	if d == fromGuard {
		own, other = r, w
	}
	handle, done, err := inherit(cmd, other)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close(), w.Close())
	}
	cmd.Args = append(cmd.Args, strconv.FormatUint(uint64(handle), 10))
	return own, done, nil
}

// received returns the pipe named by an argument, and keeps the command from inheriting it.
func received(arg, name string) (*os.File, error) {
	handle, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return nil, err
	}
	keepFromChildren(uintptr(handle))
	return os.NewFile(uintptr(handle), name), nil
}
