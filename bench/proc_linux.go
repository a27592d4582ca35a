package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times in /proc (USER_HZ, 100 on every Linux that Go supports).
const tick = 10 * time.Millisecond

// cpuTime returns the CPU time that a process has used, 0 if it can't be read.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// machineBusy returns the CPU time that all processes of the machine have used, summed over its
// processors.
func machineBusy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var busy int64
	for i, f := range strings.Fields(line) {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i != 4 && i != 5 && i < 9 { // without idle and iowait
			busy += n
		}
	}
	return time.Duration(busy) * tick
}

// memory returns the resident size of a process in bytes, 0 if it can't be read.
func memory(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// processor returns the name of the CPU model.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, "\t :")
}

// system returns the name and release of the kernel.
func system() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return "linux " + strings.TrimSpace(string(text))
}

// ownCPU returns the CPU time that this process has used.
func ownCPU() time.Duration { return cpuTime(os.Getpid()) }

// tie lets the system kill a child, which may be halted, when this process ends in whatever way.
// The caller's thread has to live as long as the process.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// halt stops a process without ending it; resume lets it go on.
func halt(p *os.Process)   { p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) { p.Signal(syscall.SIGCONT) }

// datasync forces the content of a file to the disk.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// settle writes back what the file systems still hold in memory, so that one slice does not pay for
// another.
func settle() { syscall.Sync() }
