//go:build linux

package lock

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/test/harness"
)

const (
	duration    = 15 * time.Second       // of every lease
	repetitions = 200                    // of every case in the long suite
	atOnce      = 66                     // cases that run at the same time
	late        = 750 * time.Millisecond // how long lines of the command are waited for
)

var repeat = flag.Int("repeat", 0, "how often each case runs; 0: once, or as often as in the long suite")

// A trial is one case. The lock ends and the rival comes, unless keeps is set: then the command
// ends by itself after a time, still with the lock.
type trial struct {
	name   string
	mode   string
	elect  bool
	own    bool // it needs a server that nobody else uses
	online bool // it needs a line to the server
	keeps  time.Duration
	status []int // of lock, if it comes to an end; nil: the trial kills it
	// disturb is called when the command runs.
	disturb func(*run)
}

var trials = []trial{
	// The processes.
	{name: "wrapper killed", mode: stubborn, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "wrapper stopped", mode: stubborn, status: []int{76}, disturb: func(r *run) { r.suspend(r.wrapper) }},
	{name: "wrapper and command stopped", mode: stubborn, status: []int{76}, disturb: func(r *run) { r.suspend(r.wrapper, r.command) }},
	{name: "all stopped", mode: stubborn, status: []int{76}, disturb: func(r *run) { r.suspend(r.wrapper, r.guard, r.command) }},
	{name: "guard killed", mode: daemon, status: []int{70}, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.guard) }},
	{name: "guard stopped, wrapper killed", mode: stubborn, disturb: func(r *run) {
		r.kill(syscall.SIGSTOP, r.guard)
		r.kill(syscall.SIGKILL, r.wrapper)
	}},
	{name: "guard and wrapper killed", mode: stubborn, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.guard, r.wrapper) }},
	{name: "elect killed", mode: stubborn, elect: true, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	// The network and the server.
	{name: "network frozen", mode: stubborn, online: true, status: []int{76}, disturb: func(r *run) { r.line.cut(requests, answers) }},
	{name: "requests cut", mode: stubborn, online: true, status: []int{76}, disturb: func(r *run) { r.line.cut(requests) }},
	{name: "answers cut", mode: stubborn, online: true, status: []int{76}, disturb: func(r *run) { r.line.cut(answers) }},
	{name: "answers late by a third", mode: plain, online: true, keeps: 20 * time.Second, disturb: func(r *run) { r.line.slow(duration / 3) }},
	{name: "server dead", mode: stubborn, own: true, status: []int{76}, disturb: func(r *run) { r.server.Kill() }},
	{name: "server restarted twice", mode: plain, own: true, keeps: 20 * time.Second, disturb: (*run).restartTwice},
	{name: "lease broken", mode: stubborn, status: []int{76}, disturb: (*run).breakLease},
	// The command.
	{name: "ends on request", mode: plain, online: true, status: []int{76}, disturb: func(r *run) { r.line.cut(requests) }},
	{name: "stops itself", mode: stopped, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "forks", mode: forks, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "forks twice", mode: orphans, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "child in a session of its own", mode: session, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "daemon", mode: daemon, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "new processes all the time", mode: storm, disturb: func(r *run) { r.kill(syscall.SIGKILL, r.wrapper) }},
	{name: "leaves a daemon behind", mode: leaves, status: []int{0}, disturb: func(*run) {}},
}

// TestCommandIsGoneBeforeTheRivalHasTheLease runs all cases at once: they wait for leases to end
// most of the time.
func TestCommandIsGoneBeforeTheRivalHasTheLease(t *testing.T) {
	n := *repeat
	if n == 0 && os.Getenv("LEASEHOLD_TEST") == "long" {
		n = repetitions
	}
	server := harness.Start(t, nil)
	server.NeedOwn()
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for range max(n, 1) {
		for _, c := range trials {
			places <- struct{}{}
			all.Go(func() {
				defer func() { <-places }()
				t.Run(c.name, func(t *testing.T) { c.run(t, server) })
			})
		}
	}
	all.Wait()
}

// A run is a trial that runs.
type run struct {
	t       *testing.T
	trial   *trial
	server  *harness.Server
	line    *line // nil unless the trial needs one
	blob    *blockblob.Client
	witness *witness

	began                   time.Time
	process                 *exec.Cmd
	wrapper, guard, command int // process IDs
	output                  strings.Builder
	ended                   chan error // gets the outcome of the wrapper
}

func (c *trial) run(t *testing.T, server *harness.Server) {
	r := &run{t: t, trial: c, server: server, witness: newWitness(t), ended: make(chan error, 1)}
	if c.own {
		r.server = harness.Start(t, nil)
	}
	if c.online {
		r.line = newLine(t, r.server.Addr)
	}
	r.blob = newBlob(t, r.server)
	t.Cleanup(r.witness.killWriters)
	r.start()
	r.witness.wait(t, 3)
	if c.mode != leaves { // which ends at once
		r.guard, r.command = onlyChild(t, r.wrapper), firstWriter(t, r.witness)
	}
	rival := r.rival()
	c.disturb(r)
	select {
	case <-rival:
	case <-time.After(90 * time.Second):
		t.Fatalf("the rival did not get the lease:\n%s", &r.output)
	}
	r.end()
	r.witness.check(t, c.keeps > 0)
}

