package hold

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leasehold/leasehold/hold"
	"github.com/leasehold/leasehold/test/harness"
)

const (
	leaseTime = 15 * time.Second // the shortest there is
	patience  = 2 * time.Minute  // for what has to happen within seconds
)

func long() bool { return os.Getenv("LEASEHOLD_TEST") == "long" }

// TestOneAtATime has processes take turns writing into one file under one lock, while the server is
// killed and started again, and one of the processes is stopped in the middle of its turn for
// longer than its lease. LEASEHOLD_TEST=long does so several times, with turns that need renewals
// among the short ones.
func TestOneAtATime(t *testing.T) {
	rounds, env := 1, []string(nil)
	if long() {
		rounds, env = 6, []string{holderLong + "=1"}
	}
	s := harness.Start(t, nil)
	s.NeedOwn()
	w := newWriters(t, s, 4, env)
	for range rounds {
		w.enters(15)
		w.crash()
		w.enters(15)
		v, epoch := w.freeze()
		for range 3 {
			w.crash()
			<-time.After(2 * time.Second) // the others ask again, and wait at the new server
		}
		w.enters(1) // by another: the lease of the stopped one has ended
		v.thaw(epoch)
		w.enters(15)
		w.crash()
		w.enters(15)
	}
	w.end()
	w.check(rounds)
}

// writers are the processes that share the lock, and the book they write.
type writers struct {
	t     *testing.T
	s     *harness.Server
	pen   *pen
	list  []*writer
	kills int
}

type writer struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	lost  chan string // what it says of locks it lost; closed at its end
}

func newWriters(t *testing.T, s *harness.Server, n int, env []string) *writers {
	t.Helper()
	box := newContainer(t, s, nil)
	dir := t.TempDir()
	penPath, bookPath := filepath.Join(dir, "pen"), filepath.Join(dir, "book")
	p, err := openPen(penPath, bookPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	w := &writers{t: t, s: s, pen: p}
	for i := range n {
		w.list = append(w.list, newWriter(t, fmt.Sprintf("w%d", i), append(env, holderConn+"="+s.ConnectionString(),
			holderBox+"="+filepath.Base(box.URL()), holderPen+"="+penPath, holderBook+"="+bookPath)))
	}
	return w
}

func newWriter(t *testing.T, name string, env []string) *writer {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, name: name, cmd: exec.Command(program), lost: make(chan string, 100)}
	w.cmd.Env = append(append(os.Environ(), env...), holderName+"="+name)
	w.cmd.Stderr = os.Stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.cmd.Process.Kill() // also ends a process that is stopped; nothing after end
		w.cmd.Wait()
	})
	go func() {
		defer close(w.lost)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			w.lost <- lines.Text()
		}
	}()
	return w
}

// crash kills the server and starts it again.
func (w *writers) crash() {
	w.t.Helper()
	w.s.Kill()
	w.s.Restart()
	w.kills++
}

// enters waits for n further turns to begin.
func (w *writers) enters(n int) {
	w.t.Helper()
	count := func() (enters int) {
		for _, line := range w.read() {
			if line.what == "enter" {
				enters++
			}
		}
		return enters
	}
	aim, until := count()+n, time.After(patience)
	for count() < aim {
		select {
		case <-until:
			w.t.Fatalf("nobody got the lock for %v", patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeze stops a process in its turn, and returns it and the epoch of the turn.
func (w *writers) freeze() (*writer, uint64) {
	w.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); <-time.After(time.Millisecond) {
		if v, epoch := w.tryFreeze(); v != nil {
			return v, epoch
		}
	}
	w.t.Fatalf("nobody was found in a turn for %v", patience)
	return nil, 0
}

func (w *writers) tryFreeze() (*writer, uint64) {
	w.t.Helper()
	if err := w.pen.take(); err != nil {
		w.t.Fatal(err)
	}
	defer w.pen.give()
	lines := w.read()
	last := lines[len(lines)-1]
	if last.what == "leave" {
		return nil, 0
	}
	for _, v := range w.list {
		if v.name == last.name {
			v.stop()
			return v, last.epoch
		}
	}
	w.t.Fatalf("a line of nobody: %+v", last)
	return nil, 0
}

// stop stops the process, and returns when it stands still.
func (v *writer) stop() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		v.t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(v.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			v.t.Fatalf("stop %s: %v, status %#x", v.name, err, status)
		}
		return
	}
}

// thaw lets the process go on, and waits until it says that the lock of the epoch is lost. That it
// wrote nothing before shows in the book.
func (v *writer) thaw(epoch uint64) {
	v.t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		v.t.Fatal(err)
	}
	until := time.After(patience)
	for {
		select {
		case said, open := <-v.lost:
			v.t.Logf("%s, stopped in epoch %d, lost %s", v.name, epoch, said)
			if strings.HasPrefix(said, fmt.Sprintf("%d ", epoch)) {
				return
			}
			if !open {
				v.t.Fatalf("%s ended", v.name)
			}
		case <-until:
			v.t.Fatalf("%s did not notice that its lock is lost", v.name)
		}
	}
}

