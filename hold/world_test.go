package hold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leasehold/leasehold/hold/holdtest"
)

// world is a store, some processes, and the bad network between them, in virtual time. The store's
// clock is the bubble's. It collects what goes against the rules.
type world struct {
	store *holdtest.Store
	procs []*process

	mu     sync.Mutex
	locks  map[*Lock]*process // taken and not yet released
	latest string             // the ID that was granted last
	epoch  uint64             // the highest seen with a live lock
	taken  int
	lost   int
	faults []string
}

func newWorld(seed uint64, n int) *world {
	w := &world{store: holdtest.NewStore(), locks: map[*Lock]*process{}}
	w.store.Container("box")
	w.store.OnGrant = func(_, id string) {
		w.mu.Lock()
		w.latest = id
		w.mu.Unlock()
		w.check("grant")
	}
	for i := range n {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		w.procs = append(w.procs, &process{w: w, name: string(rune('A' + i)), rng: rng, start: time.Now(), rate: 1 + (rng.Float64()-0.5)/500})
	}
	return w
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// check says that a lock whose context is live, in a process that can run, is the one the store
// granted last, and that there are no two of them.
func (w *world) check(when string) {
	w.mu.Lock()
	locks, latest := make(map[*Lock]*process, len(w.locks)), w.latest
	for l, p := range w.locks {
		locks[l] = p
	}
	w.mu.Unlock()
	live := 0
	for l, p := range locks {
		if p.halted() {
			continue
		}
		if p.live(l) {
			if live++; string(l.ID()) != latest {
				w.fault("overlap: at %s the lock of %s is live, and the lease was granted to another", when, p.name)
			}
		}
	}
	if live > 1 {
		w.fault("overlap: at %s %d locks are live", when, live)
	}
}

// live reports whether the context of a lock is live. Done is closed by a timer, which is late
// after a halt, while Err looks at the clocks: both have to be right, each in its time, and Err is
// not asked more than needed, since each look at the clocks makes up for one that the lock itself
// might have missed.
func (p *process) live(l *Lock) bool {
	select {
	case <-l.Context().Done():
		return false
	default:
		return !p.wokeWithin(tick+100*time.Millisecond) || l.Context().Err() == nil
	}
}

// checkStore says that the store agrees with every live lock.
func (w *world) checkStore() {
	w.mu.Lock()
	locks := make(map[*Lock]*process, len(w.locks))
	for l, p := range w.locks {
		if !p.halted() {
			locks[l] = p
		}
	}
	w.mu.Unlock()
	holder := w.store.Holder("box/lock")
	for l, p := range locks {
		if p.live(l) && holder != string(l.ID()) {
			w.fault("late: a lock is live, but the store says that %q holds the lease", holder)
		}
	}
}

func (w *world) register(l *Lock, p *process) {
	w.mu.Lock()
	w.locks[l] = p
	w.taken++
	w.mu.Unlock()
	w.check("lock")
	if e, ok := l.Epoch(); ok && l.Context().Err() == nil {
		w.mu.Lock()
		if e <= w.epoch {
			w.faults = append(w.faults, fmt.Sprintf("epoch: %d after %d", e, w.epoch))
		}
		w.epoch = max(w.epoch, e)
		w.mu.Unlock()
	}
}

func (w *world) unregister(l *Lock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.locks, l)
	if errors.Is(context.Cause(l.Context()), ErrLost) {
		w.lost++
	}
}

// process is a program on a machine of its own: with clocks, which may be wrong, and a network,
// which may be bad. It is the clock and the transport of its Client.
type process struct {
	w     *world
	name  string
	start time.Time

	mu      sync.Mutex
	rng     *rand.Rand
	rate    float64       // of its clocks
	shift   time.Duration // of the wall clock, by steps
	stepped time.Time     // when the last step was
	asleep  time.Duration // how long the machine slept so far; its monotonic clock stood still
	woke    time.Time     // when it last went on after a halt
	halt    chan struct{} // closed when it goes on; nil while it runs
	sleeps  bool          // the halt is a sleep of the machine
	since   time.Time     // of the halt
	cut     bool          // the network is: nothing arrives
	crowded bool          // the store refuses everything
	missed  bool          // the last answer was lost
	calm    bool          // nothing but the lock itself renews, so that pauses can be judged
	net     weather
	renewed map[string][]time.Time // when renewals were sent, by lease ID
}

// weather is how bad a network is: chances in percent.
type weather struct {
	slow, crawl     int // answers within a second, and within ten
	loseRequest     int
	loseAnswer      int
	double          int
	refuse, refuse2 int // 503 before and after the effect
}

func (p *process) chance(percent int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(100) < percent
}

func (p *process) random(d time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.rng.Int64N(int64(d) + 1))
}

func (p *process) halted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.halt != nil
}

func (p *process) wokeWithin(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.woke) < d
}

// gate waits while the process does not run.
func (p *process) gate() {
	for {
		p.mu.Lock()
		h := p.halt
		p.mu.Unlock()
		if h == nil {
			return
		}
		<-h
	}
}

// stop halts the process: as a signal does, or by putting the machine to sleep. The wall clock is
// not set back just before the machine sleeps: that is the one thing against which two clocks can't
// help.
func (p *process) stop(sleep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sleep = sleep && time.Since(p.stepped) > tick+100*time.Millisecond
	if p.halt == nil {
		p.halt, p.sleeps, p.since = make(chan struct{}), sleep, time.Now()
	}
}

