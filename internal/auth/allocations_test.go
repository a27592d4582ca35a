//go:build !race

// Under the race detector sync.Pool drops what it is given now and then, so counting
// allocations says nothing there.

package auth

import "testing"

func TestSharedKeyAllocations(t *testing.T) {
	req, env := vector(), testEnv(t)
	if n := testing.AllocsPerRun(100, func() { Authenticate(req, env) }); n > 1 {
		t.Errorf("%v allocations for a request signed with the second key", n)
	}
}
