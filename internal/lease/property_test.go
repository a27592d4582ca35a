package lease

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leasehold/leasehold/internal/fault"
)

// promise is what the server last told somebody: id locks the resource until a moment. It follows
// the answers alone, not the record, so it can say when a record breaks its word.
type promise struct {
	id    ID
	until time.Time
	epoch uint64
}

var never = time.Unix(0, 1<<62)

func (p *promise) lock(now time.Time, d Duration) {
	p.until = never
	if d != Infinite {
		p.until = now.Add(d.Std())
	}
}

// heed updates the promise with a successful action.
func (p *promise) heed(t *rapid.T, before, after Lease, r Request, out Outcome, now time.Time) {
	locked := now.Before(p.until)
	switch r.Action {
	case Acquire:
		if locked && out.ID.ID != p.id {
			t.Fatalf("%v acquired while %v holds it for another %v", out.ID, p.id, p.until.Sub(now))
		}
		if after.Epoch <= p.epoch {
			t.Fatalf("epoch %d follows %d", after.Epoch, p.epoch)
		}
		p.id, p.epoch = out.ID.ID, after.Epoch
		p.lock(now, r.Duration)
	case Renew:
		if r.ID.ID != p.id {
			t.Fatalf("%v renewed the lease of %v", r.ID, p.id)
		}
		p.lock(now, before.Duration)
	case Change:
		if !locked || r.ID.ID != p.id && r.Proposed.ID != p.id {
			t.Fatalf("%v changed the lease of %v", r.ID, p.id)
		}
		p.id = out.ID.ID
	case Release:
		if r.ID.ID != p.id {
			t.Fatalf("%v released the lease of %v", r.ID, p.id)
		}
		p.until = now
	case Break:
		at := now.Add(time.Duration(out.Seconds) * time.Second)
		if locked && p.until.Before(at) || !locked && out.Seconds != 0 {
			t.Fatalf("break lengthened the lease to %v", at)
		}
		if left := after.Left(now); left < 0 || left > 60*time.Second || int64(left/time.Second) != out.Seconds {
			t.Fatalf("answered %d with %v left", out.Seconds, left)
		}
		p.until = now.Add(after.Left(now))
	}
}

// TestProperties drives one record with random actions, uses and steps of the clock, and holds it
// against the promises made.
func TestProperties(t *testing.T) {
	ids := []ID{{}, {1}, {2}, {3}}
	optional := rapid.Custom(func(t *rapid.T) OptionalID {
		return OptionalID{rapid.SampledFrom(ids).Draw(t, "id"), rapid.IntRange(0, 9).Draw(t, "given") > 0}
	})
	rapid.Check(t, func(t *rapid.T) {
		var l Lease
		var p promise
		at := now
		act := func(t *rapid.T) {
			r := Request{
				Action: Action(rapid.IntRange(0, int(actions)-1).Draw(t, "action")),
				ID:     optional.Draw(t, "ID"), Proposed: optional.Draw(t, "proposed"), Fresh: ID{9},
				Duration: rapid.SampledFrom([]Duration{Infinite, 15, 20, 60, 61}).Draw(t, "duration"),
				Period:   BreakPeriod{rapid.Int32Range(0, 60).Draw(t, "period"), rapid.Bool().Draw(t, "with period")},
			}
			next, out, err := Apply(l, r, at)
			if err != nil {
				if next != l || out != (Outcome{}) {
					t.Fatalf("%v changed the record", err)
				}
				return
			}
			p.heed(t, l, next, r, out, at)
			l = next
		}
		use := func(t *rapid.T) {
			id := optional.Draw(t, "ID")
			err := Check(l, Write, id, at)
			if locked := at.Before(p.until); locked && (err == nil) != id.Is(p.id) || !locked && id.Given && err == nil {
				t.Fatalf("a write with %q got %v; locked: %v", id, err, locked)
			}
			if Check(l, Read, id, at) != nil && (err == nil || !id.Given) {
				t.Fatal("a read needs more than a write")
			}
			if OverridesIfNoneMatchAny(l, id, at) != (err == nil && id.Given) {
				t.Fatal("the lease ID and If-None-Match: * disagree")
			}
			if err == nil {
				l = AfterWrite(l, at, id.Given)
			}
			if err == nil && !id.Given && l.Kind != None {
				t.Fatal("a write without ID left a record")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"act": act,
			"use": use,
			"wait": func(t *rapid.T) {
				at = at.Add(time.Duration(rapid.Int64Range(0, int64(70*time.Second)).Draw(t, "wait")))
			},
			"": func(t *rapid.T) { checkRecord(t, l, p, at) },
		})
	})
}

// checkRecord holds at every moment: what is promised is kept to the nanosecond, epochs never fall,
// and time never revives.
func checkRecord(t *rapid.T, l Lease, p promise, at time.Time) {
	if l.State(at).Locked() != at.Before(p.until) {
		t.Fatalf("state %s, promised for another %v", l.State(at), p.until.Sub(at))
	}
	if p.until != never && p.until.After(at) && (l.State(p.until).Locked() || !l.State(p.until.Add(-1)).Locked()) {
		t.Fatal("the lock does not end when it was promised to")
	}
	if l.Epoch != p.epoch {
		t.Fatalf("epoch %d, last given %d", l.Epoch, p.epoch)
	}
	was := l.State(at)
	for range 4 {
		at = at.Add(20 * time.Second)
		is := l.State(at)
		if is != was && !(was == Leased && is == Expired) && !(was == Breaking && is == Broken) {
			t.Fatalf("time made %s of %s", is, was)
		}
		was = is
	}
	if l.Kind == None && Check(l, Write, Some(l.ID), at) != fault.LeaseNotPresentWithBlobOperation {
		t.Fatal("no lease accepts an ID")
	}
}
