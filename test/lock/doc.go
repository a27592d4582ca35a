// Package lock shows that the command of "leasehold lock" and "leasehold elect", and everything
// that it started, is gone before anyone else can hold the lease, whatever happens to the
// processes, the network and the server. A rival acquires the lease as soon as it can and then
// writes a line into the file into which the command writes all the time, the witness: no line of
// the command may follow the first line of the rival.
//
// With LEASEHOLD_TEST=long every case is repeated 200 times.
package lock
