package guard

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Now returns the present moment.
func Now() Moment { return Moment(windows.DurationSinceBoot()) }

// runningProgram returns "": its path is all that is known of this program.
func runningProgram() string { return "" }

// adoptOrphans does nothing: a job holds descendants whatever becomes of their parents.
func adoptOrphans() {}

// backstop does nothing: the system has no timer that kills a process.
func backstop(Moment) {}

// groupOfItsOwn keeps console events of this program from a guard.
func groupOfItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// inherit lets a process that is to be started have a file under the handle that it has here.
func inherit(cmd *exec.Cmd, f *os.File) (handle uintptr, done func(), err error) {
	h := windows.Handle(f.Fd())
	if err := windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, windows.HANDLE_FLAG_INHERIT); err != nil {
		return 0, nil, err
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(h))
	return uintptr(h), func() { f.Close() }, nil
}

func keepFromChildren(handle uintptr) {
	_ = windows.SetHandleInformation(windows.Handle(handle), windows.HANDLE_FLAG_INHERIT, 0)
}

// PassedOn are the signals that are passed on to a command, as CTRL_BREAK events.
var PassedOn = []os.Signal{os.Interrupt, syscall.SIGTERM}

// catchSignals collects the signals that a guard passes on to its command.
func catchSignals() (<-chan os.Signal, func(*tree, os.Signal)) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, PassedOn...)
	return signals, func(t *tree, _ os.Signal) { t.askToEnd() }
}

// Signal passes a signal on to the command.
func (g *Guard) Signal(os.Signal) { g.tell(order{Signal: 1}) }

// lendTerminal does nothing: all processes of a console may read from it.
func lendTerminal() (lent bool, giveBack func()) { return false, func() {} }

// tree is a command and all that it has started.
type tree struct {
	command int
	ended   chan int      // gets the exit status of the command
	gone    chan struct{} // closed when all are gone
	job     windows.Handle
}

// plant starts a command in the job of this process.
func plant(cmd *exec.Cmd, _ bool) (*tree, error) {
	job, err := joinJob()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = groupOfItsOwn()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &tree{command: cmd.Process.Pid, ended: make(chan int, 1), gone: make(chan struct{}), job: job}
	go func() {
		defer close(t.gone)
		_ = cmd.Wait()
		t.ended <- cmd.ProcessState.ExitCode()
		for len(t.others()) > 0 {
			<-time.After(killEvery)
		}
	}()
	return t, nil
}

// joinJob puts this process into a new job, whose members are killed when this process ends.
func joinJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		err = windows.AssignProcessToJobObject(job, windows.CurrentProcess())
	}
	return job, err
}

// members is the kernel's JOBOBJECT_BASIC_PROCESS_ID_LIST with room for as many processes as are
// killed in one step.
type members struct {
	assigned, listed uint32
	ids              [1024]uintptr
}

// others returns the members of the job beside this process.
func (t *tree) others() (ids []uint32) {
	var m members
	err := windows.QueryInformationJobObject(t.job, windows.JobObjectBasicProcessIdList, uintptr(unsafe.Pointer(&m)), uint32(unsafe.Sizeof(m)), nil)
	if err != nil && err != windows.ERROR_MORE_DATA {
		return nil
	}
	for _, id := range m.ids[:m.listed] {
		if uint32(id) != windows.GetCurrentProcessId() {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// kill kills the command and all its descendants.
func (t *tree) kill() {
	for _, id := range t.others() {
		h, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, id)
		if err != nil {
			continue
		}
		_ = windows.TerminateProcess(h, 1)
		_ = windows.CloseHandle(h)
	}
}

func (t *tree) signal(int) { t.askToEnd() }

// askToEnd sends the command and its console group a CTRL_BREAK event.
func (t *tree) askToEnd() {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(t.command))
}

func (t *tree) close() {}

// killOrphans has nothing to do: the job killed its members when the guard ended.
func killOrphans(*Guard) {}
