package guard

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now returns the present moment.
func Now() Moment { return monotonic(unix.CLOCK_BOOTTIME) }

// runningProgram returns a path that leads to this program also after its file was replaced, "" if
// there is none.
func runningProgram() string {
	const path = "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// adoptOrphans makes this process the parent of descendants whose parent ends.
func adoptOrphans() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// endWithParent has the kernel kill the command when the guard ends.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// system is what a tree has on Linux.
type system struct{ group *controlGroup }

// start starts the command, in a control group if one can be made.
func (t *tree) start(cmd *exec.Cmd, attr *syscall.SysProcAttr) error {
	t.group = newControlGroup(os.Getpid())
	if t.group != nil {
		within := *attr
		within.UseCgroupFD, within.CgroupFD = true, int(t.group.dir.Fd())
		attempt := *cmd
		attempt.SysProcAttr = &within
		if err := attempt.Start(); err == nil {
			*cmd = attempt
			return nil
		}
		t.close()
	}
	cmd.SysProcAttr = attr
	return cmd.Start()
}

// kill kills the command and all its descendants.
func (t *tree) kill() {
	t.group.kill()
	killDescendants(os.Getpid())
}

// rest has nothing to wait for: a guard without children has no descendants.
func (t *tree) rest() {}

func (t *tree) close() {
	t.group.remove()
	t.group = nil
}

// killOrphans kills what a guard left behind when it was killed, and waits for the end.
func killOrphans(g *Guard) {
	group := openControlGroup(g.process.Process.Pid)
	defer group.remove()
	for {
		group.kill()
		if killDescendants(os.Getpid()) == 0 {
			return
		}
		<-time.After(killEvery)
	}
}

// killDescendants kills all processes that descend from one, and returns how many were alive.
func killDescendants(ancestor int) (alive int) {
	parents := parents()
	for pid, p := range parents {
		if p.dead || !descends(parents, pid, ancestor) {
			continue
		}
		alive++
		killChild(pid, p.parent)
	}
	return alive
}

// descends reports whether a process descends from another one.
func descends(parents map[int]process, pid, ancestor int) bool {
	for range len(parents) {
		p, ok := parents[pid]
		if !ok {
			return false
		}
		if pid = p.parent; pid == ancestor {
			return true
		}
	}
	return false
}

// killChild kills a process if it still is the child of a parent, so that no other is hit that got
// its number.
func killChild(pid, parent int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		_ = unix.Kill(pid, unix.SIGKILL)
		return
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if p, ok := statOf(pid); ok && p.parent == parent {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// process is what the kernel tells of a process.
type process struct {
	parent int
	dead   bool // only its exit status is left
}

// parents returns all processes that can be seen, by their process IDs.
func parents() map[int]process {
	all := make(map[int]process)
	dir, err := os.Open("/proc")
	if err != nil {
		return all
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := statOf(pid); ok {
			all[pid] = p
		}
	}
	return all
}

// statOf reads the state and the parent of a process. They follow its name, which is in parentheses
// and may have some itself.
func statOf(pid int) (p process, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return p, false
	}
	p.parent, err = strconv.Atoi(string(fields[1]))
	p.dead = fields[0][0] == 'Z' || fields[0][0] == 'X'
	return p, err == nil
}

// timerID is the timer of backstop, once there is one.
var timerID = struct {
	id    int32
	made  bool
	until Moment
}{}

// event is the kernel's struct sigevent.
type event struct {
	value  uintptr
	signal int32
	notify int32 // 0: a signal
	_      [48]byte
}

// backstop has the kernel kill this process at a moment, also if it is stopped or wakes up late; at
// 0 never. The command is killed with it.
func backstop(at Moment) {
	if timerID.until == at {
		return
	}
	if !timerID.made {
		e := event{signal: int32(unix.SIGKILL)}
		_, _, failed := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&e)), uintptr(unsafe.Pointer(&timerID.id)))
		if failed != 0 {
			return // it is one more safeguard, and the guard has its own clock
		}
		timerID.made = true
	}
	when := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(at))}
	const absolute = 1 // TIMER_ABSTIME
	_, _, failed := unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(timerID.id), absolute, uintptr(unsafe.Pointer(&when)), 0, 0, 0)
	if failed == 0 {
		timerID.until = at
	}
}
