//go:build linux

package lock

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rivalLine is what the rival writes when it has the lease.
const rivalLine = "rival\n"

// A witness is the file into which the command and the rival write, in the order in which they do.
type witness struct{ path string }

func newWitness(t *testing.T) *witness {
	path := filepath.Join(t.TempDir(), "witness")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return &witness{path}
}

func (w *witness) write(text string) {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return // the trial is over
	}
	defer f.Close()
	f.WriteString(text)
}

func (w *witness) lines() []string {
	text, _ := os.ReadFile(w.path)
	return strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (w *witness) hasRival() bool {
	text, _ := os.ReadFile(w.path)
	return bytes.Contains(text, []byte(rivalLine))
}

// wait returns when the witness has a number of lines.
func (w *witness) wait(t *testing.T, n int) {
	t.Helper()
	end := time.After(60 * time.Second)
	for len(w.lines()) < n+1 {
		select {
		case <-end:
			t.Fatal("the command does not run")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// check looks for lines of the command after the first of the rival.
func (w *witness) check(t *testing.T, keeps bool) {
	t.Helper()
	lines := w.lines()
	for i, l := range lines {
		if strings.TrimSuffix(l, "\n") != strings.TrimSuffix(rivalLine, "\n") {
			continue
		}
		if after := lines[i+1:]; len(after) > 0 {
			t.Errorf("%d lines of the command after the rival's: %q", len(after), after[:min(len(after), 5)])
		}
		if keeps && i < 1000 {
			t.Errorf("the command wrote only %d lines before the rival had the lease", i)
		}
		return
	}
	t.Error("the rival has no line")
}

// firstWriter returns the process that wrote the first line.
func firstWriter(t *testing.T, w *witness) int {
	t.Helper()
	for _, l := range w.lines() {
		mode, text, _ := strings.Cut(strings.TrimSpace(l), " ")
		if pid, err := strconv.Atoi(text); err == nil && mode != parent && mode != chain {
			return pid
		}
	}
	t.Fatal("nobody has written")
	return 0
}

// writers returns the living processes that have the witness in their environment.
func (w *witness) writers() (pids []int) {
	mark := []byte(envWitness + "=" + w.path + "\x00")
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if pid, e := strconv.Atoi(filepath.Base(dir)); err == nil && e == nil && bytes.Contains(env, mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killWriters ends what a failed trial has left.
func (w *witness) killWriters() {
	for range 100 {
		left := w.writers()
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// childrenOf returns the children of a process.
func childrenOf(pid int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var state string
		var ppid int
		_, err = fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &ppid)
		if child, e := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && e == nil && ppid == pid {
			children = append(children, child)
		}
	}
	return children
}