func (p *process) resume() {
	p.mu.Lock()
	h := p.halt
	if h != nil && p.sleeps {
		p.asleep += time.Since(p.since)
	}
	p.woke = time.Now()
	p.halt = nil
	p.mu.Unlock()
	if h != nil {
		p.w.check("resume") // before anything else in the process runs
		close(h)
	}
}

// stepWall sets the wall clock forward or back.
func (p *process) stepWall(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shift += d
	p.stepped = time.Now()
}

// monotonic is the reading of the monotonic clock. The process is locked.
func (p *process) monotonic() time.Duration {
	t := time.Since(p.start) - p.asleep
	if p.halt != nil && p.sleeps {
		t -= time.Since(p.since)
	}
	return time.Duration(float64(t) * p.rate)
}

func (p *process) now() (time.Duration, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wall := p.start.Add(time.Duration(float64(time.Since(p.start)) * p.rate))
	return p.monotonic(), wall.Add(p.shift).Round(0)
}

func (p *process) afterFunc(d time.Duration, f func()) func() bool {
	t := &simTimer{p: p, f: f, stopped: make(chan struct{})}
	p.mu.Lock()
	t.at = p.monotonic() + d
	p.mu.Unlock()
	go t.run()
	return t.stop
}

// simTimer runs f when the monotonic clock of its process shows at and the process runs.
type simTimer struct {
	p       *process
	at      time.Duration
	f       func()
	once    sync.Once
	stopped chan struct{}
}

func (t *simTimer) stop() (first bool) {
	t.once.Do(func() { close(t.stopped); first = true })
	return first
}

func (t *simTimer) run() {
	for {
		t.p.mu.Lock()
		left, h := t.at-t.p.monotonic(), t.p.halt
		t.p.mu.Unlock()
		if left <= 0 && h == nil {
			if t.stop() {
				t.f()
			}
			return
		}
		var due <-chan time.Time
		if h == nil {
			timer := time.NewTimer(time.Duration(float64(left)/t.p.rate) + time.Nanosecond)
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-due:
		case <-h:
		case <-t.stopped:
			return
		}
	}
}

// Do carries a request to the store and the answer back, or not.
func (p *process) Do(req *http.Request) (*http.Response, error) {
	p.gate()
	p.note(req)
	body, err := io.ReadAll(bodyOf(req))
	if err != nil {
		return nil, err
	}
	answers := make(chan *http.Response, 1)
	deliver := func(delay time.Duration) {
		wait(delay)
		copied := req.Clone(context.Background())
		copied.Body = io.NopCloser(bytes.NewReader(body))
		if a, err := p.w.store.Do(copied); err == nil {
			select {
			case answers <- a: // the first one counts
			default:
			}
		}
	}
	switch {
	case p.isCut() || p.chance(p.net.loseRequest):
	case p.isCrowded() || p.chance(p.net.refuse):
		answers <- unavailable(req)
	default:
		delay := p.latency()
		go deliver(delay)
		if p.chance(p.net.double) {
			go deliver(delay + p.random(20*time.Second))
		}
	}
	return p.await(req, answers)
}

// await waits for the answer, or for the end of the caller's patience.
func (p *process) await(req *http.Request, answers <-chan *http.Response) (*http.Response, error) {
	select {
	case a := <-answers:
		wait(p.latency())
		switch {
		case p.isCut() || p.loseAnswer():
			<-req.Context().Done()
		case p.chance(p.net.refuse2):
			a = unavailable(req)
		}
		p.gate()
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		return a, nil
	case <-req.Context().Done():
		p.gate()
		return nil, req.Context().Err()
	}
}

func (p *process) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

func (p *process) isCrowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowded
}

// outage begins a partition, or a time in which the store refuses everything; or it ends both.
func (p *process) outage(on bool) {
	silent := p.chance(50)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.crowded = on && silent, on && !silent
}

// loseAnswer decides whether an answer is lost: never two in a row, so that a test can say how long
// things may take.
func (p *process) loseAnswer() bool {
	lose := p.chance(p.net.loseAnswer)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed = lose && !p.missed
	return p.missed
}

func (p *process) latency() time.Duration {
	switch {
	case p.chance(p.net.crawl):
		return p.random(10 * time.Second)
	case p.chance(p.net.slow):
		return p.random(time.Second)
	}
	return p.random(20 * time.Millisecond)
}

// note records renewals, and looks for storms: pauses that are too short, or too many in the length
// of a lease.
func (p *process) note(req *http.Request) {
	header := func(name string) string { // the SDK writes some names in lower case
		for k, v := range req.Header {
			if strings.EqualFold(k, name) {
				return v[0]
			}
		}
		return ""
	}
	if header("x-ms-lease-action") != "renew" {
		return
	}
	id := header("x-ms-lease-id")
	p.mu.Lock()
	if p.renewed == nil {
		p.renewed = map[string][]time.Time{}
	}
	sent := append(p.renewed[id], time.Now())
	p.renewed[id] = sent
	p.mu.Unlock()
	if n := len(sent); p.calm && n > 1 && sent[n-1].Sub(sent[n-2]) < 200*time.Millisecond {
		p.w.fault("storm: renewed again after %v", sent[n-1].Sub(sent[n-2]))
	}
	if n := len(sent); p.calm && n > 20 && sent[n-1].Sub(sent[n-21]) < 15*time.Second {
		p.w.fault("storm: 21 renewals in %v", sent[n-1].Sub(sent[n-21]))
	}
}

func bodyOf(req *http.Request) io.Reader {
	if req.Body == nil {
		return http.NoBody
	}
	return req.Body
}

func unavailable(req *http.Request) *http.Response {
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Header: http.Header{"X-Ms-Error-Code": {"ServerBusy"}},
		Body: http.NoBody, Request: req,
	}
}