// newBlob makes a blob to lease, in a container of its own.
func newBlob(t *testing.T, s *harness.Server) *blockblob.Client {
	o := &azblob.ClientOptions{}
	o.Retry = policy.RetryOptions{MaxRetries: -1}
	service, err := azblob.NewClientFromConnectionString(s.ConnectionString(), o)
	if err != nil {
		t.Fatal(err)
	}
	box := service.ServiceClient().NewContainerClient("lock-" + harness.NewID())
	if _, err := box.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b := box.NewBlockBlobClient("lock")
	if _, err := b.UploadBuffer(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

// start starts the command line.
func (r *run) start() {
	words := []string{"lock"}
	if r.trial.elect {
		words = []string{"elect"}
	}
	url := r.blob.URL()
	connection := r.server.ConnectionString()
	if r.line != nil {
		connection = strings.ReplaceAll(connection, r.server.Addr, r.line.Addr().String())
		url = strings.ReplaceAll(url, r.server.Addr, r.line.Addr().String())
	}
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	words = append(words, url, "--duration", duration.String(), "--", self)
	r.process = exec.Command(harness.Binary(r.t), words...)
	r.process.Env = append(os.Environ(), "AZURE_STORAGE_CONNECTION_STRING="+connection,
		envMode+"="+r.trial.mode, envWitness+"="+r.witness.path)
	if r.trial.keeps > 0 {
		r.process.Env = append(r.process.Env, envFor+"="+r.trial.keeps.String())
	}
	r.process.Stdout, r.process.Stderr = &r.output, &r.output
	r.process.WaitDelay = time.Second
	r.began = time.Now()
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.wrapper = r.process.Process.Pid
	go func() { r.ended <- r.process.Wait() }()
}

// onlyChild returns the child of a process: the guard is that of the wrapper.
func onlyChild(t *testing.T, pid int) int {
	found := childrenOf(pid)
	if len(found) != 1 {
		t.Fatalf("process %d has children %v, want one", pid, found)
	}
	return found[0]
}

// rival acquires the lease as soon as it can. Then it writes a line into the witness.
func (r *run) rival() (done chan struct{}) {
	done = make(chan struct{})
	c, err := hold.New(hold.Blob(r.blob), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx := r.t.Context()
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, err := c.Acquire(ctx, duration, nil); err == nil {
				break
			}
			if r.trial.status != nil && r.server.PID() == 0 && time.Since(r.began) > duration {
				break // the dead server could not have given the lease to anyone sooner
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
		r.witness.write(rivalLine)
	}()
	return done
}

// end waits for the end of the wrapper, some time more for lines that come late, and looks for
// processes that are left.
func (r *run) end() {
	select {
	case err := <-r.ended:
		r.checkStatus(err)
	case <-time.After(30 * time.Second):
		r.t.Errorf("the wrapper does not end:\n%s", &r.output)
	}
	<-time.After(late)
	if left := r.witness.writers(); len(left) > 0 {
		r.t.Errorf("processes are left: %v", left)
	}
}

func (r *run) checkStatus(err error) {
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	want := -1 // killed
	if r.trial.keeps > 0 {
		want = 0
	} else if len(r.trial.status) > 0 {
		want = r.trial.status[0]
	}
	if status != want {
		r.t.Errorf("the wrapper ended with status %d, want %d:\n%s", status, want, &r.output)
	}
	if strings.Contains(r.output.String(), "%!") {
		r.t.Errorf("the wrapper said %q", &r.output)
	}
}

func (r *run) kill(s syscall.Signal, pids ...int) {
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			r.t.Errorf("signal %v for process %d: %v", s, pid, err)
		}
	}
}

// suspend stops processes until the rival has the lease, and then lets them go on.
func (r *run) suspend(pids ...int) {
	r.kill(syscall.SIGSTOP, pids...)
	go func() {
		for !r.witness.hasRival() && r.t.Context().Err() == nil {
			<-time.After(10 * time.Millisecond)
		}
		for i := range pids {
			syscall.Kill(pids[len(pids)-1-i], syscall.SIGCONT) // the command first
		}
	}()
}

// restartTwice restarts the server twice within one lease.
func (r *run) restartTwice() {
	for range 2 {
		r.server.Kill()
		<-time.After(time.Second)
		r.server.Restart()
		<-time.After(2 * time.Second)
	}
}

// breakLease has the lease end in ten seconds: long enough for the next renewal to be refused.
func (r *run) breakLease() {
	c, err := hold.New(hold.Blob(r.blob), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := c.Break(context.WithoutCancel(r.t.Context()), &hold.BreakOptions{Period: new(10 * time.Second)}); err != nil {
		r.t.Error(err)
	}
}
