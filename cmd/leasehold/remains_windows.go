package main

// remains is the part of the help that says what the guard can't do on this system.
const remains = `SIGTERM is a CTRL_BREAK event here, which only programs of the same console get, and SIGKILL ends the processes of a
job object. What remains: when the lease is broken with a period shorter than the rest of its time, the command goes
on until the next renewal, a third of --duration at most. If the machine sleeps past the end of the lease, or the
guard is suspended, the command may run until the guard wakes up.`