// end ends the processes, which have to end in good order.
func (w *writers) end() {
	w.t.Helper()
	for _, v := range w.list {
		v.stdin.Close()
	}
	for _, v := range w.list {
		for said := range v.lost {
			w.t.Logf("%s lost %s", v.name, said)
			if !strings.HasSuffix(said, string(hold.ReasonExpired)) {
				w.t.Errorf("%s lost a lock that nobody took: %s", v.name, said)
			}
		}
		if err := v.cmd.Wait(); err != nil {
			w.t.Errorf("%s: %v", v.name, err)
		}
	}
}

// line is what a holder wrote while the context of its lock was live.
type line struct {
	epoch     uint64
	what      string // enter, stay or leave
	name      string
	at, until int64 // when it was written, and when the context was to end if no renewal moved that; in Unix nanoseconds
}

// read returns the lines so far, without one that is being written.
func (w *writers) read() []line {
	w.t.Helper()
	text, err := os.ReadFile(w.pen.book.Name())
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []line
	for s := range strings.Lines(string(text)) {
		var l line
		if !strings.HasSuffix(s, "\n") {
			break
		}
		if _, err := fmt.Sscan(s, &l.epoch, &l.what, &l.name, &l.at, &l.until); err != nil {
			w.t.Fatalf("%q: %v", s, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// check looks for turns that overlap, and that enough has happened to say something.
func (w *writers) check(rounds int) {
	w.t.Helper()
	lines := w.read()
	turns, cut, names := 0, 0, make(map[string]bool)
	var last line
	for i, l := range lines {
		names[l.name] = true
		if err := follows(last, l); err != nil {
			w.t.Errorf("line %d: %v", i+1, err)
		}
		if l.what == "enter" {
			turns++
		}
		if l.what == "enter" && last.what != "leave" && i > 0 {
			cut++
		}
		last = l
	}
	w.t.Logf("%d turns with %d lines, %d of them cut off; %d kills of the server", turns, len(lines), cut, w.kills)
	if cut < rounds || len(names) < 2 {
		w.t.Errorf("%d turns were cut off in %d rounds, %d processes wrote: too few to show anything", cut, rounds, len(names))
	}
}

// follows says why a line can't come after the one before it.
func follows(last, l line) error {
	switch {
	case l.epoch < last.epoch:
		return fmt.Errorf("%+v wrote after the later epoch %+v", l, last)
	case l.epoch == last.epoch && (l.name != last.name || l.what == "enter" || last.what == "leave"):
		return fmt.Errorf("%+v has the epoch of another turn: %+v", l, last)
	case l.epoch > last.epoch && l.what != "enter":
		return fmt.Errorf("%+v is of a turn that has not begun", l)
	case l.epoch > last.epoch && last.what != "leave" && l.at < last.until:
		return fmt.Errorf("%+v entered while the context of %+v was live", l, last)
	}
	return nil
}

func TestFollows(t *testing.T) {
	in := line{7, "stay", "a", 10, 100}
	out := line{7, "leave", "a", 10, 100}
	for _, c := range []struct {
		name string
		last line
		next line
		ok   bool
	}{
		{"first", line{}, line{1, "enter", "a", 1, 100}, true},
		{"same turn", in, line{7, "leave", "a", 20, 100}, true},
		{"next turn", out, line{8, "enter", "b", 11, 120}, true},
		{"after the end of the context", in, line{8, "enter", "b", 100, 200}, true},
		{"before the end of the context", in, line{8, "enter", "b", 99, 200}, false},
		{"an old holder", line{8, "stay", "b", 99, 200}, line{7, "stay", "a", 101, 300}, false},
		{"epoch given twice", out, line{7, "enter", "b", 11, 120}, false},
		{"epoch shared", in, line{7, "stay", "b", 11, 120}, false},
		{"after leaving", out, line{7, "stay", "a", 11, 120}, false},
		{"without entering", out, line{8, "stay", "b", 11, 120}, false},
	} {
		if err := follows(c.last, c.next); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
