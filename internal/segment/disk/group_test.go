package disk

import (
	"errors"
	"testing"
	"testing/synctest"
)

// TestSyncGroup holds a sync back: who comes meanwhile shares the next one, and nobody
// returns on a sync that began before they came.
func TestSyncGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const late = 10
		began := make(chan int, late)
		finish := make(chan error)
		calls := 0
		g := newSyncGroup(func([]struct{}) error {
			calls++
			began <- calls
			return <-finish
		})
		returned := make(chan error, late+1)
		join := func() { returned <- g.join(struct{}{}, g.failures()) }

		go join()
		synctest.Wait()
		for range late {
			go join()
		}
		synctest.Wait()
		if len(began) != 1 || len(returned) != 0 {
			t.Fatalf("%d syncs began and %d callers returned before the first sync ended", len(began), len(returned))
		}
		finish <- nil
		synctest.Wait()
		if len(began) != 2 || len(returned) != 1 {
			t.Fatalf("%d syncs began and %d callers returned after the first, want 2 and 1", len(began), len(returned))
		}
		if err := <-returned; err != nil {
			t.Errorf("the first caller gets %v", err)
		}
		broken := errors.New("broken")
		finish <- broken
		synctest.Wait()
		if len(began) != 2 || len(returned) != late {
			t.Fatalf("%d syncs began and %d more callers returned after the second, want 2 and %d", len(began), len(returned), late)
		}
		for range late {
			if err := <-returned; err != broken {
				t.Errorf("a caller that shared a failed sync gets %v", err)
			}
		}
		go join()
		finish <- nil
		if err := <-returned; err != nil {
			t.Errorf("a caller after a failed sync gets %v", err)
		}
		go func() { returned <- g.join(struct{}{}, 0) }()
		finish <- nil
		if err := <-returned; err != broken {
			t.Errorf("a caller that had written before a sync failed gets %v", err)
		}
		if calls != 4 {
			t.Errorf("%d syncs in all, want 4", calls)
		}
	})
}
