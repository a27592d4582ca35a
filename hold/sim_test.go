package hold

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/leasehold/leasehold/hold/holdtest"
)

var (
	runs = flag.Int("runs", 100, "simulated runs of each kind")
	from = flag.Uint64("seed", 0, "seed of the first run")
)

// plan is what one run does to its processes.
type plan struct {
	net       weather
	cuts      [2]time.Duration // partitions: pause between two, and length; 0: none
	halts     [2]time.Duration // stops and sleeps, as cuts
	stepWalls bool
	breaks    bool // now and then somebody breaks the lease, in its own time
	alone     bool // one process, and the blob exists
	forever   bool // it holds the lock as long as it can
	checks    bool // it asks for the lock in parallel to its renewal, so that answers overtake each other
	extended  bool // with every other seed the store has the extensions, and the clients use them
}

var (
	// storms throws everything at the processes.
	storms = plan{
		net:  weather{slow: 20, crawl: 5, loseRequest: 4, loseAnswer: 4, double: 5, refuse: 3, refuse2: 2},
		cuts: [2]time.Duration{40 * time.Second, 25 * time.Second}, halts: [2]time.Duration{40 * time.Second, 40 * time.Second},
		stepWalls: true, breaks: true, checks: true, extended: true,
	}
	// blips are short outages with time between them to recover; no lock may be lost.
	blips = plan{cuts: [2]time.Duration{0, 4 * time.Second}, alone: true, forever: true}
	// leaky loses answers only.
	leaky = plan{net: weather{loseAnswer: 30}, alone: true}
)

// client returns a client of the process for the one blob everybody wants.
func (p *process) client(r *rules) *Client {
	c, err := blockblob.NewClientWithNoCredential(holdtest.Endpoint+"/box/lock", &blockblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: p}})
	if err != nil {
		panic(err)
	}
	client, err := New(Blob(c), &Options{clock: p, rules: r, Extensions: p.w.store.Extensions})
	if err != nil {
		panic(err)
	}
	return client
}

// simulate runs processes for five minutes.
func simulate(t *testing.T, seed uint64, pl plan, r *rules) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		if pl.alone {
			w = newWorld(seed, 1)
			if err := Blob(w.store.Blob("box", "lock")).r.create(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			w = newWorld(seed, 3)
		}
		w.store.Extensions = pl.extended && seed%2 == 1
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for _, p := range w.procs {
			p.calm = !pl.checks
			p.net = pl.net
			all.Go(func() { p.work(ctx, pl, r) })
			all.Go(func() { p.suffer(ctx, pl) })
		}
		all.Go(func() { w.observe(ctx) })
		wait(5 * time.Minute)
		cancel()
		all.Wait()
		wait(2 * time.Minute) // whatever is still on its way
	})
	return w
}

// observe looks at everything again and again.
func (w *world) observe(ctx context.Context) {
	for ctx.Err() == nil {
		wait(250 * time.Millisecond)
		w.check("look")
		w.checkStore()
	}
}

// work takes the lock, holds it for a while, and gives it up, again and again.
func (p *process) work(ctx context.Context, pl plan, r *rules) {
	c := p.client(r)
	durations := []time.Duration{15 * time.Second, 15 * time.Second, 30 * time.Second, 60 * time.Second}
	for ctx.Err() == nil {
		o := &LockOptions{Duration: durations[p.random(3)], CreateIfMissing: true, Epoch: !pl.alone && p.chance(30)}
		if pl.forever {
			o.Duration = durations[0]
		} else if p.chance(50) {
			o.Margin = 150 * time.Millisecond // just above the error of the clocks' rates in a minute
		}
		began := time.Now()
		l, err := c.Lock(ctx, o)
		p.gate()
		if err != nil {
			wait(time.Second)
			continue
		}
		if took := time.Since(began); pl.alone && took > 10*time.Second {
			p.w.fault("slow: a free lock was had after %v", took)
		}
		p.w.register(l, p)
		if pl.checks {
			go p.check(l)
		}
		end := time.After(p.random(40 * time.Second))
		if pl.forever {
			end = nil
		}
		select {
		case <-end:
		case <-l.Context().Done():
		case <-ctx.Done():
		}
		p.gate()
		p.giveUp(l, pl)
		p.w.unregister(l)
		wait(p.random(3 * time.Second))
	}
}

// check asks the store for the lock now and then, as long as it lives.
func (p *process) check(l *Lock) {
	for l.Context().Err() == nil {
		sleepOr(l.Context(), p.random(20*time.Second))
		p.gate()
		l.Check(context.Background())
	}
}

// giveUp releases twice and says how that has to end.
func (p *process) giveUp(l *Lock, pl plan) {
	live := l.Context().Err() == nil
	at, _ := l.Deadline()
	_, wall := p.now()
	err := l.Release(context.Background())
	if again := l.Release(context.Background()); !errors.Is(again, err) {
		p.w.fault("release: first %v, then %v", err, again)
	}
	if l.Context().Err() == nil {
		p.w.fault("release: the context is live afterwards")
	}
	if live && at.Sub(wall) > 6*time.Second && errors.Is(err, ErrLost) && !pl.breaks {
		p.w.fault("release: a lock that was held says %v", err)
	}
}

