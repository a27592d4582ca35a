//go:build !linux && !windows

package main

// remains is the part of the help that says what the guard can't do on this system.
const remains = `What remains: a process in uninterruptible sleep, as on a network disk, ends when it wakes. When the lease is broken
with a period shorter than the rest of its time, the command goes on until the next renewal, a third of --duration
at most. Programs that leave the process group of the command, as daemons do, are not found, nor are those that change
to another user. If this program, the guard and the command are all stopped, or the machine sleeps, past the end of the
lease, the command may run for a moment when they wake up. A guard that is stopped, or killed together with this
program, does not end the command.`
