package main

// remains is the part of the help that says what the guard can't do on this system.
const remains = `What remains: a process in uninterruptible sleep, as on a network disk, ends when it wakes. When the lease is broken
with a period shorter than the rest of its time, the command goes on until the next renewal, a third of --duration
at most. A program that changes to another user (sudo) can be killed only by root, or where a control group can be
made. If this program, the guard and the command are all stopped, or the machine sleeps, past the end of the lease,
the command itself does not wake up again, but programs that it started may run for a moment until they are killed.
If this program and the guard are both killed, so is the command, but not the programs that it started.`
