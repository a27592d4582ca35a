package guard

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of control groups; the process ID of the guard follows.
const groupPrefix = "leasehold-"

// groupsFile says which control groups this process is in. Tests put another one in its place.
var groupsFile = "/proc/self/cgroup"

// controlGroup is a control group (version 2) that holds a command and all that it starts. A nil
// group does nothing.
type controlGroup struct {
	path string
	dir  *os.File
}

// newControlGroup makes a group for the guard with a process ID below the group of this process. It
// returns nil where the system has none that can be killed as one, or does not let this process
// make one.
func newControlGroup(guard int) *controlGroup {
	path, ok := controlGroupPath(guard)
	if !ok {
		return nil
	}
	removeLeftGroups(filepath.Dir(path))
	if os.Mkdir(path, 0o755) != nil {
		return nil
	}
	g := openControlGroup(guard)
	if g == nil {
		os.Remove(path)
	}
	return g
}

// removeLeftGroups removes the groups of guards that were killed together with their programs. The
// system keeps those that have members.
func removeLeftGroups(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, groupPrefix+"*"))
	for _, path := range left {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), groupPrefix))
		if err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.Remove(path)
		}
	}
}

// openControlGroup returns the group that a guard has made, nil if there is none.
func openControlGroup(guard int) *controlGroup {
	path, ok := controlGroupPath(guard)
	if !ok {
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, "cgroup.kill")); err != nil {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil
	}
	return &controlGroup{path, dir}
}

// kill kills all members of the group in one step.
func (g *controlGroup) kill() {
	if g == nil {
		return
	}
	f, err := os.OpenFile(filepath.Join(g.path, "cgroup.kill"), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString("1")
}

// remove removes the group, which has no members any more.
func (g *controlGroup) remove() {
	if g == nil {
		return
	}
	g.dir.Close()
	_ = os.Remove(g.path)
}

// controlGroupPath returns the folder of the group for a guard.
func controlGroupPath(guard int) (string, bool) {
	own, ok := ownControlGroup(groupsFile)
	if !ok {
		return "", false
	}
	mount, root, ok := unifiedMount("/proc/self/mountinfo")
	if !ok {
		return "", false
	}
	below, err := filepath.Rel(root, own)
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return "", false // this process is outside of what is mounted
	}
	return filepath.Join(mount, below, groupPrefix+strconv.Itoa(guard)), true
}

// ownControlGroup returns the group of version 2 that this process is in.
func ownControlGroup(file string) (string, bool) {
	for line := range lines(file) {
		if group, ok := strings.CutPrefix(line, "0::"); ok {
			return group, true
		}
	}
	return "", false
}

// unifiedMount returns where the groups of version 2 are mounted, and which of them is the root
// there.
func unifiedMount(file string) (mount, root string, ok bool) {
	for line := range lines(file) {
		before, after, found := strings.Cut(line, " - ")
		if fields := strings.Fields(before); found && len(fields) > 4 && strings.HasPrefix(after, "cgroup2 ") {
			return fields[4], fields[3], true
		}
	}
	return "", "", false
}

// lines yields the lines of a file; none if it can't be read.
func lines(file string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		f, err := os.Open(file)
		if err != nil {
			return
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if !yield(s.Text()) {
				return
			}
		}
	}
}
