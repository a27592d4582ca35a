package linear

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/leasehold/leasehold/internal/kv"
	"github.com/leasehold/leasehold/internal/lease"
)

const (
	blobs   = 2
	clients = 6
	phases  = 8 // between two, nobody asks: the store is opened again, or the wall clock set
	actions = 6 // of one client in one phase
)

// tick is the length of all forward steps under load. No sum of a few is near a whole number of
// seconds, which durations are, so that the ticks by which a store tells its updates
// apart decide nothing.
const tick = 7300 * time.Millisecond

// input is what a client asks for. The clock is a client too.
type input struct {
	what    string // lease, write, read, step, set
	blob    int
	request lease.Request
	id      lease.OptionalID // of a write
	body    string
	now     time.Time     // of set: what the store shows
	lag     time.Duration // of set: how far the wall clock is behind that
	steps   int           // of the phase that had ended before it was asked
}

// output is what a client is answered.
type output struct {
	code    string // of the refusal, if it is one
	id      lease.OptionalID
	seconds int64
	body    string
}

// maxSteps is how many forward steps there are in a phase at most.
const maxSteps = 3

// state is what the model knows: the store and its time.
type state struct {
	leases [blobs]lease.Lease
	bodies [blobs]string
	times  [1 + maxSteps]time.Time // those of this phase: before its first step, and after each
	steps  int                     // of this phase so far
	judged [blobs]int              // at which of these times the last change of each blob was
	lag    time.Duration           // by which the wall clock is behind
}

// model is the store as it should be: one operation after the other, by the rules of package
// lease. A step of the clock is one of the operations. A change is judged at the time at which it
// began, and shown when it is durable: who reads between sees a later time without it. So
// it may be any time from its call on, but for one blob time never runs back.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{state{}} },
	Step: func(before, asked, answered any) (after []any) {
		s, in, out := before.(state), asked.(input), answered.(output)
		switch in.what {
		case "set":
			s.times, s.steps, s.judged, s.lag = [1 + maxSteps]time.Time{in.now}, 0, [blobs]int{}, in.lag
			return []any{s}
		case "step":
			s.times[s.steps+1] = s.times[s.steps].Add(max(0, tick-s.lag))
			s.steps, s.lag = s.steps+1, max(0, s.lag-tick)
			return []any{s}
		case "read":
			if out.code == "" && out.body == s.bodies[in.blob] {
				after = append(after, s)
			}
			return after
		}
		for at := max(in.steps, s.judged[in.blob]); at <= s.steps; at++ {
			if next, ok := s.change(in, out, s.times[at]); ok {
				next.judged[in.blob] = at
				after = append(after, next)
			}
		}
		return after
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v: %+v", in, out) },
}).ToModel()

// change makes a change that is judged at a time, and tells whether its answer is that of the
// rules.
func (s state) change(in input, out output, now time.Time) (state, bool) {
	l := &s.leases[in.blob]
	if in.what == "write" {
		err := lease.Check(*l, lease.Write, in.id, now)
		if err == nil {
			*l, s.bodies[in.blob] = lease.AfterWrite(*l, now, in.id.Given), in.body
		}
		return s, codeOf(err) == out.code
	}
	next, want, err := lease.Apply(*l, in.request, now)
	*l = next
	// What is left is rounded down, and may be a few ticks more or less than in the model.
	seconds := out.seconds - want.Seconds
	return s, codeOf(err) == out.code && (err != nil || out.id == want.ID && -1 <= seconds && seconds <= 1)
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// history is what was asked and answered, and when, by a clock that only counts.
type history struct {
	count atomic.Int64
	steps atomic.Int64 // of this phase that have ended
	mu    sync.Mutex
	all   []porcupine.Operation
}

func (h *history) record(client int, in input, do func() output) {
	in.steps = int(h.steps.Load())
	call := h.count.Add(1)
	out := do()
	end := h.count.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

// ids is a small pool, so that clients meet.
var ids = []lease.ID{{0xA}, {0xB}, {0xC}}

// ask returns a random request.
func ask(rng *rand.Rand, serial *atomic.Int64) input {
	id := func() lease.OptionalID { return lease.Some(ids[rng.IntN(len(ids))]) }
	in := input{what: "lease", blob: rng.IntN(blobs)}
	switch rng.IntN(10) {
	case 0, 1, 2:
		d := []lease.Duration{15, 20, 60, lease.Infinite}[rng.IntN(4)]
		in.request = lease.Request{Action: lease.Acquire, Proposed: id(), Duration: d}
	case 3:
		in.request = lease.Request{Action: lease.Renew, ID: id()}
	case 4:
		in.request = lease.Request{Action: lease.Change, ID: id(), Proposed: id()}
	case 5:
		in.request = lease.Request{Action: lease.Release, ID: id()}
	case 6:
		in.request = lease.Request{Action: lease.Break, Period: lease.BreakPeriod{Seconds: int32(rng.IntN(3) * 10), Given: rng.IntN(3) > 0}}
	case 7:
		in.what = "read"
	default:
		in.what, in.body = "write", fmt.Sprint("body ", serial.Add(1))
		if rng.IntN(2) == 0 {
			in.id = id()
		}
	}
	return in
}

// run makes a history on a store whose engine is seen through a lens.
func run(t *testing.T, seed uint64, lens func(kv.DB) kv.DB) (porcupine.CheckResult, porcupine.LinearizationInfo, []porcupine.Operation) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, lens)
	h := &history{}
	var serial atomic.Int64
	set := func(lag time.Duration) {
		h.steps.Store(0)
		h.record(clients, input{what: "set", now: w.now(), lag: lag}, func() output { return output{} })
	}
	set(0)
	for b := range blobs {
		in := input{what: "write", blob: b, body: fmt.Sprint("first ", b)}
		h.record(clients, in, func() output { return w.do(in) })
	}
	for range phases {
		var all sync.WaitGroup
		for c := range clients {
			own := rand.New(rand.NewPCG(seed, rng.Uint64()))
			all.Go(func() {
				for range actions {
					in := ask(own, &serial)
					h.record(c, in, func() output { return w.do(in) })
				}
			})
		}
		for range rng.IntN(1 + maxSteps) {
			h.record(clients, input{what: "step"}, func() output { w.wall.step(tick); return output{} })
			h.steps.Add(1)
		}
		all.Wait()
		set(w.disturb(rng))
	}
	result, info := porcupine.CheckOperationsVerbose(model, h.all, 20*time.Second)
	return result, info, h.all
}