// suffer does to the process what the plan has.
func (p *process) suffer(ctx context.Context, pl plan) {
	var all sync.WaitGroup
	sometimes := func(every [2]time.Duration, on, off func()) {
		for every[1] > 0 && ctx.Err() == nil {
			sleepOr(ctx, every[0]/2+p.random(every[0])+20*time.Second)
			on()
			sleepOr(ctx, p.random(every[1]))
			off()
		}
	}
	all.Go(func() { sometimes(pl.cuts, func() { p.outage(true) }, func() { p.outage(false) }) })
	all.Go(func() { sometimes(pl.halts, func() { p.stop(p.chance(50)) }, p.resume) })
	all.Go(func() {
		for pl.stepWalls && ctx.Err() == nil {
			sleepOr(ctx, p.random(time.Minute))
			if !p.halted() {
				p.stepWall(p.random(20*time.Second) - 18*time.Second) // mostly back, which is the dangerous way
			}
		}
	})
	all.Go(func() {
		for pl.breaks && ctx.Err() == nil {
			sleepOr(ctx, p.random(5*time.Minute))
			c, err := New(Blob(p.w.store.Blob("box", "lock")), nil)
			if err != nil {
				panic(err)
			}
			c.Break(ctx, nil) // that there is nothing to break is no matter
		}
	})
	all.Wait()
}

func sleepOr(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// seeds runs a plan with many seeds and fails on the first fault.
func seeds(t *testing.T, pl plan) (taken, lost int) {
	n := *runs
	if testing.Short() {
		n = min(n, 30)
	}
	if os.Getenv("LEASEHOLD_TEST") == "long" {
		n = max(n, 2000)
	}
	for i := range n {
		seed := *from + uint64(i)
		w := simulate(t, seed, pl, nil)
		if len(w.faults) > 0 {
			t.Fatalf("seed %d: %d faults, first: %s", seed, len(w.faults), w.faults[0])
		}
		taken += w.taken
		lost += w.lost
	}
	t.Logf("%d runs: %d locks taken, %d of them lost", n, taken, lost)
	if taken < n {
		t.Errorf("%d locks taken: this shows nothing", taken)
	}
	return taken, lost
}

func TestOneHolderWhateverHappens(t *testing.T) {
	if _, lost := seeds(t, storms); lost == 0 {
		t.Error("no lock was lost: this shows nothing")
	}
}

func TestBlipsDoNotLoseTheLock(t *testing.T) {
	if _, lost := seeds(t, blips); lost > 0 {
		t.Errorf("%d locks lost", lost)
	}
}

func TestLostAnswersDoNoHarm(t *testing.T) { seeds(t, leaky) }

// TestChecksFindBrokenRules breaks one rule at a time. A check that would not notice is worth
// nothing.
func TestChecksFindBrokenRules(t *testing.T) {
	for _, test := range []struct {
		name   string
		plan   plan
		spoil  func(*rules)
		expect string // the beginning of a fault, or lost
	}{
		{"the deadline counts from the answer", storms, func(r *rules) { r.anchor = func(_, answered instant) instant { return answered } }, "overlap|late"},
		{"the monotonic clock alone", storms, func(r *rules) { r.elapsed = func(mono, _ time.Duration) time.Duration { return mono } }, "overlap|late"},
		{"the wall clock alone", storms, func(r *rules) { r.elapsed = func(_, wall time.Duration) time.Duration { return wall } }, "overlap|late"},
		{"a failed renewal is not retried", blips, func(r *rules) { r.pause = func(d time.Duration, _ int) time.Duration { return d } }, "lost"},
		{"no pause after a failure", blips, func(r *rules) { r.pause = func(time.Duration, int) time.Duration { return 0 } }, "storm"},
		{"any failure is a loss", blips, func(r *rules) { r.loss = func(err error) (Reason, bool) { return ReasonTaken, err != nil } }, "lost"},
		{"another ID for every try", leaky, func(r *rules) { r.propose = func(ID) ID { return NewID() } }, "slow"},
		{"a repeated release that fails is a failure", leaky, func(r *rules) { r.forgive = false }, "release"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(300) {
				r := soundRules()
				test.spoil(r)
				if w := simulate(t, seed, test.plan, r); w.shows(test.expect) {
					t.Logf("found with seed %d", seed)
					return
				}
			}
			t.Error("not found")
		})
	}
}

// shows reports whether a run went wrong in one of the expected ways.
func (w *world) shows(expect string) bool {
	if expect == "lost" {
		return w.lost > 0
	}
	return slices.ContainsFunc(w.faults, func(f string) bool {
		kind, _, _ := strings.Cut(f, ":")
		return slices.Contains(strings.Split(expect, "|"), kind)
	})
}
