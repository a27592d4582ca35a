package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/leasehold/leasehold/internal/kv"
)

// TestLogFaults lets a random write or sync of the log fail, once or from then on:
// the store fails for good and says so once, and what was acknowledged or shown
// before is on the disk.
func TestLogFaults(t *testing.T) {
	eachSeed(t, func(seed uint64) error {
		rng := rand.New(rand.NewPCG(seed, 2))
		h := &history{disk: vfs.NewCrashableMem()}
		var armed, broken atomic.Bool
		var actions atomic.Int64
		at, once := 1+rng.Int64N(30), rng.IntN(2) == 0
		fs := &testFS{h.disk, func(action, name string) error {
			if !armed.Load() || !isLog(name) || action == "create" {
				return nil
			}
			n := actions.Add(1)
			if n == at || n > at && !once {
				broken.Store(true)
				return fmt.Errorf("%s: %w", action, errDisk)
			}
			return nil
		}}
		fatal := make(chan error, 10)
		o := h.options(fs)
		o.OnFatal = func(err error) { fatal <- err }
		// One log only: Pebble cannot be kept from crashing when it fails to begin another.
		o.tune = func(o *pebble.Options) { o.FlushDelayDeleteRange = 0 }
		db, err := Open("db", o)
		if err != nil {
			return err
		}
		armed.Store(true)
		err = h.run(db, [crashWriters]int{}, 40)
		if !broken.Load() {
			return fmt.Errorf("only %d actions, the fault was to come at %d", actions.Load(), at)
		}
		if !errors.Is(err, errDisk) {
			return fmt.Errorf("with a broken log: %v", err)
		}
		if err := <-fatal; !errors.Is(err, errDisk) {
			return fmt.Errorf("OnFatal was told %v", err)
		}
		for name, err := range map[string]error{
			"View":       db.View(context.Background(), func(kv.Reader) error { return nil }),
			"Update":     put(db, "a", "b"),
			"Checkpoint": db.Checkpoint(context.Background(), "copy"),
			"Close":      db.Close(),
		} {
			if !errors.Is(err, errDisk) {
				return fmt.Errorf("%s of a failed store: %v", name, err)
			}
		}
		if len(fatal) > 0 {
			return fmt.Errorf("OnFatal was called again, with %v", <-fatal)
		}
		after, err := Open("db", h.options(crash(h.disk, seed)))
		if err != nil {
			return fmt.Errorf("open after the fault: %w", err)
		}
		_, err = h.check(after)
		return errors.Join(err, after.Close())
	})
}

// TestManifestFault lets the list of tables fail: fatal too.
func TestManifestFault(t *testing.T) {
	var armed atomic.Bool
	mem := vfs.NewCrashableMem()
	fs := &testFS{mem, func(action, name string) error {
		if armed.Load() && strings.HasPrefix(name, "MANIFEST") {
			return errDisk
		}
		return nil
	}}
	fatal := make(chan error, 1)
	db := openTest(t, fs, Options{OnFatal: func(err error) { fatal <- err }})
	if err := put(db, "a", "1"); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if _, err := db.pebble.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	if err := <-fatal; !strings.Contains(err.Error(), errDisk.Error()) {
		t.Errorf("OnFatal was told %v", err)
	}
	if err := put(db, "a", "2"); err == nil {
		t.Error("Update of a failed store succeeded")
	}
	if err := db.Close(); err == nil {
		t.Error("Close of a failed store succeeded")
	}
	after := openTest(t, crash(mem, 1), Options{})
	if v, err := get(after, "a"); v != "1" || err != nil {
		t.Errorf("after the fault a = %q, %v; want 1", v, err)
	}
}

// TestTableFault lets a table fail to be written: it is written again later.
func TestTableFault(t *testing.T) {
	var faults atomic.Int32
	fs := &testFS{vfs.NewMem(), func(action, name string) error {
		if action == "write" && strings.HasSuffix(name, ".sst") && faults.Add(1) <= 2 {
			return errDisk
		}
		return nil
	}}
	db := openTest(t, fs, Options{OnFatal: func(err error) { t.Error(err) }})
	if err := put(db, "a", "1"); err != nil {
		t.Fatal(err)
	}
	if err := db.pebble.Flush(); err != nil {
		t.Fatal(err)
	}
	if faults.Load() < 2 {
		t.Errorf("%d faults, want 2", faults.Load())
	}
	if v, err := get(db, "a"); v != "1" || err != nil {
		t.Errorf("a = %q, %v; want 1", v, err)
	}
}

// TestOpenFaults lets one action after the other fail while a store is opened.
func TestOpenFaults(t *testing.T) {
	for _, used := range []bool{false, true} {
		for at := int64(1); ; at++ {
			mem := vfs.NewMem()
			if used {
				db := openTest(t, mem, Options{})
				if err := errors.Join(put(db, "a", "1"), db.Close()); err != nil {
					t.Fatal(err)
				}
			}
			var actions atomic.Int64
			fs := &testFS{mem, func(string, string) error {
				if actions.Add(1) == at {
					return errDisk
				}
				return nil
			}}
			db, err := Open("db", &Options{FS: fs})
			if err == nil {
				if err := db.Close(); err != nil && actions.Load() < at {
					t.Error(err)
				}
			}
			if actions.Load() < at {
				if at < 5 {
					t.Errorf("only %d actions", actions.Load())
				}
				break
			}
		}
	}
}