// TestLinearizable runs random histories of clients that lease and write a few blobs, with
// steps of the clock among them, and with the store opened again and the wall clock set forward
// and back by hours between. There has to be an order in which the rules alone give the
// same answers. LEASEHOLD_TEST=long runs many.
func TestLinearizable(t *testing.T) {
	histories := 5
	if os.Getenv("LEASEHOLD_TEST") == "long" {
		histories = 300
	}
	for range histories {
		seed := rand.Uint64()
		result, info, all := run(t, seed, func(db kv.DB) kv.DB { return db })
		if result != porcupine.Ok {
			t.Fatalf("seed %d: %s: no order explains\n%s", seed, result, describe(info, all))
		}
		answers := map[string]int{}
		for _, op := range all {
			answers[op.Output.(output).code]++
		}
		if len(answers) < 4 {
			t.Errorf("seed %d: the answers say little: %v", seed, answers)
		}
	}
}

// TestMutants breaks the store in ways that this test is there to find.
func TestMutants(t *testing.T) {
	for name, lens := range map[string]func(kv.DB) kv.DB{
		"updates that are not isolated": func(db kv.DB) kv.DB { return careless{db} },
		"leases that are not looked at": func(db kv.DB) kv.DB { return forgetful{db} },
		"time that runs back":           func(db kv.DB) kv.DB { return &wobbly{DB: db} },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				if result, _, _ := run(t, rand.Uint64(), lens); result == porcupine.Illegal {
					return
				}
			}
			t.Error("20 histories did not show it")
		})
	}
}

// describe tells of a history that has no order as far as one was found, and what comes next.
func describe(info porcupine.LinearizationInfo, all []porcupine.Operation) string {
	var longest []porcupine.Operation
	for _, part := range info.PartialLinearizationsOperations()[0] {
		if len(part) > len(longest) {
			longest = part
		}
	}
	placed := map[int64]bool{}
	var b strings.Builder
	s := model.Init()
	for i, op := range longest {
		placed[op.Call] = true
		if _, s = model.Step(s, op.Input, op.Output); i >= len(longest)-10 {
			fmt.Fprintf(&b, "%4d to %4d: %s\n", op.Call, op.Return, model.DescribeOperation(op.Input, op.Output))
		}
	}
	fmt.Fprintf(&b, "leads to %+v\nand none of these can follow:\n", s)
	slices.SortFunc(all, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	first := int64(1 << 62) // the earliest end of those that are left
	for _, op := range all {
		if !placed[op.Call] && op.Call < first {
			first = min(first, op.Return)
			fmt.Fprintf(&b, "%4d to %4d: %s\n", op.Call, op.Return, model.DescribeOperation(op.Input, op.Output))
		}
	}
	return b.String()
}

func (in input) String() string {
	switch in.what {
	case "set":
		return fmt.Sprintf("the time is set to %v, the wall clock %v behind", in.now, in.lag)
	case "lease":
		r := in.request
		return fmt.Sprintf("blob %d: %v ID %.1s, proposed %.1s, duration %d, period %v", in.blob, r.Action, r.ID, r.Proposed, r.Duration, r.Period)
	}
	return fmt.Sprintf("blob %d: %s %q ID %.1s", in.blob, in.what, in.body, in.id)
}

var errUnknown = errors.New("unknown request")
