package golang

import (
	"sync"
	"testing"

	"github.com/leasehold/leasehold/test/harness"
)

// TestContention: in each round 64 clients want the same lease, at once and each
// on a connection of its own; one gets it, and everybody else neither gets it nor
// may write.
func TestContention(t *testing.T) {
	const clients, rounds = 64, 20
	s := harness.Start(t, nil)
	ctx := t.Context()
	c := newBox(t, s).NewBlockBlobClient("wanted")
	if err := put(ctx, c, "start", ""); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		ids := make([]string, clients)
		acquired := make([]error, clients)
		wrote := make([]error, clients)
		start := make(chan struct{})
		decided := sync.WaitGroup{}
		decided.Add(clients)
		var all sync.WaitGroup
		for i := range clients {
			ids[i] = harness.NewID()
			all.Go(func() {
				l := holder(t, c, ids[i])
				<-start
				_, acquired[i] = l.AcquireLease(ctx, 60, nil)
				decided.Done()
				decided.Wait() // somebody holds it now
				leaseID := ""
				if acquired[i] == nil {
					leaseID = ids[i]
				}
				wrote[i] = put(ctx, c, ids[i], leaseID)
			})
		}
		close(start)
		all.Wait()

		winner := ""
		for i := range clients {
			if acquired[i] == nil {
				if winner != "" {
					t.Fatalf("round %d: two clients hold the lease", round)
				}
				winner = ids[i]
				if wrote[i] != nil {
					t.Errorf("round %d: the holder's write: %v", round, wrote[i])
				}
				continue
			}
			wantRefusal(t, "acquire of a loser", acquired[i], "409 LeaseAlreadyPresent")
			wantRefusal(t, "write of a loser", wrote[i], "412 LeaseIdMissing")
		}
		if winner == "" {
			t.Fatalf("round %d: nobody holds the lease", round)
		}
		if body, err := get(ctx, c); err != nil || body != winner {
			t.Fatalf("round %d: content %q, %v; want the winner's, %q", round, body, err, winner)
		}
		if _, err := holder(t, c, winner).ReleaseLease(ctx, nil); err != nil {
			t.Fatalf("round %d: release: %v", round, err)
		}
	}
}
