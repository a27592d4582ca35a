package datadir

import (
	"sync"
	"time"
)

// Activity is what was done in the background since the folder was opened. A time is zero if the
// work was never done.
type Activity struct {
	Swept      time.Time     // when the sweeper last removed everything that was due
	Orphans    int64         // segments that were removed because nothing referred to them
	BackedUp   time.Time     // when a backup was last completed
	BackupTook time.Duration // by the last completed backup
}

// activity holds an Activity that several goroutines change.
type activity struct {
	mu  sync.Mutex
	now Activity
}

// note changes the Activity.
func (a *activity) note(change func(*Activity)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.now)
}

// Activity returns what was done in the background.
func (s *Store) Activity() (now Activity) {
	s.activity.note(func(a *Activity) { now = *a })
	return now
}
